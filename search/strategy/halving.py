"""Which trials resume: successive halving whose trials pause.

Every trial of a search pauses after its first few epochs. Of those that came so far, one in
REDUCTION_FACTOR resumes, the best first, and pauses again at the next rung. So most of the time goes into
trials that lead. A trial resumes where it was: nothing is trained twice. The choice is made whenever a
trainer is free, from what is known then, so that no trial waits for another.

Source: Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020 (asynchronous successive
halving); its smallest rung is the first report, as the first epochs tell most of what all tell.
"""

import bisect
import math

RUNG_FRACTIONS = (0.05, 0.1, 0.25)  # of a training: where trials pause
REDUCTION_FACTOR = 4  # one in so many resumes
MIN_OBSERVATIONS = 12  # trials that a sampler can model
MAX_PAUSED = 16  # trials that are paused at a rung at most: the worst are given up


class SuccessiveHalving:
    """The rungs of one study: which trials reached them, and which are paused there.

    Trials are known by their numbers; a level is a score, or one on the way, of which more is better.

    Args:
        epochs: those of a whole training.
        warm_up: the first of them, in which the learning rate rises. A level there says little of the end, so
            no rung is among them.
    """

    def __init__(self, epochs: int, warm_up: int = 0) -> None:
        ends = {max(math.ceil(share * epochs), warm_up + 1) for share in RUNG_FRACTIONS}
        self.ends = sorted(end for end in ends if end < epochs)
        self._levels: list[dict[int, float]] = [
            {} for _ in [*self.ends, epochs]
        ]  # at each rung, and at the end: number -> level
        self._order: list[list[tuple[float, int]]] = [
            [] for _ in self.ends
        ]  # at each rung: (-level, number), the best first
        self._paused: list[set[int]] = [set() for _ in self.ends]

    def report(self, number: int, before: int, epoch: int, level: float) -> bool:
        """Take in that a trial trained from epoch `before` to `epoch`. Returns whether it reached a rung."""
        passed = [rung for rung, end in enumerate(self.ends) if before < end <= epoch]
        for rung in passed:
            self._levels[rung][number] = level
            bisect.insort(self._order[rung], (-level, number))
        return bool(passed)

    def finish(self, number: int, level: float) -> None:
        """Take in that a trial trained to the end."""
        self._levels[-1][number] = level

    def forget(self, number: int) -> None:
        """Take in that a trial diverged or was ended: its levels on the way do not count."""
        for order, levels in zip(self._order, self._levels):
            if number in levels:
                order.remove((-levels.pop(number), number))

    def pause(self, number: int) -> None:
        """Let a trial wait at the rung that it reached last."""
        self._paused[self._last(number)].add(number)

    def resume(self, number: int) -> None:
        """Let a trial wait no longer."""
        for waiting in self._paused:
            waiting.discard(number)

    @property
    def paused(self) -> list[int]:
        """The numbers of the paused trials, sorted."""
        return sorted(number for waiting in self._paused for number in waiting)

    def next_promotion(self) -> int | None:
        """The trial that resumes next: the best of the highest rung that may send one on."""
        for rung in reversed(range(len(self.ends))):
            order, levels = self._order[rung], self._levels[rung]
            best = min(((-levels[number], number) for number in self._paused[rung]), default=None)
            if best and bisect.bisect_left(order, best) < len(order) // REDUCTION_FACTOR:
                return best[1]
        return None

    def best_paused(self) -> int | None:
        """The best of the paused trials that got farthest."""
        farthest = next((rung for rung in reversed(range(len(self.ends))) if self._paused[rung]), None)
        if farthest is None:
            return None
        return max(self._paused[farthest], key=self._levels[farthest].__getitem__)

    def overflow(self) -> int | None:
        """A trial that waits in vain, because enough better ones wait with it."""
        full = next((rung for rung, waiting in enumerate(self._paused) if len(waiting) > MAX_PAUSED), None)
        if full is None:
            return None
        return min(self._paused[full], key=self._levels[full].__getitem__)

    def rank_at_rung(self, number: int) -> tuple[int, int]:
        """The rank of a trial at the rung that it reached last, and the number of trials there."""
        rung = self._last(number)
        key = (-self._levels[rung][number], number)
        return bisect.bisect_left(self._order[rung], key) + 1, len(self._order[rung])

    def observations(self) -> dict[int, float]:
        """The levels at the highest rung, or the end, that MIN_OBSERVATIONS trials reached: number -> level.

        Source: Falkner et al., BOHB, 2018, whose model is that of the largest budget it can be made of.
        """
        for levels in reversed(self._levels):
            if len(levels) >= MIN_OBSERVATIONS:
                break
        return levels

    def _last(self, number: int) -> int:
        return max(rung for rung in range(len(self.ends)) if number in self._levels[rung])
