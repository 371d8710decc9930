"""Which trials go on: successive halving whose trials pause.

Every trial of a search pauses after its first few epochs. One in FACTOR of those that came so far goes
on, the best first, and pauses again at the next rung; so most of the time goes into trials that lead.
A trial goes on from where it was: nothing is trained twice. When to go on is decided whenever a
trainer is free, from what there is then, so that none waits for another.

Source: Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020 (asynchronous successive
halving); its smallest rung is the first report, as the first epochs tell most of what all tell.
"""

import bisect
import math

SHARES = (0.05, 0.1, 0.25)  # of a training: where trials pause
FACTOR = 4  # one in so many goes on
ENOUGH = 12  # trials that a sampler can model
WAITING = 16  # trials that are paused at a rung at the most: the worst are given up


class Rungs:
    """The rungs of one study: what reached them, and what waits there.

    Trials are known by their numbers; a level is a score, or one on the way, of which more is better.

    Args:
        epochs: those of a whole training.
    """

    def __init__(self, epochs):
        self.ends = sorted({math.ceil(share * epochs) for share in SHARES} - {epochs})  # epochs
        self._levels = [{} for _ in [*self.ends, epochs]]  # at each rung, and at the end: number -> level
        self._order = [[] for _ in self.ends]  # at each rung: (-level, number), the best first
        self._paused = [set() for _ in self.ends]

    def report(self, number, before, epoch, level):
        """A trial trained on from epoch `before` to `epoch`. Returns whether it thereby reached a rung."""
        passed = [rung for rung, end in enumerate(self.ends) if before < end <= epoch]
        for rung in passed:
            self._levels[rung][number] = level
            bisect.insort(self._order[rung], (-level, number))
        return bool(passed)

    def finish(self, number, level):
        """A trial trained to the end."""
        self._levels[-1][number] = level

    def forget(self, number):
        """A trial diverged, or did not end by itself: what it was on the way does not count."""
        for order, levels in zip(self._order, self._levels):
            if number in levels:
                order.remove((-levels.pop(number), number))

    def pause(self, number):
        """A trial waits at the rung that it reached last."""
        self._paused[self._last(number)].add(number)

    def resume(self, number):
        """A trial waits no longer."""
        for waiting in self._paused:
            waiting.discard(number)

    @property
    def paused(self):
        """The trials that wait, by number."""
        return sorted(set().union(*self._paused))

    def promoted(self):
        """The trial that is to go on, or None: the best of the highest rung that has one to send on."""
        for rung in reversed(range(len(self.ends))):
            order, levels = self._order[rung], self._levels[rung]
            best = min(((-levels[number], number) for number in self._paused[rung]), default=None)
            if best and bisect.bisect_left(order, best) < len(order) // FACTOR:
                return best[1]
        return None

    def best_paused(self):
        """The trial that is to go on where one must: the best of those that got farthest; or None."""
        farthest = next((rung for rung in reversed(range(len(self.ends))) if self._paused[rung]), None)
        if farthest is None:
            return None
        return max(self._paused[farthest], key=self._levels[farthest].get)

    def surplus(self):
        """A trial that waits for nothing, since enough better ones wait with it; or None."""
        full = next((rung for rung, waiting in enumerate(self._paused) if len(waiting) > WAITING), None)
        if full is None:
            return None
        return min(self._paused[full], key=self._levels[full].get)

    def place(self, number):
        """Of a trial at the rung that it reached last: its rank there, and among how many."""
        rung = self._last(number)
        key = (-self._levels[rung][number], number)
        return bisect.bisect_left(self._order[rung], key) + 1, len(self._order[rung])

    def expected(self):
        """The levels that trials have at the end, or would probably have: number -> level.

        A trial is expected to gain from rung to rung what three in four others did: so one that was
        trained to the end leads unless another is clearly ahead. Those that reached no rung are left out.
        """
        found, gain, after = {}, 0.0, {}
        for here in reversed(self._levels):
            gains = sorted(level - here[number] for number, level in after.items() if number in here)
            if gains:
                gain += gains[len(gains) // 4]
            found |= {number: here[number] + gain for number in here.keys() - found.keys()}
            after = here
        return found

    def known(self):
        """The levels at the highest rung, or the end, that ENOUGH trials reached: number -> level.

        Source: Falkner et al., BOHB, 2018, whose model is that of the largest budget it can be made of.
        """
        for levels in reversed(self._levels):
            if len(levels) >= ENOUGH:
                break
        return levels

    def _last(self, number):
        return max(rung for rung in range(len(self.ends)) if number in self._levels[rung])
