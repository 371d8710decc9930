"""A study and its log as they were read at one moment: its trials, and the runs that the log has of them."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search import tasks
from search.errors import NoWinner, StoreError
from search.primitives.text import one_line
from search.strategy import winner
from search.strategy.estimates.posterior import Posterior
from search.study.stored import StoredStudy
from search.study.trial import Trial
from search.tracking import TrackingStore, mapping
from search.tracking.client import PARENT, find_runs
from search.tracking.mapping import Numbers

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class StudyAndLog:
    """A study and its log, to be compared."""

    study: StoredStudy
    store: TrackingStore
    client: "MlflowClient | None"  # None if there is no log
    trials: Sequence[Trial]
    runs: "Mapping[int | str, Sequence[Run]]"  # by the trial that they name: a number, or an invalid text
    parents: "Sequence[Run]"  # the study's own runs: one, if all is well
    is_complete: bool  # whether the log was completed after the last that happened in the study
    estimates: Mapping[int, Numbers]  # of trials, as a complete log shows them
    winner: Mapping[int, Mapping[str, str]]  # the winner's trial -> the tag of its run

    @classmethod
    def read(cls, study: StoredStudy, store: TrackingStore, client: "MlflowClient | None") -> "StudyAndLog":
        """Read a study that nobody searches, and its log. Raises StoreError."""
        runs: defaultdict[int | str, list[Run]] = defaultdict(list)
        parents = []
        for run in _all_runs(study, client) if client else ():
            if run.data.tags.get("kind") == "study":
                parents.append(run)
            elif PARENT in run.data.tags:
                trial = run.data.tags.get("trial", "")
                runs[int(trial) if trial.isdecimal() else trial].append(run)
        is_complete = any(run.data.tags.get("concluded") == study.revision() for run in parents)
        trials = list(study.trials())
        if not is_complete or any(math.isinf(trial.score or 0.0) for trial in trials):
            return cls(study, store, client, trials, dict(runs), parents, False, {}, {})
        posterior = Posterior.of(study)
        estimates, best = mapping.estimates(posterior), _winner(study, posterior)
        return cls(study, store, client, trials, dict(runs), parents, True, estimates, best)

    def trial(self, number: object) -> Trial | None:
        """The trial of a number, if there is one."""
        return next((trial for trial in self.trials if trial.number == number), None)

    def runs_of(self, number: int) -> "Sequence[Run]":
        """The runs of a trial: one, if all is well."""
        return self.runs.get(number, ())

    def pairs(self) -> "Iterator[tuple[Trial, Run]]":
        """Each trial that ended and has one run, with that run."""
        for trial in self.trials:
            if trial.ended and len(runs := self.runs_of(trial.number)) == 1:
                yield trial, runs[0]

    def active_pairs(self) -> "Iterator[tuple[Trial, Run]]":
        """The same without runs that were deleted in the browser."""
        return (pair for pair in self.pairs() if pair[1].info.lifecycle_stage == "active")

    def history(self, run: "Run", name: str) -> list[tuple[int, float, int]]:
        """All values of a metric in the log: step, value and time in ms, sorted."""
        assert self.client is not None
        values = self.client.get_metric_history(run.info.run_id, name)
        return sorted((metric.step, metric.value, metric.timestamp) for metric in values)


def _winner(study: StoredStudy, posterior: Posterior) -> dict[int, dict[str, str]]:
    try:
        candidate = winner.choose(study, posterior)
    except NoWinner:
        return {}
    return {candidate.trial.number: mapping.winner_tag(candidate)}


def _all_runs(study: StoredStudy, client: "MlflowClient") -> "list[Run]":
    try:
        experiment = client.get_experiment_by_name(tasks.name_of(study.task))
        query = f"tags.study = '{study.name}'"
        return find_runs(client, experiment.experiment_id, query) if experiment else []
    except Exception as error:  # MLflow lets through whatever its database or its server raises
        raise StoreError(f"the log cannot be read: {one_line(error)}") from None
