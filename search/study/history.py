"""The trials of a study, kept in the orders that queries need.

To add a trial takes nearly as long in a study of ten as in one of ten thousand.
"""

import bisect
from collections.abc import Callable
from typing import Any

from search.study.trial import Trial, TrialState

SortKey = Callable[[Trial], Any]


class History:
    """The trials of a study. Each is added when it starts, and again when it has ended.

    Args:
        sort_key: the order of completed trials, the best first.
    """

    def __init__(self, sort_key: SortKey) -> None:
        self._sort_key = sort_key
        self.ended: dict[int, Trial] = {}  # number -> a trial that ended
        self.running: set[int] = set()  # numbers of trials that have not ended
        self.training: set[int] = set()  # those of them that count
        self.waiting: set[int] = set()  # numbers of trials that another program enqueued, and nobody started
        # Of those that count:
        self.completed: list[Trial] = []  # the best first
        self.rejected: list[int] = []  # numbers of trials that diverged or were infeasible
        self.attempts: dict[int, Trial] = {}  # draw -> the latest trial of it
        self.n_finished = 0  # ended, and not to be retried
        self._draw = 0  # all draws before this one are finished or running
        # Of all trials, void ones too:
        self.n_own = 0  # configurations of people's own: their draws are -1 to -n_own
        self.requested: dict[str, int] = {}  # the id of a request -> the latest trial of it

    @property
    def n_known(self) -> int:
        """The number of all trials: they are numbered from 0."""
        return len(self.ended) + len(self.running) + len(self.waiting)

    def next_draw(self) -> tuple[int, Trial | None]:
        """The first draw that no trial has finished or is training, and its latest attempt.

        A void trial does not finish its draw: the draw is made again, from what counts now.
        """
        while (attempt := self.attempts.get(self._draw)) and attempt.state != TrialState.INTERRUPTED:
            self._draw += 1
        return self._draw, attempt

    def interrupted_own(self) -> Trial | None:
        """The trial of a person's own configuration that is to be retried first; None if there is none."""
        attempts = (self.attempts.get(-place) for place in range(1, self.n_own + 1))
        return next((each for each in attempts if each and each.state == TrialState.INTERRUPTED), None)

    def add(self, trial: Trial) -> None:
        """Take in a trial that started, or one that ended."""
        self.waiting.discard(trial.number)
        if trial.request is not None:
            self.requested[trial.request] = trial.number
        if trial.is_own:
            self.n_own = max(self.n_own, -(trial.draw or 0))
        if trial.counts and trial.draw is not None:
            self.attempts[trial.draw] = trial
            if trial.state == TrialState.INTERRUPTED and not trial.is_own:
                self._draw = min(self._draw, trial.draw)
        if trial.state == TrialState.RUNNING:
            self.running.add(trial.number)
            if trial.counts:
                self.training.add(trial.number)
            return
        self.running.discard(trial.number)
        self.training.discard(trial.number)
        self.ended[trial.number] = trial
        if not trial.counts:
            return
        self.n_finished += trial.state != TrialState.INTERRUPTED
        if trial.state in (TrialState.DIVERGED, TrialState.INFEASIBLE):
            self.rejected.append(trial.number)
        if trial.state == TrialState.COMPLETED:
            bisect.insort(self.completed, trial, key=self._sort_key)
