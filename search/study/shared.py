"""A study that several coordinators search: who is alive, whose turn it is, what the others did.

Each asks for trials while no other does, and after it has learned what all others wrote. So none is drawn
twice, and their number is exact. When a coordinator's lease runs out, another closes its trials, and they
are tried again.
"""

import contextlib
import math
import time
from collections.abc import Callable

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from search.storage import StudyStore
from search.storage.base import Lock, Result
from search.study.study import Study
from search.study.trial import Trial, active
from search.study.view import StudyDescription

HEARTBEAT = 10.0  # seconds between two signs of life to other coordinators


class SharedStudy(Study):
    """A study under a lock that other coordinators share."""

    def __init__(self, store: StudyStore, name: str, lock: Lock) -> None:
        self._is_exclusive = False
        self._remote: set[int] = set()  # trials of other coordinators that had not ended at the last refresh
        self._last_heartbeat = -math.inf
        self._membership = store.join(name)
        self.coordinator = self._membership.coordinator
        super().__init__(store, name, lock)
        self._membership.renew()
        self.exclusive(self._read_void_entries)  # when first read, another may have been starting a trial

    def exclusive(self, do: Callable[[], Result]) -> Result:
        """Return `do()`. No other coordinator asks for a trial meanwhile, and all that they wrote is known.

        If the connection is lost, `do` is called again: what it did halfway must do no harm. A trial that it
        had started is closed then.
        """
        before = set(self._own)

        def refresh_and_do() -> Result:
            for number in self._own.keys() - before:  # started in a lost section: `_refresh` closes them
                del self._own[number]
            try:
                self._refresh()
                return do()
            finally:
                self._is_exclusive = False

        return self._membership.exclusive(refresh_and_do)

    def heartbeat(self) -> None:
        if time.monotonic() < self._last_heartbeat + HEARTBEAT:
            return
        self._last_heartbeat = time.monotonic()
        self._membership.renew()
        self.exclusive(self._close_trials_of_dead)

    def trained_elsewhere(self) -> bool:
        return bool(self._unfinished_elsewhere())

    # Inside

    def _is_own(self, number: int) -> bool:
        return False  # another coordinator may end any trial

    def _close_trials_of_dead(self) -> None:
        """Close the trials of coordinators whose lease has run out."""
        alive = self._membership.alive()
        for trial in self._unfinished_elsewhere():
            if trial.coordinator not in alive:
                self._merge(self._closed(trial))

    def _unfinished_elsewhere(self) -> list[Trial]:
        """The trials that other coordinators train or let wait."""
        return [self.trial(number) for number in sorted(self._history.running - self._own.keys())]

    def _refresh(self) -> None:
        """Learn what other coordinators wrote."""
        n_known = self._history.n_known
        self._records.refresh()
        self._is_exclusive = True
        self.description = StudyDescription.from_record(self._attributes["about"])  # others add ranges
        if self._void != active(self.void_entries()):  # another coordinator made trials void
            self._read_void_entries()
            self.on_void()
        history = self._history
        new = {number for number in range(n_known, history.n_known) if number not in history.waiting}
        for number in history.ended.keys() & self._own.keys():
            self._release(number)
        # Among those that run may be some of its own, started in a section that was lost.
        changed = sorted((self._remote | new | history.running) - self._own.keys())
        trials = [self.trial(number) for number in changed]
        for trial in trials:
            self._merge(trial)
        for trial in trials:  # only then is anything written: if that fails, all that others wrote is known
            if not trial.ended and trial.coordinator in (None, self.coordinator):
                self._merge(self._closed(trial))  # nobody trains it: the section in which it began was lost

    def _closed(self, trial: Trial) -> Trial:
        """A trial, after it was closed in an exclusive section."""
        with contextlib.suppress(UpdateFinishedTrialError):  # its coordinator ended it just now
            self._close(trial)
        return self.trial(trial.number)

    def _merge(self, trial: Trial) -> None:
        """Take in how far a trial of another coordinator is."""
        if not trial.counts:
            self._storage.hidden.add(trial.number)
        if trial.ended:
            self._remote.discard(trial.number)
        else:
            self._remote.add(trial.number)
        self.on_change(trial)

    def _release(self, number: int) -> None:
        super()._release(number)
        self.on_change(self.trial(number))

    def _is_starting(self, frozen: FrozenTrial) -> bool:
        if self._is_exclusive:
            return False  # nobody is starting one, and one without a description is of a dead coordinator
        return not frozen.state.is_finished() and "about" not in frozen.user_attrs
