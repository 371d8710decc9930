"""The thread that writes the log while a search runs, so that no search waits for a store.

A Trial never changes, so the thread keeps the latest state of each trial until it is written. After an error
it tries again, at longer and longer intervals. `Projection.bring_up_to_date` writes the rest in the end.
"""

import math
import threading
import time

from search.strategy.estimates.posterior import Posterior
from search.study.trial import Trial
from search.tracking.projection import Projection

ESTIMATES_SECONDS = 0.5  # for each run, between two writes of all estimates
UPDATE_SECONDS = 2.0  # between two writes of a curve that grows
FIRST_RETRY, LONGEST_RETRY = 1.0, 30.0  # seconds until what failed is tried again: doubled each time


class Background:
    """A watcher of a search (see `search.coordinator`) and a context manager: the thread ends with it.

    Args:
        projection: of the study. Nobody else may use it meanwhile.
    """

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._posterior = Posterior.of(projection.study)  # of what is written
        self._estimates_due = -math.inf
        self._waiting: dict[int, Trial] = {}  # number -> the latest Trial that is not written
        self._written: dict[int, float] = {}  # number -> when a trial that runs was written last
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)

    def started(self, trial: Trial) -> None:
        """Queue a trial to be written as it is now."""
        with self._changed:
            self._waiting[trial.number] = trial
            self._changed.notify()

    reported = paused = finished = started

    def requested(self, _line: str) -> None:
        """Estimate anew: other trials may count than before. The end of a search writes their runs."""
        self._posterior = Posterior.of(self._projection.study)

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the thread has written its current trial, but not if the projection is `overdue`."""
        with self._changed:
            self._over = True
            self._changed.notify()
        while self._thread.is_alive() and not self._projection.overdue():
            self._thread.join(0.1)

    def _write(self) -> None:
        """Write the queued trials until the search is over."""
        wait = 0.0
        while trial := self._next(wait):
            try:
                self._projection.write(trial)
                self._update_estimates(trial)
            except Exception:  # MLflow lets through whatever its database or its server raises
                wait = min(max(FIRST_RETRY, 2 * wait), LONGEST_RETRY)
                with self._changed:
                    self._waiting.setdefault(trial.number, trial)
            else:
                wait = 0.0
                self._written[trial.number] = time.monotonic()
                if trial.ended:
                    del self._written[trial.number]

    def _update_estimates(self, trial: Trial) -> None:
        """Learn from a trial. Every score moves all estimates: write them now and then.

        A study of many trials writes them seldom, so that they add few rows to the log.
        """
        self._posterior.observe(trial)
        if (trial.ended or trial.paused) and time.monotonic() >= self._estimates_due:
            n_runs = self._projection.write_estimates(self._posterior)
            self._estimates_due = time.monotonic() + ESTIMATES_SECONDS * n_runs

    def _next(self, wait: float) -> Trial | None:
        """Wait for the next trial to write. Returns None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._over, wait)
            while not self._over:
                number = min(self._waiting, key=self._due, default=None)
                left = None if number is None else self._due(number) - time.monotonic()
                if number is not None and left is not None and left <= 0:
                    return self._waiting.pop(number)
                self._changed.wait(left)
        return None

    def _due(self, number: int) -> float:
        """The time to write a queued trial: now, or a while after its previous write."""
        if self._waiting[number].ended:
            return -math.inf
        return self._written.get(number, -math.inf) + UPDATE_SECONDS
