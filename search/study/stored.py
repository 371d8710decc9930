"""A study in a store, which follows the records that others write."""

from collections.abc import Mapping
from typing import Any, Self

import optuna
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from search.errors import StoreError, unknown
from search.storage import StudyStore
from search.storage.base import RecordLog, check_name
from search.storage.optuna_storage import HeaderBackend, ReadOnlyBackend, StudyStorage
from search.study import schema
from search.study.history import History
from search.study.trial import Trial, VoidEntry, active, from_optuna
from search.study.view import StudyDescription, StudyView

DAMAGED = (
    KeyError,
    ValueError,
    AttributeError,
    TypeError,
    AssertionError,
    RecursionError,
)  # of Optuna and the schema, for damaged records

optuna.logging.set_verbosity(optuna.logging.WARNING)  # the display reports trials


class StoredStudy(StudyView):
    """A study in a store. Another process may be searching it.

    Args:
        store: where the study lives.
        name: the study's.
        records: its records; a backend that cannot write by default.

    Raises StoreError if the records are damaged.
    """

    def __init__(self, store: StudyStore, name: str, records: RecordLog | None = None) -> None:
        self.store = store
        backend = ReadOnlyBackend(store.open(name)) if records is None else records
        self._storage, self._optuna = load(store, name, backend)
        super().__init__(name, self._optuna.user_attrs)
        self._void: dict[int, VoidEntry] = {}
        self._read_void_entries()

    @classmethod
    def read(cls, store: StudyStore, name: str) -> Self:
        """Open an existing study to read it. Raises UsageError, StoreError."""
        require_existing(store, name)
        return cls(store, name)

    def trial(self, number: int) -> Trial:
        """One trial."""
        return self._known.ended.get(number) or self._as_trial(self._storage.get_trial(number))

    def trial_of(self, request: str) -> Trial | None:
        """The latest trial that a request asked for; None if none has started."""
        number = self._history.requested.get(request)
        return None if number is None else self.trial(number)

    def n_started(self) -> int:
        """Number of trials, excluding those to be retried."""
        history = self._history
        return history.n_finished + len(history.training)

    def tried(self) -> History:
        """All trials, in the orders in which a search asks for them."""
        return self._history

    def owns(self, number: int) -> bool:
        """Whether a trial is one of this process. To a reader all trials are of one."""
        return True

    # Inside

    @property
    def _attributes(self) -> Mapping[str, Any]:
        attributes: dict[str, Any] = self._optuna.user_attrs
        return attributes

    @property
    def _history(self) -> History:
        """All trials, after the new records are read."""
        history = self._known
        n_known = history.n_known
        again = sorted(history.waiting | {n for n in history.running if not self._is_own(n)})
        for frozen in [*map(self._storage.get_trial, again), *self._storage.since(n_known)]:
            if frozen.state == OptunaState.WAITING:
                history.waiting.add(frozen.number)
                continue
            if frozen.number >= n_known and self._is_starting(frozen):
                break
            started = frozen.number >= n_known or frozen.number in history.waiting
            if started or frozen.state.is_finished():
                history.add(self._as_trial(frozen))
        return history

    def _is_own(self, number: int) -> bool:
        """Whether this process alone can end a trial."""
        return False

    def _is_starting(self, frozen: FrozenTrial) -> bool:
        """Whether another coordinator has created a trial and not yet described it."""
        return False

    def _as_trial(self, frozen: FrozenTrial) -> Trial:
        return from_optuna(frozen, self._void.get(frozen.number))

    def _read_void_entries(self) -> None:
        """Let void trials count no longer, and restored ones again."""
        self._void = active(self.void_entries())
        self._known = History(self.sort_key)
        self._storage.hidden = {trial.number for trial in self.trials() if not trial.counts}


def require_existing(store: StudyStore, name: str) -> None:
    """Raise UsageError if a store has no study of this name."""
    check_name(name)
    if not store.exists(name):
        raise unknown("STUDY", name, store.names())


def first_description(store: StudyStore, name: str) -> StudyDescription:
    """The description of a study when it was created, without reading its trials.

    Its task, source and seed never change.
    """
    _, loaded = load(store, name, HeaderBackend(store.open(name)))
    return StudyDescription.from_record(loaded.user_attrs["about"])


def load(
    store: StudyStore, name: str, records: BaseJournalBackend | RecordLog
) -> tuple[StudyStorage, optuna.Study]:
    """A study's storage, and the study as Optuna has it. Raises StoreError, which names the way back."""
    try:
        return _loaded(store, name, records)
    except DAMAGED as error:
        damage = f"{store.where(name)} is damaged: {type(error).__name__} {error}"
        way_back = store.way_back(name, lambda copy: _is_whole(store, name, copy))
        raise StoreError(f"{damage}{way_back}") from None


def _loaded(
    store: StudyStore, name: str, records: BaseJournalBackend | RecordLog
) -> tuple[StudyStorage, optuna.Study]:
    storage = StudyStorage(records)
    held = [study.study_name for study in storage.get_all_studies()]
    if held and name not in held:
        raise StoreError(f"{store.where(name)} is a copy of study {held[0]!r}: its file has another name")
    loaded = optuna.load_study(study_name=name, storage=storage)
    trials = storage.every_trial(storage.get_study_id_from_name(name))
    schema.check(loaded.user_attrs, trials)
    return storage, loaded


def _is_whole(store: StudyStore, name: str, records: RecordLog) -> bool:
    """Whether a copy of a study's records can be read to its end."""
    try:
        _loaded(store, name, records)
    except (StoreError, *DAMAGED):
        return False
    return True
