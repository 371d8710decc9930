"""Optuna's storages over the records of one study, with trials that can be hidden from samplers."""

import contextlib
import itertools
import json
from collections.abc import Container, Iterable, Iterator
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from search.storage.base import Record, RecordLog

States = Container[TrialState] | None


class HeaderBackend(BaseJournalBackend):
    """A backend with only the first two records: that the study exists, and its description."""

    def __init__(self, records: RecordLog) -> None:
        self._records = records

    def read_logs(self, log_number_from: int) -> Iterable[Record]:
        return itertools.islice(self._records.read_logs(log_number_from), max(0, 2 - log_number_from))

    def append_logs(self, logs: list[Record]) -> None:
        raise NotImplementedError("a header is only read")


class ReadOnlyBackend(BaseJournalBackend):
    """A backend that refuses to write, so that readers cannot change a study."""

    def __init__(self, records: RecordLog) -> None:
        self._records = records

    def read_logs(self, log_number_from: int) -> Iterable[Record]:
        return self._records.read_logs(log_number_from)

    def append_logs(self, logs: list[Record]) -> None:
        raise NotImplementedError("this study was opened to be read")


class DraftBackend(BaseJournalBackend):
    """A backend whose records are nowhere yet: `records`."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def read_logs(self, log_number_from: int) -> Iterable[Record]:
        return self.records[log_number_from:]

    def append_logs(self, logs: list[Record]) -> None:
        self.records += json.loads(json.dumps(logs))


class FilteredStorage(BaseStorage):
    """A storage of one study without the trials in `hidden`, a set of numbers.

    No sampler, plot or page learns from them. The others keep their numbers.
    """

    def __init__(self, *arguments: Any) -> None:
        self.hidden: set[int] = set()
        super().__init__(*arguments)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: States = None
    ) -> list[FrozenTrial]:
        trials = super().get_all_trials(study_id, deepcopy, states)  # type: ignore[safe-super]
        return [trial for trial in trials if trial.number not in self.hidden]

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        return BaseStorage.get_best_trial(self, study_id)  # the best of those that are not hidden


class StudyStorage(FilteredStorage, JournalStorage):
    """Optuna's view of the records of one study. It holds no other, so a trial's id is its number."""

    _shown: list[FrozenTrial] | None = None

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: States = None
    ) -> list[FrozenTrial]:
        if self._shown is None:
            return super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in self._shown if states is None or trial.state in states]

    @contextlib.contextmanager
    def showing(self, trials: Iterable[FrozenTrial]) -> Iterator[None]:
        """Show these trials alone, as long as the context lasts."""
        self._shown = list(trials)
        try:
            yield
        finally:
            self._shown = None

    def every_trial(self, study_id: int) -> list[FrozenTrial]:
        """All trials by number, hidden ones too. They are no copies: only read them."""
        return JournalStorage.get_all_trials(self, study_id, deepcopy=False)

    def since(self, number: int) -> Iterator[FrozenTrial]:
        """Trials from this number on. They are no copies: only read them."""
        with contextlib.suppress(KeyError):
            while True:
                yield self.get_trial(number)
                number += 1


class MemoryStorage(FilteredStorage, InMemoryStorage):
    """A storage that ends with its process."""
