"""The loop of a search: ask -> trainer -> report -> prune -> tell.

One process asks, judges and writes; trainers only train. Who wants to see what happens (the log,
the terminal) is a watcher, with `started(trial)`, `reported(trial)` and `finished(trial)`.
"""

import math
import time

from search.errors import TrialbookError
from search.trial import numbers

SAME_FAILURES = 3  # in a row, with one cause: the fault is not in the configuration
HEARING = 0.25  # seconds between two looks at the clock


def search(study, trainers, *, trials=math.inf, seconds=math.inf, watchers=(), stopping=lambda: False):
    """Search until the study has so many trials, the time is over or `stopping()` says so.

    Trials count in total, those of earlier searches too. What then still trains is closed as
    interrupted, and retried when the study is continued. Raises TrialbookError where trial after
    trial fails with one cause.
    """
    deadline = time.monotonic() + seconds

    def over():
        if stopping():
            return "the search was stopped"
        return "the time was over" if time.monotonic() >= deadline else None

    coordinator = Coordinator(study, trainers, watchers, over)
    try:
        while study.counted() < trials and not over():
            while trainers.free and study.counted() + len(coordinator.running) < trials:
                coordinator.ask()
            trainers.listen(coordinator, min(HEARING, max(0, deadline - time.monotonic())))
    finally:
        coordinator.interrupt(over() or "the search ended with an error")
        trainers.close()


class Coordinator:
    """Carries each trial from ask to tell. Trainers report to it: see `search.trainers`."""

    def __init__(self, study, trainers, watchers, over):
        self.study, self.trainers, self.watchers = study, trainers, watchers
        self.over = over  # () -> why the search is over, or None
        self.running = set()
        self._causes = []  # of the failures in a row

    def ask(self):
        """Begin a trial."""
        trial = self.study.ask()
        self.running.add(trial.number)
        self.trainers.start(trial.number, self.study.task.Config(**trial.config))
        for watcher in self.watchers:
            watcher.started(trial)

    def reported(self, number, entry):
        """A trainer finished an epoch. Returns whether it should go on."""
        if number not in self.running:
            return False
        if reason := self.over():
            self.interrupt(reason)
            return False
        broken = [name for name, value in numbers(entry).items() if not math.isfinite(value)]
        if broken:
            self._tell(number, "diverged", f"{' and '.join(broken)} not finite at epoch {entry['epoch']}")
            return False
        hopeless = self.study.report(number, entry)
        trial = self.study.trial(number)
        for watcher in self.watchers:
            watcher.reported(trial)
        if hopeless:
            self._tell(number, "pruned", hopeless)
        return not hopeless

    def finished(self, number, score):
        """A trainer finished a trial."""
        if number not in self.running:
            return
        if all(map(math.isfinite, score)):
            self._tell(number, "completed", "trained to the end", score)
        else:
            self._tell(number, "diverged", "score not finite")

    def failed(self, number, cause):
        """A trial ended with an error, or its trainer did."""
        if number not in self.running:
            return
        self._tell(number, "failed", cause)
        self._causes.append(cause)
        if self._causes[-SAME_FAILURES:] == [cause] * SAME_FAILURES:
            raise TrialbookError(f"{SAME_FAILURES} trials in a row failed with one cause: {cause}")

    def interrupt(self, reason):
        """Close all trials that run."""
        for number in sorted(self.running):
            self._tell(number, "interrupted", reason)

    def _tell(self, number, state, reason, score=(None, None)):
        self.running.discard(number)
        if state != "failed":
            self._causes.clear()
        trial = self.study.tell(number, state, reason, score)
        for watcher in self.watchers:
            watcher.finished(trial)
