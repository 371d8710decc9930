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
WAITING = 16  # trials that are paused at a rung at the most: the worst are given up


class Rungs:
    """The rungs of one study, what reached them and what waits there. Trials are known by their numbers.

    Args:
        epochs: those of a whole training.
    """

    def __init__(self, epochs):
        self.ends = sorted({math.ceil(share * epochs) for share in SHARES} - {epochs})
        self._reached = [[] for _ in self.ends]  # of each rung: (-level, number), the best first
        self._paused = [{} for _ in self.ends]  # of each rung: number -> level

    def report(self, number, before, epoch, level):
        """A trial trained from epoch `before` to `epoch` and has this level: the higher the better.

        Returns whether it thereby reached a rung.
        """
        passed = [rung for rung, end in enumerate(self.ends) if before < end <= epoch]
        for rung in passed:
            bisect.insort(self._reached[rung], (-level, number))
        return bool(passed)

    def pause(self, number, epoch, level):
        """A trial waits at the rung that it reached last."""
        self._paused[self._rung(epoch)][number] = level

    def resume(self, number):
        """A trial waits no longer."""
        for waiting in self._paused:
            waiting.pop(number, None)

    @property
    def paused(self):
        """The trials that wait."""
        return set().union(*self._paused)

    def next(self):
        """The trial that is to go on, or None: the best of the highest rung that has one to send on."""
        for reached, waiting in zip(reversed(self._reached), reversed(self._paused)):
            leading = reached[: len(reached) // FACTOR]
            if best := next((number for _, number in leading if number in waiting), None):
                return best
        return None

    def best_paused(self):
        """The trial that should go on although it is not among the best: of those that got farthest; or None."""
        waiting = next((waiting for waiting in reversed(self._paused) if waiting), {})
        return max(waiting, key=waiting.get, default=None)

    def surplus(self):
        """A trial that should wait no longer, since enough better ones do; or None."""
        full = next((waiting for waiting in self._paused if len(waiting) > WAITING), {})
        return min(full, key=full.get, default=None)

    def rank(self, number, epoch):
        """Of a trial at the last rung that it reached: its rank there, and among how many."""
        reached = self._reached[self._rung(epoch)]
        return 1 + next(rank for rank, (_, other) in enumerate(reached) if other == number), len(reached)

    def _rung(self, epoch):
        return bisect.bisect_right(self.ends, epoch) - 1
