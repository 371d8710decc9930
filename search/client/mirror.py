"""A copy of a search's study that follows it, for the display in a terminal."""

import json
from collections.abc import Iterable
from typing import Protocol

from search.client.client import Run
from search.storage.base import Record
from search.storage.memory import MemoryRecords, MemoryStore
from search.study.stored import StoredStudy
from search.study.trial import Trial, number_ranges


class Watcher(Protocol):
    """What is told of each change: see `search.coordinator`."""

    def started(self, trial: Trial) -> object: ...
    def reported(self, trial: Trial) -> object: ...
    def paused(self, trial: Trial) -> object: ...
    def finished(self, trial: Trial) -> object: ...
    def requested(self, line: str) -> object: ...


class CopiedStudy(StoredStudy):
    """A study in the memory of this process, to which records are added."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self._log: MemoryRecords = store.open(name)
        super().__init__(store, name, self._log)

    def append(self, records: list[Record]) -> list[str]:
        """Take in further records. Returns a line for each void entry among them."""
        n_before = len(self.void_entries())
        self._log.append_logs(records)
        entries = self.void_entries()[n_before:]
        if entries:
            self._read_void_entries()
        return [
            f"trials {number_ranges(entry.trials)} "
            f"{'count again' if entry.action == 'restore' else f'are {entry.action}'}: {entry.reason}"
            for entry in entries
        ]


class Mirror:
    """A copy of the study of a search.

    Args:
        run: the search.
    """

    def __init__(self, run: Run) -> None:
        self.study: CopiedStudy | None = None  # as long as the search has none
        self.n_records = 0
        self._run, self._store = run, MemoryStore()
        self.watcher: Watcher | None = None  # who is told of changes
        self._told: dict[int, Trial] = {}  # each trial as the watcher knows it

    def follow(self, watcher: Watcher) -> None:
        """Tell a watcher of each change from now on; of trials that have ended, it knows already."""
        assert self.study is not None
        self.watcher = watcher
        trials = list(self.study.trials())
        self._told = {trial.number: trial for trial in trials if trial.ended}
        self._tell(trial.number for trial in trials)

    def refresh(self) -> None:
        """Copy what was written since, and tell of it. Raises TrialbookError."""
        records = [json.loads(line) for line in self._run.records(self.n_records).splitlines()]
        self.n_records += len(records)
        if not records:
            return
        if self.study is None:
            name = self._run.detail.study
            self._store.create(name, records)
            self.study = CopiedStudy(self._store, name)
            return
        lines = self.study.append(records)
        self._tell(sorted({record["trial_id"] for record in records if "trial_id" in record}))
        for line in lines:
            if self.watcher is not None:
                self.watcher.requested(line)

    def _tell(self, numbers: Iterable[int]) -> None:
        """Tell the watcher how these trials changed."""
        if self.study is None or self.watcher is None:
            return
        waiting = self.study.tried().waiting
        for number in numbers:
            if number in waiting:
                continue
            trial = self.study.trial(number)
            if trial.config:  # else its description comes next
                _tell(self.watcher, self._told.get(number), trial)
                self._told[number] = trial


def _tell(watcher: Watcher, before: Trial | None, now: Trial) -> None:
    """Tell how a trial changed since `before`."""
    if before is None:
        watcher.started(now)
    if now.ended:
        if before is None or not before.ended:
            watcher.finished(now)
    elif now.paused:
        if before is None or not before.paused:
            watcher.paused(now)
    elif now.epochs and (before is None or before.paused or now.epochs > before.epochs):
        watcher.reported(now)
