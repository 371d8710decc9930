"""The log: every trial as an MLflow run. A projection of the study, which stays the truth.

One experiment a task, one parent run a study, one child run a trial. What is written of a trial
is a function of the `Trial`, and writing it again changes nothing; so the log can be brought up to
date from the studies alone, whatever it missed and wherever it was deleted.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import math
import os
import sqlite3
import time
from contextlib import closing

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # it would make a run twice: `Log` tries again

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType

from search import artifact_locations, log_names, notes, paths, rows, tasks
from search.errors import NoWinner, StoreError
from search.strategy import winner
from search.strategy.describe import score_line
from search.study.trial import numbers
from search.tasks.provenance import commit_of
from search.text import one_line

STATUS = {
    "running": "RUNNING",
    "completed": "FINISHED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
}
NOTE = "mlflow.note.content"  # the description on MLflow's pages, which a person may change there
NOTE_DIGEST = "note_digest"  # of the one that was written here last
EXPERIMENT_TAG = 5000  # letters of a tag of an experiment that any MLflow keeps
VIEW = "mlflow.sharedViewState."  # and a name: a view of an experiment's runs that MLflow opens by it


def connect():
    """A client of the store in the root, or of the one that MLFLOW_TRACKING_URI names."""
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return MlflowClient(uri)
    with _alone():  # a fresh database must be made by one process
        if paths.mlflow_database().exists():
            with closing(sqlite3.connect(paths.mlflow_database())) as database:
                database.execute(
                    "PRAGMA schema_version"
                )  # MLflow would try for a minute to open what is none
        return MlflowClient(paths.store_uri(paths.mlflow_database()))


@contextlib.contextmanager
def _alone():
    """Meanwhile no other process of this home does what MLflow cannot do twice at once."""
    paths.artifacts().mkdir(parents=True, exist_ok=True)
    with open(paths.artifacts() / "mlflow.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def reader():
    """A client to look at the log with, which cannot change what is in the root; None where there is no log.

    Raises StoreError.
    """
    try:
        if not is_local():
            return connect()
        return reader_of(paths.mlflow_database()) if paths.mlflow_database().exists() else None
    except Exception as error:  # MLflow lets through whatever its database or its server raises
        raise StoreError(f"the log cannot be read: {one_line(error)}") from None


def reader_of(database):
    """A client of a database of MLflow's that can be read only."""
    return MlflowClient(paths.read_only_store_uri(database))


def is_local():
    """Whether the log is the store in the root."""
    return not os.environ.get("MLFLOW_TRACKING_URI")


class Log:
    """The log of one study, which this process must hold. While it is searched, `search.live` uses this.

    Args:
        study: a Study that is held.
        overdue: () -> whether what can be written later is to be left.
    """

    def __init__(self, study, overdue=lambda: False):
        self.study = study
        self.overdue = overdue
        self.behind = None  # why the log is incomplete, where `bring_up_to_date` could not mend it
        # Trials, before more are begun: by this process alone, or nobody knows.
        self._known = math.inf if study.is_shared else sum(1 for _ in study.trials())
        self._is_open = False

    def show(self, trial):
        """Write what the log lacks of a trial. Raises whatever the store does; nothing is made twice then."""
        try:
            if not self._is_open:
                self._open()
            if trial.number not in self._runs:
                self._create(trial)
            self._write(trial)
        except Exception:
            self._is_open = False  # what is there is found out again
            raise

    def bring_up_to_date(self):
        """Write what the log lacks of trials that have ended, and of the study's own run."""
        self.behind = None
        try:
            self.study.exclusive(self._complete)
        except Exception as error:  # MLflow lets through whatever its database or its server raises
            self.behind = one_line(error)

    def page(self):
        """The address of the study's trials within MLflow's pages."""
        return notes.page(self._experiment, self.study.name)

    # Inside

    def _complete(self):
        for step in self._open, self._mend, self._conclude:
            self._must_be_in_time()
            step()

    def _must_be_in_time(self):
        if self.overdue():
            raise TimeoutError("there was no time to write all of it")

    def _open(self):
        """Find or make the experiment and the study's run, and find the runs of its trials."""
        self._client = connect()
        if is_local():
            artifact_locations.relocate(paths.mlflow_database())
        self._experiment = self._open_experiment(tasks.name_of(self.study.task))
        database = paths.mlflow_database() if is_local() else None
        self._writer = rows.writer(self._client, self._experiment, database)
        runs = find_runs(self._client, self._experiment, f"tags.study = '{self.study.name}'")
        runs.sort(key=lambda run: (run.info.lifecycle_stage != "active", run.info.run_id))
        self._deleted = {run.info.run_id for run in runs if run.info.lifecycle_stage != "active"}
        own = [run for run in runs if run.data.tags.get("kind") == "study"]
        for extra in own[1:]:  # of two coordinators that began at once
            set_aside(self._client, extra, "kind")
        self.parent = own[0].info.run_id if own else self._create_parent(self.study.description)
        self._concluded = own[0].data.tags.get("concluded") if own else None
        self._runs = {}  # trial number -> run id
        self._shown = {}  # trial number -> the tags of its run
        self._epochs = {}  # trial number -> epochs of its curve that are known to be written
        for run in runs:
            if "mlflow.parentRunId" in run.data.tags and run.data.tags.get("trial", "").isdecimal():
                self._take(run)
        self._known = math.inf
        self._is_open = True

    def _take(self, run):
        """Take a run for that of its trial; or set it aside, if that has one or a machine lost the trial."""
        number = int(run.data.tags["trial"])
        of_another = run.data.tags["mlflow.parentRunId"] != self.parent
        if of_another or number in self._runs or number >= self._known:
            set_aside(self._client, run)
        else:
            self._runs[number], self._shown[number] = run.info.run_id, run.data.tags

    def _revive(self, run_id):
        """Restore a run that was deleted in the browser: there is more to be written of it."""
        if run_id in self._deleted:
            self._client.restore_run(run_id)
            self._deleted.discard(run_id)

    def _open_experiment(self, name):
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            location = paths.artifact_location(paths.artifacts() / name) if is_local() else None
            tags = {"mlflow.experimentKind": "custom_model_development"}  # the pages that suit it
            return self._client.create_experiment(name, artifact_location=location, tags=tags)
        if experiment.lifecycle_stage == "deleted":
            self._client.restore_experiment(experiment.experiment_id)
        return experiment.experiment_id

    def _create_parent(self, about):
        tags = {
            "kind": "study",
            "study": self.study.name,
            "data": about.source,
            "data_digest": about.digest,
            "seed": str(about.seed),
            "metric": about.metric,
            "direction": about.direction,
        }
        run = self._client.create_run(self._experiment, run_name=self.study.name, tags=tags_of(tags))
        ranges = self.study.ranges()
        names = log_names.param_names(tuple(ranges))
        spaces = {f"space.{names[name]}": tasks.describe(range_) for name, range_ in ranges.items()}
        rows.set_tags(self._client, run.info.run_id, tags_of(spaces))
        return run.info.run_id

    def _create(self, trial):
        """Make the run of a trial."""
        where = trial.provenance
        tags = {
            "kind": "trial",
            "study": self.study.name,
            "mlflow.parentRunId": self.parent,
            "trial": str(trial.number),
            "draw": str(trial.draw),
            "state": "running",
            "why tried": trial.proposal,
            "data": self.study.description.source,
            "data_digest": self.study.description.digest,
            **{f"fingerprint.{what}": digest for what, digest in trial.fingerprint.items()},
            "commit": commit_of({**where, "dirty": False}),
            "dirty": str(where.get("dirty", "unknown")),
            "packages": json.dumps(where.get("packages")),
            "machine": json.dumps(where.get("machine")),
            "threads": str(where.get("machine", {}).get("threads")),
        }
        if trial.retry_of is not None:
            tags["retry of"] = str(trial.retry_of)
        if trial.replicate_of is not None:
            tags |= {"kind": "repeat", "repeats": str(trial.replicate_of), "repeat": str(trial.replicate)}
        started, tags = int(trial.started.timestamp() * 1000), tags_of(tags)
        self._runs[trial.number] = self._writer.begin(name_of(trial), started, tags, params_of(trial))
        self._shown[trial.number] = {**tags, "mlflow.runName": name_of(trial)}

    def _write(self, trial):
        """Write what is new in a trial's curve, and how it ended where it did."""
        run_id, known = self._runs[trial.number], self._epochs.get(trial.number, 0)
        self._revive(run_id)
        for entry in trial.curve[known:]:
            names = log_names.metric_names(entry)
            for name in entry.keys() - numbers(entry).keys():
                text = log_names.log_text(entry[name], len(entry[name]))
                self._client.log_text(run_id, text, f"{names[name]}/epoch-{entry['epoch']:04}.txt")
        metrics = [metric for entry in trial.curve[known:] for metric in metrics_of(entry)]
        if trial.state == "running":
            self._writer.add(run_id, metrics)
        else:
            ended, new = int(trial.ended.timestamp() * 1000), ending(trial).items()
            metrics += [
                Metric(name, value, ended, 0)
                for name, value in summary(trial, self.study.description).items()
            ]
            # MLflow is slow to write a run's name: not again where it is the same.
            tags = [RunTag(*tag) for tag in new - self._shown[trial.number].items()]
            status = STATUS.get(trial.state, "FAILED")
            self._writer.end(run_id, metrics, params_of(trial), tags, status, ended)
        self._epochs[trial.number] = len(trial.curve)

    def _mend(self):
        """Write the trials that have ended and that the log does not show as they ended."""
        for trial in self.study.trials():
            shown = self._shown.get(trial.number, {})
            if trial.state == "running" or ending(trial).items() <= shown.items():
                continue
            self._must_be_in_time()
            self.show(trial)

    def _conclude(self):
        """Write the study's own run: budget, winner, numbers, the table of trials and the report."""
        study, known = self.study, self.study.revision()
        if known == self._concluded:
            study.set_projected_revision(known)
            return
        self._revive(self.parent)
        tags, metrics = {"budget": json.dumps(study.budget())}, {"trials": study.n_finished()}
        try:
            standing = winner.choose(study)
        except NoWinner as none:
            tags["winner"] = str(none)
        else:
            tags["winner"], found = what_won(standing, study.description)
            metrics |= found
        self._describe_experiment()
        tags |= note(
            self._client.get_run(self.parent).data.tags, notes.of_study(study, self.page()), rows.TAG
        )
        for number, look in enumerate(study.test_evaluations(), 1):
            tags[f"look {number} at the test data"] = json.dumps(look)
        for standing in winner.candidates(study):
            self._write_standing(standing)
        now = int(time.time() * 1000)
        self._client.log_batch(self.parent, [Metric(name, value, now, 0) for name, value in metrics.items()])
        rows.set_tags(self._client, self.parent, tags_of(tags))
        self._client.set_terminated(self.parent, "FINISHED", now)
        self._write_files()
        self._client.set_tag(self.parent, "concluded", known)
        study.set_projected_revision(known)
        _analyze()

    def _describe_experiment(self):
        """Say in words what the experiment is, and how its runs are best looked at."""
        with _alone():
            known = self._client.get_experiment(self._experiment).tags
            tags = {f"{VIEW}{self.study.name}": notes.view(self.study)}
            tags |= note(known, notes.of_task(self.study.task), EXPERIMENT_TAG)
            for name, text in tags.items():
                if known.get(name) != text:
                    self._client.set_experiment_tag(self._experiment, name, text)

    def _write_files(self):
        """Write the table of trials and the report."""
        from search.reports import page, report, trials_table

        self._client.log_text(self.parent, trials_table.trials_csv(self.study), "trials.csv")
        text = page.page(report.report(self.study))
        self._client.log_text(self.parent, text, "report.html")

    def _write_standing(self, standing):
        """Write what its repeats say of a configuration to the run of its first trial."""
        if not standing.confirmed:
            return
        at = max(trial.ended for trial in self.study.trials() if trial.replicate_of == standing.trial.number)
        values = {"confirmed_mean": standing.mean, "confirmed_standard_error": standing.standard_error}
        metrics = [
            Metric(name, value, int(at.timestamp() * 1000), len(standing.scores))
            for name, value in values.items()
        ]
        said = [RunTag("confirmed", score_line(standing, self.study.description))]
        self._client.log_batch(self._runs[standing.trial.number], metrics, tags=said)


def set_aside(client, run, tag="mlflow.parentRunId"):
    """Take a run out of its study; `tag` is what makes it one of it. MLflow keeps it among those deleted."""
    if run.info.lifecycle_stage != "active":
        client.restore_run(run.info.run_id)  # MLflow deletes no tag of one that is deleted
    client.delete_tag(run.info.run_id, tag)
    client.delete_run(run.info.run_id)


def run_of(study, number):
    """The MLflow run of a trial, or "unknown". Nothing is written."""
    if is_local() and not paths.mlflow_database().exists():
        return "unknown"
    try:
        client = connect()
        experiment = client.get_experiment_by_name(tasks.name_of(study.task))
        query = f"tags.study = '{study.name}' AND tags.trial = '{number}'"
        found = find_runs(client, experiment.experiment_id, query) if experiment else []
    except Exception:  # MLflow lets through whatever its database or its server raises
        return "unknown"
    return next((run.info.run_id for run in found if "mlflow.parentRunId" in run.data.tags), "unknown")


def find_runs(client, experiment, query):
    """All runs of an experiment that match, deleted ones too, so that none is made twice."""
    runs, token = [], None
    while True:
        page = client.search_runs([experiment], query, ViewType.ALL, max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def name_of(trial):
    """What a trial's run is called."""
    name = f"trial-{trial.number:04}"
    if trial.replicate_of is not None:
        name += f" repeats {trial.replicate_of}"
    return f"{name} ({trial.void.action})" if trial.void else name


def params_of(trial):
    """A trial's hyperparameters as MLflow's: names that it takes, and long values cut."""
    names = log_names.param_names(tuple(trial.config))
    return [
        Param(names[name], log_names.log_text(str(value), rows.PARAM)) for name, value in trial.config.items()
    ]


def tags_of(texts: dict) -> dict[str, str]:
    """Texts by name as tags that MLflow takes."""
    return {log_names.log_name(name): log_names.log_text(text, rows.TAG) for name, text in texts.items()}


def ending(trial):
    """How an ended trial is shown, as tags: how it ended, why, and whether it is crossed out."""
    return tags_of(
        {
            "state": trial.state,
            "why ended": trial.reason,
            "crossed out": str(trial.void or "no"),
            "mlflow.runName": name_of(trial),
        }
    )


def note(known: dict, text: str, letters: int) -> dict[str, str]:
    """The tags that describe a run or an experiment in words: none where a person wrote the note it has.

    Args:
        known: the tags it has.
        text: the description, of which so many letters are kept.
    """
    text, there = log_names.log_text(text, letters), known.get(NOTE)
    digest = known.get(NOTE_DIGEST)
    if digest is None:  # an earlier Trialbook wrote none: its note begins as this one does
        is_ours = not there or there.startswith(text.partition("\n\n")[0])
    else:
        is_ours = not there or digest == _digest(there)
    return {NOTE: text, NOTE_DIGEST: _digest(text)} if is_ours else {}


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def what_won(standing, about):
    """A study's winner in a line, and as metrics."""
    trial = standing.trial
    metrics = {
        "best_score": trial.score,
        "best_standard_error": trial.standard_error,
        "best_trial": trial.number,
    }
    if not standing.confirmed:
        return f"trial {trial.number} (unconfirmed: one seed)", metrics
    metrics |= {"winner_mean": standing.mean, "winner_standard_error": standing.standard_error}
    return f"trial {trial.number}, confirmed: {score_line(standing, about)}", metrics


def summary(trial, about):
    """What the log shows of an ended trial as one number each; `about` is the study's."""
    metrics = {"seconds_total": trial.seconds, "epochs_trained": len(trial.curve)}
    if trial.weights is not None:
        metrics["weights"] = trial.weights
    if trial.score is not None:
        metrics |= {"score": trial.score, "score_standard_error": trial.standard_error}
    if trial.curve:
        last = trial.curve[-1]
        names = log_names.metric_names(last)
        metrics |= {f"last_{names[name]}": last[name] for name in names.keys() & numbers(last).keys()}
        better = max if about.direction == "maximize" else min
        scored = f"validation_{about.metric}"
        metrics["best_validation_loss"] = min(entry["validation_loss"] for entry in trial.curve)
        metrics[log_names.log_name(f"best_{scored}")] = better(entry[scored] for entry in trial.curve)
    return metrics


def metrics_of(entry):
    """An epoch as MLflow metrics, at the time at which it ended."""
    at, names = int(entry["time"] * 1000), {"seconds": "seconds", **log_names.metric_names(entry)}
    return [
        Metric(names[name], value, at, entry["epoch"])
        for name, value in numbers(entry).items()
        if name in names
    ]


def _analyze():
    """Let sqlite see what it holds: without, MLflow's searches become quadratic."""
    if is_local():
        with sqlite3.connect(paths.mlflow_database()) as database:
            database.execute("ANALYZE")
        database.close()
