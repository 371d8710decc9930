"""The loop of a search: ask -> train -> report -> pause or continue -> tell.

One process asks, judges and writes; trainers only train. Whoever wants to see what happens (the log, the
display) is a watcher. What other programs request comes before all else that the search would do.
"""

import contextlib
import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from search.errors import TrialbookError, TrialLost
from search.executors.executor import GO_ON, LAST_QUARTER, PAUSE, STOP, Executor, Verdict
from search.executors.silence import HANGS, Silence
from search.strategy import explain
from search.strategy.assessment import Limits
from search.strategy.strategy import Strategy
from search.study.requests import Inbox
from search.study.study import Study
from search.study.trial import Trial, TrialState, numbers
from search.trainers.messages import Entry, Score

SAME_FAILURES = 3  # in a row, with one cause: the fault is not in the configuration
NUMBERS = re.compile(r"[\d.]+(e[+-]\d+)?")
MAX_INFEASIBLE = 100  # draws in a row that the task rejects: its ranges hold hardly a configuration
LISTENING = 0.25  # seconds between two looks at the clock


class Watcher(Protocol):
    """Whoever is told what happens to trials."""

    def started(self, trial: Trial) -> None: ...
    def reported(self, trial: Trial) -> None: ...
    def paused(self, trial: Trial) -> None: ...
    def finished(self, trial: Trial) -> None: ...
    def requested(self, line: str) -> None: ...  # carried out or dropped: other trials may count than before


def search(
    study: Study,
    executor: Executor,
    limits: Limits | None = None,
    *,
    seconds: float = math.inf,
    watchers: Iterable[Watcher] = (),
    stopping: Callable[[], bool] = lambda: False,
    **fields: Any,
) -> Strategy:
    """Search until more promises too little, a limit is reached, or `stopping()`.

    Args:
        executor: where training runs.
        limits: how far the search goes; or its fields, by name.
        seconds: until the search ends, its confirmation included.

    Trials that still train then are interrupted, and retried when the study is resumed; those in their last
    quarter end first. Paused ones are pruned; after `stopping()` they wait, unless others share the study.
    Returns the strategy. Raises TrialbookError if trial after trial fails with one cause.
    """
    limits = replace(limits or Limits(**fields), jobs=executor.jobs)
    strategy, clock = Strategy(study), Clock(seconds, stopping)
    coordinator = Coordinator(strategy, executor, watchers, clock, limits)
    try:
        coordinator.take_requests(at_once=True)
        while not clock.is_over(coordinator):
            coordinator.take_requests()
            more = clock.why() is None
            while more and executor.free:
                trials = study.exclusive(coordinator.next_trials)
                coordinator.start(trials)
                more = bool(trials)
            if not more and not coordinator.running and not coordinator.is_asked_for_more():
                coordinator.give_up_paused()  # other coordinators may wait for the end of those
                if not study.trained_elsewhere():
                    break
            executor.listen(coordinator, min(LISTENING, max(0.0, clock.left())))
            coordinator.end_hanging()
            study.heartbeat()
        coordinator.take_requests(at_once=True)
    finally:
        coordinator.interrupt(clock.why() or "the search ended with an error")
    return strategy


def confirm(study: Study, executor: Executor, *, replicates: int, **options: Any) -> None:
    """Train the contenders of a study on fresh seeds, and draw no other configuration: see `search`."""
    search(study, executor, trials=0, replicates=replicates, **options)


class Clock:
    """Tells whether a search is over.

    Args:
        seconds: that it has.
        stopping: whether it is to stop at once.
    """

    def __init__(self, seconds: float = math.inf, stopping: Callable[[], bool] = lambda: False) -> None:
        self._deadline, self.stopping = time.monotonic() + seconds, stopping

    def left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self._deadline - time.monotonic()

    def why(self) -> str | None:
        """Why the search is over; None if it is not."""
        if self.stopping():
            return "the search was stopped"
        return "the time was over" if self.left() <= 0 else None

    def interrupts(self, trial: Trial) -> str | None:
        """Why a trial is interrupted; None if it trains on, as those do that have nearly ended."""
        reason = self.why()
        nearly = trial.epochs >= LAST_QUARTER * trial.config["epochs"]
        return None if reason and nearly and not self.stopping() else reason

    def is_over(self, coordinator: "Coordinator") -> bool:
        """Whether nothing trains on any more."""
        trials = (coordinator.study.trial(number) for number in coordinator.running)
        return self.why() is not None and all(map(self.interrupts, trials))


class Coordinator:
    """Carries each trial from ask to tell. It is a Listener: see `search.executors.executor`.

    Args:
        clock: tells whether the search is over.
        limits: how far the search goes.
    """

    def __init__(
        self,
        strategy: Strategy,
        executor: Executor,
        watchers: Iterable[Watcher],
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        self.strategy, self.study = strategy, strategy.study
        self.executor, self.watchers, self.clock = executor, watchers, clock
        self.limits = limits or Limits()
        self.inbox = Inbox(self.study, lambda line: self._say("requested", line))
        self.running: set[int] = set()
        self._together: dict[int, set[int]] = {}  # trial -> those that began side by side, itself included
        self._failures: list[tuple[str, dict[str, Any]]] = []  # in a row: the cause, and the hyperparameters
        self._works = False  # whether any trial came to its first rung, or to its end
        self._n_rejected = 0  # draws in a row
        self._silence = Silence()

    def take_requests(self, at_once: bool = False) -> None:
        """Carry out what other programs requested, but for trials: those start when a trainer is free."""
        self.inbox.look(at_once)
        for number in set(self.study.own_void()) - self.running:  # a trial that trains ends at its next epoch
            self.executor.drop(number)
            self._tell(number, TrialState.PRUNED, "it was made void while it waited")

    def is_asked_for_more(self) -> bool:
        """Whether another program requested a trial, for which there is time."""
        return self.clock.why() is None and self.inbox.look(at_once=True)

    def next_trials(self) -> list[Trial]:
        """Start or resume a requested trial, or else the strategy's choice: none, one or several at once."""
        if requested := self.inbox.next_trial(self.strategy.try_own):
            return [requested]
        return self.strategy.next_trials(self.limits, self.clock.left(), len(self.running))

    def start(self, trials: Sequence[Trial]) -> None:
        """Have trials trained side by side, or one trained on. Of one that has ended, only tell the watchers.

        Raises TrialbookError if draw after draw ends as it is drawn.
        """
        begun = [trial for trial in trials if self._begins(trial)]
        self.running |= {trial.number for trial in begun}
        if len(begun) > 1:
            configs = {trial.number: trial.config for trial in begun}
            self._together |= dict.fromkeys(configs, set(configs))
            self.executor.start_together(configs)
        elif begun:
            self.executor.start(begun[0].number, begun[0].config)
        for trial in begun:
            if not trial.curve:
                self._say("started", trial)

    def _begins(self, trial: Trial) -> bool:
        """Whether a trial is to be trained: it may have ended as it was drawn."""
        if trial.ended:
            self._say("finished", trial)
            self._n_rejected += 1
            if trial.state == TrialState.FAILED:
                self._count_failure(trial.number, trial.reason)
            if self._n_rejected >= MAX_INFEASIBLE:
                last = f"the last because of {trial.reason}"
                raise TrialbookError(f"{MAX_INFEASIBLE} draws in a row gave no configuration, {last}")
            return False
        self._n_rejected = 0
        return True

    def reported(self, number: int, entry: Entry) -> Verdict:
        """Take in an epoch. Returns GO_ON, PAUSE or STOP."""
        self._silence.heard(number, entry)
        if not self._open(number):
            return STOP
        if number in self.study.own_void():
            self._tell(number, TrialState.INTERRUPTED, "it was made void while it trained")
            return STOP
        if reason := self.clock.interrupts(self.study.trial(number)):
            self._tell(number, TrialState.INTERRUPTED, reason)
            return STOP
        if entry["epoch"] <= self.study.trial(number).epochs:
            return GO_ON  # trained again up to where it was, since its trainer had ended
        broken = [name for name, value in numbers(entry).items() if not math.isfinite(value)]
        if broken:
            cause = f"{' and '.join(broken)} not finite at epoch {entry['epoch']}"
            self._tell(number, TrialState.DIVERGED, cause + self._blame(number))
            return STOP
        try:
            pauses = self.strategy.report(number, entry)
        except TrialLost:
            self.running.discard(number)
            return STOP
        except ValueError as error:  # an epoch that could not be read again is not written
            self.failed(number, f"report: {error}")
            return STOP
        self._say("reported", self.study.trial(number))
        self._works |= pauses
        return self._pause(number) if pauses or number not in self.running else GO_ON

    def finished(self, number: int, score: Score) -> None:
        """Take in the score of a trial, and its standard error."""
        if not self._open(number):
            return
        if all(map(math.isfinite, score)):
            self._tell(number, TrialState.COMPLETED, "trained to the end", score)
        else:
            self._tell(number, TrialState.DIVERGED, "score not finite" + self._blame(number))

    def failed(self, number: int, cause: str) -> None:
        """Take in that a trial ended with an error, or its trainer did."""
        if not self._open(number):
            return
        self._tell(number, TrialState.FAILED, cause)
        self._count_failure(number, cause)

    def _count_failure(self, number: int, cause: str) -> None:
        """Raise TrialbookError if trial after trial fails with one cause.

        If any trial trains at all, those must be of different configurations.
        """
        alike = NUMBERS.sub("", cause)  # "score returned 0.5" and "score returned 0.25" are one cause
        params = self.study.trial(number).params
        if not (self._works and (alike, params) in self._failures):
            self._failures.append((alike, params))
        latest = [failure for failure, _ in self._failures[-SAME_FAILURES:]]
        if latest == [alike] * SAME_FAILURES:
            raise TrialbookError(f"{SAME_FAILURES} trials in a row failed with one cause: {cause}")

    def lost(self, number: int, cause: str) -> None:
        """Take in that a trainer was lost through no fault of its trial, which is interrupted and retried."""
        if self._open(number):
            self._tell(number, TrialState.INTERRUPTED, cause)
        if number in self._together:  # one of them may have ended the trainer: so each is retried alone
            self.strategy.measured(number, 1.0)

    def measured(self, number: int, gain: float) -> None:
        """Take in how many times as fast networks like that of a trial train together."""
        self.strategy.measured(number, gain)

    def end_hanging(self) -> None:
        """Give up trials that train in silence for far longer than an epoch takes."""
        for number in self._silence.hanging(self.running & self.executor.training, self.study.trial):
            self.executor.end(number)
            beside = self._together.get(number, {number}) & self.running
            if beside == {number}:  # else any of them may hang: all are lost, and retried
                self.failed(number, f"the trainer hung: no epoch in {HANGS} times as long as one takes")

    def interrupt(self, reason: str) -> None:
        """Close all trials that train, and those that are paused unless the next search may resume them."""
        for number in sorted(self.running):
            self._tell(number, TrialState.INTERRUPTED, reason)
        if self.study.is_shared or not self.clock.stopping():  # others wait for the end of all trials
            self.give_up_paused()

    def give_up_paused(self) -> None:
        """Close all paused trials, unless only requested ones are trained."""
        for number in [] if self.limits.requested_only else self.strategy.paused:
            self._give_up(number)

    def _open(self, number: int) -> bool:
        """Whether a trial trains or is paused: messages about other trials come too late."""
        return number in self.running or number in self.strategy.paused

    def _pause(self, number: int) -> Verdict:
        """Let a trial wait until it is its turn. If too many wait, give up the worst of them."""
        self.running.discard(number)
        try:
            self._say("paused", self.strategy.pause(number))
        except TrialLost:
            return STOP
        overflow = self.strategy.overflow()
        if overflow is not None:
            self._give_up(overflow)
        return STOP if overflow == number else PAUSE

    def _give_up(self, number: int) -> None:
        self.executor.drop(number)
        self._tell(number, TrialState.PRUNED, self.strategy.why_behind(number))

    def _blame(self, number: int) -> str:
        others = (each for each in self.study.trials() if each.number != number)
        return explain.why_diverged(self.study.trial(number), others, self.study.ranges())

    def _tell(
        self,
        number: int,
        state: TrialState,
        reason: str,
        score: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.running.discard(number)
        if state != TrialState.FAILED:
            self._failures.clear()
        with contextlib.suppress(TrialLost):
            self._say("finished", self.strategy.tell(number, state, reason, score))

    def _say(self, event: str, subject: Trial | str) -> None:
        for watcher in self.watchers:
            getattr(watcher, event)(subject)
