"""A study that this process may write: trials start, report and end, each in one record or two.

`search.study.opening` makes one. What to try next is up to `search.strategy`.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from search import tasks
from search.errors import TaskError, TrialLost
from search.primitives import redact
from search.storage import StudyStore
from search.storage.base import Lock, Result
from search.study import schema
from search.study.stored import StoredStudy
from search.study.trial import VOID_KEY, Action, Trial, TrialState, VoidEntry, now
from search.study.view import OPTUNA_STATES, StudyDescription, space_of
from search.tasks import isolation, provenance

Score = tuple[float | None, float | None]  # and its standard error


@dataclass(frozen=True)
class Proposal:
    """A trial that is to start."""

    sampler: BaseSampler
    training_seed: int
    draw: int | None = None  # which of the study's configurations this is
    retry_of: int | None = None
    replicate_of: int | None = None
    replicate: int | None = None
    enqueued: int | None = None  # the number of a trial that another program enqueued, and that starts now
    request: str | None = None  # the id of the request that asked for it
    levels: Mapping[int, float] = field(default_factory=dict)  # number -> level: what the sampler learns from
    others: Sequence[int] = ()  # numbers of trials that the sampler sees as they are
    explain: Callable[[optuna.Trial], str] = lambda trial: ""  # why it is tried, once it is drawn

    def as_record(self) -> dict[str, Any]:
        """The values that a trial stores of it."""
        if self.replicate_of is not None:
            return {"confirms": self.replicate_of, "repeat": self.replicate}
        asked = {"request": self.request} if self.request else {}
        return {"draw": self.draw, "retry_of": self.retry_of} | asked


class Study(StoredStudy):
    """A study whose lock this process holds. Closing it releases the lock."""

    def __init__(self, store: StudyStore, name: str, lock: Lock) -> None:
        self._lock = lock
        self._records = store.open(name)
        self._own: dict[int, optuna.Trial] = {}  # the trials that this process trains, by number
        self.device = "cpu"  # that trials train on from now on: see `search.tasks.device`
        self.fingerprint: dict[str, str] = {}  # of trials that start from now on
        self.notes: list[str] = []  # what the check of the task noticed, a line each
        self._provenance: dict[str, dict[str, Any]] = {}  # by device
        self.on_void: Callable[[], None] = lambda: None  # called when other trials count than before
        self.on_change: Callable[[Trial], None] = lambda trial: None  # called when another changed a trial
        super().__init__(store, name, self._records)

    def __enter__(self) -> "Study":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    # Several coordinators: see `search.study.shared`

    coordinator: str | None = None  # the name of this process among several coordinators

    @property
    def is_shared(self) -> bool:
        """Whether other coordinators may search the study too."""
        return self.coordinator is not None

    def exclusive(self, do: Callable[[], Result]) -> Result:
        """Return `do()`. Other coordinators ask for no trial meanwhile, and all that they wrote is known."""
        return do()

    def heartbeat(self) -> None:
        """Tell other coordinators that this one is alive, and close what dead ones trained."""

    def trained_elsewhere(self) -> bool:
        """Whether another coordinator has a trial that has not ended."""
        return False

    # A trial starts, reports and ends

    def start(self, proposal: Proposal) -> Trial:
        """Start a trial. Returns one that runs, or one that ended because its draw gave no configuration."""
        self._optuna.sampler = proposal.sampler
        with self._storage.showing(self._observations(proposal)):
            drawn_from = self._optuna.ask()
            with isolation.State("cpu"):  # the task's code runs here
                drawn = tasks.draw(self.task, drawn_from, proposal.training_seed)
                weights = None if drawn.state else self._count_weights(drawn.config)
        if proposal.replicate_of is not None:
            self._storage.hidden.add(drawn_from.number)
        about = proposal.as_record() | {
            "proposal": proposal.explain(drawn_from),
            "config": drawn.config,
            "weights": weights,
            "fingerprint": self.fingerprint,
            "provenance": self._provenance_of(self.device),
            **({"coordinator": self.coordinator} if self.coordinator else {}),
        }
        self._extend_ranges(drawn_from)
        self._write_trial(drawn_from, "about", about)
        self._own[drawn_from.number] = drawn_from
        if proposal.request:
            self._records.commit()  # the request is removed next, and nothing else keeps the configuration
        if drawn.state:
            return self.tell(drawn_from.number, TrialState(drawn.state), drawn.reason)
        return self.trial(drawn_from.number)

    def report(self, number: int, entry: dict[str, Any]) -> Trial:
        """Write an epoch of a running trial. Returns the trial.

        Raises TrialLost; ValueError if the epoch could not be read again.
        """
        with self._claimed(number) as running:
            self._write_trial(running, f"epoch {entry['epoch']}", entry)
            running.report(entry[self.description.score_name], entry["epoch"])
        return self.trial(number)

    def pause(self, number: int) -> Trial:
        """Let a running trial wait. Returns the trial. Raises TrialLost."""
        epochs = self.trial(number).epochs
        with self._claimed(number) as running:
            self._write_trial(running, "paused", epochs)
        return self.trial(number)

    def resume(self, number: int) -> Trial:
        """End the wait of a paused trial. Returns the trial. Raises TrialLost."""
        with self._claimed(number) as running:
            self._write_trial(running, "paused", None)
        return self.trial(number)

    def tell(self, number: int, state: TrialState, reason: str, score: Score = (None, None)) -> Trial:
        """End a trial for good, and commit that. Returns the trial. Raises TrialLost."""
        value, standard_error = score
        outcome = {"state": str(state), "reason": redact.redacted(reason), "standard_error": standard_error}
        with self._claimed(number) as running:
            self._write_trial(running, "outcome", outcome)
            self._optuna.tell(running, value, state=OPTUNA_STATES[state])
        self._records.commit()
        del self._own[number]
        return self.trial(number)

    def owns(self, number: int) -> bool:
        """Whether this process trains a trial, or lets it wait."""
        return number in self._own

    def own_void(self) -> list[int]:
        """The void trials that this process trains or lets wait."""
        return sorted(self._own.keys() & self._void.keys())

    # The study itself

    def set_budget(self, trials: int | None, seconds: float | None) -> None:
        """Write the limits of this search, and how many trials have started by now."""
        self._write_study("budget", {"trials": trials, "seconds": seconds, "begun": self.n_started()})

    def set_projected_revision(self, revision: str) -> None:
        """Write that the log shows this revision, so that a search with nothing to do need not ask it."""
        if revision != self.projected_revision():
            self._write_study("logged", revision)

    def void(
        self,
        action: Action,
        numbers: Sequence[int],
        reason: str,
        who: str | None = None,
        request: str | None = None,
    ) -> None:
        """Add an entry to the list of void trials, and commit it.

        Args:
            who: the person who asked for it; by default the user who runs this process.
            request: the id of the request, if there was one.
        """
        entry = VoidEntry.now(action, numbers, redact.redacted(reason), who, request)
        self._write_study(f"{VOID_KEY}{len(self.void_entries())}", entry.as_record())
        self._records.commit()
        self._read_void_entries()
        self.on_void()

    def add_test_evaluation(self, trial: Trial, score: tuple[float, float]) -> int:
        """Write an evaluation on the test data. Returns the number of evaluations so far."""
        evaluation = {"trial": trial.number, "score": score[0], "standard_error": score[1], "time": now()}
        evaluations = [*self.test_evaluations(), evaluation]
        self._write_study("looks", evaluations)
        self._records.commit()
        return len(evaluations)

    def describe(self, description: StudyDescription) -> None:
        """Write a changed description."""
        if description != self.description:
            self._write_study("about", self._attributes["about"] | description.as_record())
        self.description = description

    def close_unfinished(self) -> None:
        """End what a killed search left running. What it left paused stays so, unless it no longer counts."""
        for trial in list(self.trials()):
            if trial.state != TrialState.RUNNING:
                continue
            if trial.paused and trial.counts:
                self._own[trial.number] = optuna.trial.Trial(self._optuna, trial.number)
            else:
                self._close(trial)
        self._records.commit()

    # Inside

    def _close(self, trial: Trial) -> None:
        """End a trial of a killed search: as interrupted, or as pruned if it was paused."""
        if not trial.paused:
            self._optuna.tell(trial.number, state=OptunaState.FAIL)
            return
        reason = f"it was paused at epoch {trial.epochs} when its search was killed"
        outcome = {"state": "pruned", "reason": reason, "standard_error": None}
        self._storage.set_trial_user_attr(trial.number, "outcome", outcome)
        self._optuna.tell(trial.number, state=OptunaState.PRUNED)

    @contextlib.contextmanager
    def _claimed(self, number: int) -> Iterator[optuna.Trial]:
        """A trial that this process trains, as Optuna has it. Raises TrialLost if another has ended it."""
        if number not in self._own:
            raise TrialLost
        try:
            yield self._own[number]
        except UpdateFinishedTrialError:
            self._release(number)
            raise TrialLost from None

    def _release(self, number: int) -> None:
        """Give up a trial that another coordinator has ended."""
        del self._own[number]

    def _is_own(self, number: int) -> bool:
        return number in self._own

    def _observations(self, proposal: Proposal) -> Iterator[FrozenTrial]:
        """The trials that a sampler learns from, as Optuna has them.

        Each is completed with its level, or as it is; first the one that was enqueued.
        """
        if proposal.enqueued is not None:
            yield self._storage.get_trial(proposal.enqueued)
        sign = 1 if self._optuna.direction == optuna.study.StudyDirection.MAXIMIZE else -1
        for number in sorted({*proposal.levels, *proposal.others}):
            frozen = self._storage.get_trial(number)
            if number in proposal.levels:
                frozen = copy.copy(frozen)
                frozen.state, frozen.value = OptunaState.COMPLETE, sign * proposal.levels[number]
            yield frozen

    def _count_weights(self, config: dict[str, Any]) -> int | None:
        return tasks.count_weights(self.task, self.task.Config(**config))

    def _provenance_of(self, device: str) -> dict[str, Any]:
        if device not in self._provenance:
            self._provenance[device] = provenance.provenance(device)
        return self._provenance[device]

    def _extend_ranges(self, drawn: optuna.Trial) -> None:
        """Write ranges that no draw has shown before, as those of a rare branch of `space`."""
        known = self.ranges()
        try:
            ranges = tasks.union(known, drawn.distributions)
        except TaskError:  # of two kinds: the draw says so
            return
        if ranges != known:
            self.describe(StudyDescription(**self.description.as_record() | {"space": space_of(ranges)}))

    def _write_trial(self, trial: optuna.Trial, name: str, value: Any) -> None:
        """Give a trial an attribute. Raises ValueError if it could not be read again."""
        schema.check_trial(name, value, self.description.metric)
        trial.set_user_attr(name, value)

    def _write_study(self, name: str, value: Any) -> None:
        """Give the study an attribute. Raises ValueError if it could not be read again."""
        schema.check_study(name, value)
        self._optuna.set_user_attr(name, value)
