"""Write a study to the log: one experiment a task, one parent run a study, one child run a trial.

The study alone is enough to complete the log, or to write it again after it was deleted.
"""

import itertools
import json
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlflow.entities import RunTag

from search import tasks
from search.errors import NoWinner
from search.primitives.text import one_line
from search.strategy import winner
from search.strategy.estimates.posterior import Posterior
from search.study.study import Study
from search.study.trial import Trial
from search.tracking import descriptions, mapping
from search.tracking.client import PARENT, TrackingStore, find_runs, set_aside
from search.tracking.writers import TAG_LETTERS, log_batches

if TYPE_CHECKING:
    from mlflow.entities import Run

EXPERIMENT_TAG_LETTERS = 5000  # that any MLflow keeps
RUNS_AT_ONCE = 100  # whose estimates are written in one transaction; then it may be time to stop
VIEW = "mlflow.sharedViewState."  # and a name: a view of an experiment's runs that MLflow opens by it

Files = Callable[[Study], dict[str, str]]  # of a study: file name -> text


class Projection:
    """The log of one study, which this process must hold. `background` uses it while the study is searched.

    Args:
        study: a Study that is held.
        store: where the log lies.
        files: makes the files that the log keeps beside the study's run, such as its report.
        overdue: returns whether to stop, and leave the rest to a later command.
    """

    def __init__(
        self,
        study: Study,
        store: TrackingStore,
        files: Files,
        overdue: Callable[[], bool] = lambda: False,
    ) -> None:
        self.study, self.store, self.overdue = study, store, overdue
        self.behind: str | None = None  # why the log is incomplete, after `bring_up_to_date`
        self._files = files
        # The trials that exist before this process starts more; unknown if others start some too.
        self._known = math.inf if study.is_shared else sum(1 for _ in study.trials())
        self._is_open = False

    def write(self, trial: Trial) -> None:
        """Write the parts of a trial that the log lacks. After an error, nothing is written twice."""
        try:
            if not self._is_open:
                self._open()
            if trial.number not in self._runs:
                self._create(trial)
            self._revive(self._runs[trial.number])
            self._write_texts(trial)
            self._write_run(trial)
        except Exception:
            self._is_open = False  # the runs are read again
            raise

    def write_estimates(self, posterior: Posterior) -> int:
        """Write the estimates of trials where the log shows others. Returns the number of trials' runs."""
        try:
            self._write_estimates(posterior, lambda: None)
        except Exception:
            self._is_open = False  # the runs are read again
            raise
        return len(self._runs)

    def bring_up_to_date(self) -> None:
        """Write the parts that the log lacks of ended trials, and of the study's own run."""
        self.behind = None
        try:
            self.study.exclusive(self._complete)
        except Exception as error:  # MLflow lets through whatever its database or its server raises
            self.behind = one_line(error)

    def page(self) -> str:
        """The address of the study's trials within MLflow's pages."""
        return descriptions.page(self._experiment, self.study.name)

    # The existing runs

    def _open(self) -> None:
        """Find or make the experiment and the study's run, and find the runs of its trials."""
        self._client = self.store.connect()
        self._experiment = self.store.open_experiment(self._client, tasks.name_of(self.study.task))
        self._writer = self.store.writer(self._client, self._experiment)
        runs = find_runs(self._client, self._experiment, f"tags.study = '{self.study.name}'")
        runs.sort(key=lambda run: (run.info.lifecycle_stage != "active", run.info.run_id))
        self._deleted = {run.info.run_id for run in runs if run.info.lifecycle_stage != "active"}
        own = [run for run in runs if run.data.tags.get("kind") == "study"]
        for extra in own[1:]:  # of two coordinators that began at once
            set_aside(self._client, extra, "kind")
        self.parent = own[0].info.run_id if own else self._create_parent()
        self._concluded = own[0].data.tags.get("concluded") if own else None
        self._runs: dict[int, str] = {}  # trial number -> run id
        self._shown: dict[int, dict[str, str]] = {}  # trial number -> the tags of its run
        self._estimates: dict[int, mapping.Numbers] = {}  # trial number -> the estimate that its run shows
        self._epochs: dict[int, int] = {}  # trial number -> epochs of its curve that are known to be written
        for run in runs:
            if PARENT in run.data.tags and run.data.tags.get("trial", "").isdecimal():
                self._adopt(run)
        self._known = math.inf
        self._is_open = True

    def _adopt(self, run: "Run") -> None:
        """Use a run for its trial, or set it aside: its trial may have another run, or be lost."""
        number = int(run.data.tags["trial"])
        of_another = run.data.tags[PARENT] != self.parent
        if of_another or number in self._runs or number >= self._known:
            set_aside(self._client, run)
        else:
            self._runs[number], self._shown[number] = run.info.run_id, run.data.tags
            self._estimates[number] = run.data.metrics

    def _revive(self, run_id: str) -> None:
        """Restore a run that was deleted in the browser, to write to it."""
        if run_id in self._deleted:
            self._client.restore_run(run_id)
            self._deleted.discard(run_id)

    def _create_parent(self) -> str:
        tags = mapping.tags_of_study(self.study.name, self.study.description)
        run = self._client.create_run(self._experiment, run_name=self.study.name, tags=tags)
        run_id: str = run.info.run_id
        ranges = mapping.as_run_tags(mapping.tags_of_ranges(self.study.ranges()))
        log_batches(self._client, run_id, tags=ranges)
        return run_id

    # A trial

    def _create(self, trial: Trial) -> None:
        """Make the run of a trial."""
        name = mapping.name_of(trial)
        tags = mapping.beginning(trial, self.study.name, self.study.description, self.parent)
        self._runs[trial.number] = self._writer.begin(name, mapping.ms(trial.started), tags)
        self._shown[trial.number] = {**tags, mapping.NAME: name}

    def _write_texts(self, trial: Trial) -> None:
        """Write the new texts of a trial's curve, as artifacts."""
        for entry in trial.curve[self._epochs.get(trial.number, 0) :]:
            for path, text in mapping.texts_of(entry):
                self._client.log_text(self._runs[trial.number], text, path)

    def _write_run(self, trial: Trial) -> None:
        """Write the new epochs of a trial, and its end if it ended."""
        run_id, known = self._runs[trial.number], self._epochs.get(trial.number)
        metrics = [metric for entry in trial.curve[known or 0 :] for metric in mapping.metrics_of(entry)]
        params = mapping.params_of(trial) if known is None else []  # they never change
        if trial.ended is None:
            self._writer.add(run_id, metrics, params)
        else:
            ended, new = mapping.ms(trial.ended), mapping.ending(trial).items()
            metrics += mapping.as_metrics(mapping.summary(trial, self.study.description), ended)
            # MLflow is slow to write a run's name: not again where it is the same.
            tags = [RunTag(*tag) for tag in new - self._shown[trial.number].items()]
            self._writer.end(run_id, metrics, params, tags, mapping.status_of(trial), ended)
        self._epochs[trial.number] = len(trial.curve)

    # All trials

    def _write_estimates(self, posterior: Posterior, check: Callable[[], None]) -> None:
        """Write the estimates that changed. A run that was deleted in the browser stays deleted.

        `check` is called between two transactions, and may raise.
        """
        estimates, now, changed = mapping.estimates(posterior), int(time.time() * 1000), {}
        for number, run_id in self._runs.items():
            values = mapping.differing(self._estimates.get(number, {}), estimates.get(number, {}))
            if values and run_id not in self._deleted:
                changed[number] = values
        numbers = iter(changed)
        while some := list(itertools.islice(numbers, RUNS_AT_ONCE)):
            check()
            metrics = {self._runs[number]: mapping.as_metrics(changed[number], now) for number in some}
            self._writer.add_each(metrics)
            for number in some:
                self._estimates[number] = {**self._estimates.get(number, {}), **changed[number]}

    def _mark_winner(self, candidate: winner.Candidate | None) -> None:
        """Write the winner's tag to its run, and remove it from a former winner's."""
        number, tags = (candidate.trial.number, mapping.winner_tag(candidate)) if candidate else (None, {})
        for former, shown in self._shown.items():
            if mapping.WINNER in shown and former != number and self._runs[former] not in self._deleted:
                self._client.delete_tag(self._runs[former], mapping.WINNER)
                del shown[mapping.WINNER]
        if number is not None and self._runs[number] not in self._deleted:
            log_batches(self._client, self._runs[number], tags=mapping.as_run_tags(tags))

    # The study

    def _complete(self) -> None:
        for step in self._open, self._mend, self._conclude:
            self._must_be_in_time()
            step()

    def _must_be_in_time(self) -> None:
        if self.overdue():
            raise TimeoutError("there was no time to write all of it")

    def _mend(self) -> None:
        """Write the ended trials that the log does not show as they ended."""
        for trial in self.study.trials():
            shown = self._shown.get(trial.number, {})
            if trial.state == "running" or mapping.ending(trial).items() <= shown.items():
                continue
            self._must_be_in_time()
            self.write(trial)

    def _conclude(self) -> None:
        """Write all estimates, and the study's own run: budget, winner, numbers and files."""
        study, known, posterior = self.study, self.study.revision(), Posterior.of(self.study)
        self._write_estimates(posterior, self._must_be_in_time)
        if known == self._concluded:
            study.set_projected_revision(known)
            return
        self._revive(self.parent)
        self._describe_experiment()
        for candidate in winner.candidates(study, posterior):
            if candidate.confirmed:
                self._write_confirmation(candidate)
        tags, values = self._conclusion(posterior)
        now = int(time.time() * 1000)
        self._client.set_terminated(self.parent, "FINISHED", now)
        metrics = mapping.as_metrics(values, now)
        log_batches(self._client, self.parent, metrics, tags=mapping.as_run_tags(tags))
        self._write_files()
        self._client.set_tag(self.parent, "concluded", known)
        self.store.analyze()
        study.set_projected_revision(known)  # last: a search with nothing to do does not open the log again

    def _conclusion(self, posterior: Posterior) -> tuple[dict[str, str], mapping.Numbers]:
        """The tags and the numbers of the study's own run. Marks the winner's run."""
        study = self.study
        tags = {"budget": json.dumps(study.budget())}
        values: mapping.Numbers = {"trials": study.n_finished()}
        try:
            candidate = winner.choose(study, posterior)
            self._mark_winner(candidate)
            tags[mapping.WINNER], numbers = mapping.winner_of(candidate, study.description)
            values |= numbers
        except NoWinner as reason:
            self._mark_winner(None)
            tags[mapping.WINNER] = str(reason)
        text = descriptions.of_study(study, self.page(), posterior)
        tags |= mapping.note(self._client.get_run(self.parent).data.tags, text, TAG_LETTERS)
        for number, evaluation in enumerate(study.test_evaluations(), 1):
            tags[f"look {number} at the test data"] = json.dumps(evaluation)  # the name in older logs
        return mapping.as_tags(tags), values

    def _describe_experiment(self) -> None:
        """Write the description of the experiment, and the view of its runs."""
        with self.store.exclusive():
            known = self._client.get_experiment(self._experiment).tags
            tags = {f"{VIEW}{self.study.name}": descriptions.view(self.study)}
            tags |= mapping.note(known, descriptions.of_task(self.study.task), EXPERIMENT_TAG_LETTERS)
            for name, text in tags.items():
                if known.get(name) != text:
                    self._client.set_experiment_tag(self._experiment, name, text)

    def _write_files(self) -> None:
        for name, text in self._files(self.study).items():
            self._client.log_text(self.parent, text, name)

    def _write_confirmation(self, candidate: winner.Candidate) -> None:
        """Write the result of the replicates to the run of the first trial."""
        number = candidate.trial.number
        if self._runs[number] in self._deleted:
            return
        last = max(
            trial.ended for trial in self.study.trials() if trial.replicate_of == number and trial.ended
        )
        metrics, tags = mapping.confirmation(candidate, self.study.description, last)
        log_batches(self._client, self._runs[number], metrics, tags=tags)
