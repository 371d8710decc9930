"""The queries of a study: its description, its trials, its results. Nothing here writes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from search import tasks
from search.errors import NoWinner
from search.storage.optuna_storage import MemoryStorage
from search.study.history import History
from search.study.trial import Trial, TrialState, VoidEntry, void_entries

# Optuna's states by ours. Samplers learn from pruned trials, so trials without a score become those.
OPTUNA_STATES = {
    TrialState.RUNNING: OptunaState.RUNNING,
    TrialState.COMPLETED: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.DIVERGED: OptunaState.PRUNED,
    TrialState.INFEASIBLE: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
    TrialState.INTERRUPTED: OptunaState.FAIL,
}


@dataclass(frozen=True)
class StudyDescription:
    """The task, the data, the seed and the ranges of a study."""

    task: str
    source: str  # of data
    digest: str  # of the data
    seed: int  # from which all seeds of the study derive
    metric: str
    direction: Literal["minimize", "maximize"]
    space: dict[str, str]  # searched hyperparameter -> Optuna's text of its range

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "StudyDescription":
        """The description from its stored values; others among them are left out."""
        return cls(**{name: record[name] for name in cls.__dataclass_fields__})

    def as_record(self) -> dict[str, Any]:
        """The values as a study stores them."""
        return asdict(self)

    @property
    def sign(self) -> int:
        """The factor by which a higher score is a better one."""
        return 1 if self.direction == "maximize" else -1

    @property
    def score_name(self) -> str:
        """The name under which an epoch has the metric that compares trials."""
        return f"validation_{self.metric}"

    @cached_property
    def ranges(self) -> dict[str, BaseDistribution]:
        """The searched ranges: hyperparameter -> Optuna's distribution."""
        return {name: json_to_distribution(text) for name, text in self.space.items()}


def space_of(ranges: Mapping[str, BaseDistribution]) -> dict[str, str]:
    """Ranges as a study stores them: hyperparameter -> Optuna's text of its range."""
    return {name: distribution_to_json(each) for name, each in ranges.items()}


class StudyView:
    """The queries of a study.

    Args:
        name: the study's.
        attributes: those that the study stores, such as "about" and "budget".
        trials: all of them, by number.
    """

    def __init__(self, name: str, attributes: Mapping[str, Any], trials: Iterable[Trial] = ()) -> None:
        self.name = name
        self._stored: Mapping[str, Any] = attributes
        self.description = StudyDescription.from_record(attributes["about"])
        self.task = tasks.find(self.description.task)
        self._known = History(self.sort_key)
        for trial in trials:
            self._known.add(trial)

    @property
    def _attributes(self) -> Mapping[str, Any]:
        """The attributes of the study. A subclass may read them again."""
        return self._stored

    @property
    def _history(self) -> History:
        """All trials, up to date."""
        return self._known

    # The question

    @property
    def digest(self) -> str:
        """The digest of the data."""
        return self.description.digest

    @property
    def data_path(self) -> Path:
        """The file of data that trainers read."""
        path: Path = self.task.DATA.prepare(self.description.source)
        return path

    @property
    def sign(self) -> int:
        """The factor by which a higher score is a better one."""
        return self.description.sign

    def ranges(self) -> dict[str, BaseDistribution]:
        """The searched ranges: hyperparameter -> Optuna's distribution."""
        return self.description.ranges

    def budget(self) -> dict[str, Any]:
        """The limits of the latest search: see `Study.set_budget`."""
        return dict(self._attributes.get("budget", {}))

    # The trials

    def trials(self) -> Iterator[Trial]:
        """All trials by number, replicates and void ones too."""
        history = self._history
        for number in range(history.n_known):
            if number not in history.waiting:
                yield self.trial(number)

    def trial(self, number: int) -> Trial:
        """One trial."""
        return self._known.ended[number]

    def history(self) -> list[Trial]:
        """The trials that the search may learn from: see `Trial.counts`."""
        return [trial for trial in self.trials() if trial.counts]

    def n_finished(self) -> int:
        """Number of finished trials, excluding interrupted ones, which are retried."""
        return self._history.n_finished

    def completed(self) -> list[Trial]:
        """Trials that have a score and count, the best first."""
        return list(self._history.completed)

    def best(self) -> Trial:
        """The trial with the best single score. Raises NoWinner."""
        if not (completed := self.completed()):
            raise NoWinner(f"study {self.name!r} has no completed trial")
        return completed[0]

    def sort_key(self, trial: Trial) -> tuple[float, float, int]:
        """The order of completed trials: the better score first; of equals the smaller network."""
        assert trial.score is not None
        return -self.sign * trial.score, trial.size, trial.number

    def void_entries(self) -> list[VoidEntry]:
        """All entries about trials that do not count, or count again, in order."""
        return void_entries(self._attributes)

    def test_evaluations(self) -> list[dict[str, Any]]:
        """Each evaluation on the test data, in order: trial, score, standard_error, time."""
        return list(self._attributes.get("looks", []))

    def revision(self) -> str:
        """A text that changes whenever there is more to show in the log."""
        history = self._history
        epochs = sum(len(self.trial(number).curve) for number in history.running)
        return (
            f"{len(history.ended)} trials, {epochs} epochs of others, {len(self.void_entries())} crossings, "
            f"{len(self.test_evaluations())} looks"
        )

    def projected_revision(self) -> str | None:
        """The revision that the log showed when it was last complete."""
        revision: str | None = self._attributes.get("logged")
        return revision

    # As a study of Optuna's

    def for_plots(self) -> optuna.Study:
        """The trials that ended and count as a study of Optuna's, in memory, for its plots.

        Each keeps its number: the numbers of the others are taken by trials that never started.
        """
        plain = optuna.create_study(direction=self.description.direction)
        for trial in self.trials():
            shown = trial.counts and trial.ended
            plain.add_trial(self._as_optuna(trial) if shown else create_trial(state=OptunaState.WAITING))
        return plain

    def optuna_copy(
        self, attributes: Callable[[Trial], dict[str, Any]]
    ) -> tuple[optuna.Study, MemoryStorage]:
        """The study as one of Optuna's, in memory. Trials that do not count are hidden.

        Args:
            attributes: gives the user attributes of each trial.
        """
        storage = MemoryStorage()
        plain = optuna.create_study(
            storage=storage, study_name=self.name, direction=self.description.direction
        )
        for number in range(self._history.n_known):
            trial = None if number in self._history.waiting else self.trial(number)
            if trial and trial.counts and trial.ended:
                frozen = self._as_optuna(trial)
                frozen.user_attrs = attributes(trial)
            else:
                frozen = create_trial(state=OptunaState.WAITING)
                storage.hidden.add(number)
            plain.add_trial(frozen)
        return plain, storage

    def _as_optuna(self, trial: Trial) -> FrozenTrial:
        """A trial as Optuna has it, without the attributes that only Trialbook reads."""
        ranges = self.ranges()
        frozen = create_trial(
            state=OPTUNA_STATES[trial.state],
            value=trial.score,
            params=trial.params,
            distributions={name: ranges[name] for name in trial.params},
            intermediate_values={entry["epoch"]: entry[self.description.score_name] for entry in trial.curve},
        )
        frozen.datetime_start, frozen.datetime_complete = trial.started, trial.ended
        return frozen
