"""Are a study and its log true, and do they agree? Nothing is changed by finding out.

Each function below is an invariant, or the part of one that is about the study alone or about the log;
INVARIANTS has them by number. The log is read by MLflow's public calls alone, so that what is wrong with
how it is written (`search.tracking.writers`) is seen.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

from search import paths, redact, tasks
from search.errors import StoreError
from search.frozen_script import files
from search.study.stored import StoredStudy
from search.text import one_line
from search.tracking import TrackingStore, artifact_locations, mapping
from search.tracking.client import PARENT, find_runs

NO_SCRIPT = (SyntaxError, ValueError, StopIteration, AttributeError)  # is what a frozen script is not


@dataclass(frozen=True)
class Violation:
    """What is wrong, in one line."""

    invariant: int
    said: str


class Books:
    """Both books of a study as they are read: its trials, and the runs that the log has of them.

    Args:
        study: a Study that nobody searches.
        store: where the log lies.
        client: an MlflowClient of it, or None where there is no log.

    Raises StoreError.
    """

    def __init__(self, study, store: TrackingStore, client):
        self.study, self.store, self.client = study, store, client
        self.trials = list(study.trials())
        self.runs, self.parents = defaultdict(list), []  # trial number -> its runs; the study's own
        for run in self._all_runs() if client else ():
            if run.data.tags.get("kind") == "study":
                self.parents.append(run)
            elif PARENT in run.data.tags:
                trial = run.data.tags.get("trial", "")
                self.runs[int(trial) if trial.isdecimal() else trial].append(run)

    def _all_runs(self):
        try:
            experiment = self.client.get_experiment_by_name(tasks.name_of(self.study.task))
            query = f"tags.study = '{self.study.name}'"
            return find_runs(self.client, experiment.experiment_id, query) if experiment else []
        except Exception as error:  # MLflow lets through whatever its database or its server raises
            raise StoreError(f"the log cannot be read: {one_line(error)}") from None

    def pairs(self):
        """Each trial that ended, with its run."""
        for trial in self.trials:
            if trial.ended and len(self.runs[trial.number]) == 1:
                yield trial, self.runs[trial.number][0]

    def history(self, run, name):
        """All that the log has of a metric: (step, value, time in ms), sorted."""
        found = self.client.get_metric_history(run.info.run_id, name)
        return sorted((metric.step, metric.value, metric.timestamp) for metric in found)


def audit(studies, name, store: TrackingStore):
    """All violations of a study and its log, by invariant. Of stores that cannot be read, that alone."""
    if damage := list(store.damage()):
        return [Violation(9, said) for said in damage]
    try:
        books = Books(StoredStudy.read(studies, name), store, store.reader())
    except StoreError as error:
        return [Violation(9, str(error))]
    return [
        Violation(number, said)
        for number, (_, *parts) in INVARIANTS.items()
        for find in parts
        for said in find(books)
    ]


def numbered(books):
    numbers = [trial.number for trial in books.trials]  # without those that another program has enqueued
    if numbers != sorted(set(numbers)):
        yield f"the numbers of trials are not in order: {numbers}"


def one_run_a_trial(books):
    for trial in books.trials:
        count = len(books.runs[trial.number])
        if count != 1 and (trial.ended or count):  # an unfinished one may have none yet
            yield f"trial {trial.number} has {count} runs in the log"
    for number in sorted(books.runs.keys() - {trial.number for trial in books.trials}, key=str):
        yield f"the log has a run of trial {number!r}, which the study has not"


def one_run_of_its_own(books):
    if len(books.parents) != 1:
        yield f"the study has {len(books.parents)} runs of its own in the log"


def states_agree(books):
    for trial, run in books.pairs():
        expected = mapping.status_of(trial), trial.state
        seen = run.info.status, run.data.tags.get("state")
        if seen != expected:
            yield f"trial {trial.number} is {trial.state}, its run {seen[0]} and {seen[1]}"
    for trial in books.trials:
        for run in () if trial.ended else books.runs[trial.number]:
            if run.info.status != "RUNNING":
                yield f"trial {trial.number} has not ended, and its run is {run.info.status}"


def hyperparameters_equal(books):
    for trial, run in books.pairs():
        config = {param.key: param.value for param in mapping.params_of(trial)}
        if run.data.params != config:
            wrong = sorted(dict(run.data.params.items() ^ config.items()))
            yield f"trial {trial.number} and its run differ in {', '.join(wrong)}"


def trained_as_drawn(books):
    for trial in books.trials:
        drew = trial.params if trial.config else {}  # one that was killed while it began trained nothing
        if wrong := [name for name, value in drew.items() if trial.config.get(name) != value]:
            yield f"trial {trial.number} was not trained with the {', '.join(sorted(wrong))} it drew"


def epochs_in_order(books):
    for trial in books.trials:
        epochs = [entry["epoch"] for entry in trial.curve]
        if epochs != sorted(set(epochs)):
            yield f"the epochs of trial {trial.number} are not in order"


def every_epoch_once(books):
    for trial, run in books.pairs():
        expected = defaultdict(list)
        for entry in trial.curve:
            for metric in mapping.metrics_of(entry):
                expected[metric.key].append((metric.step, metric.value, metric.timestamp))
        single = mapping.summary(trial, books.study.description)
        for name in sorted(expected.keys() | run.data.metrics.keys()):
            of_curve = name not in single and not name.startswith("confirmed_")
            if of_curve and books.history(run, name) != sorted(expected[name]):
                yield f"the {name} of trial {trial.number} is not in the log as it was reported"
        if wrong := sorted(name for name in single if run.data.metrics.get(name) != single[name]):
            yield f"the {', '.join(wrong)} of trial {trial.number} differ in the log"


def scores_follow(books):
    for trial in books.trials:
        scored = trial.score is not None and math.isfinite(trial.score)
        if (trial.state == "completed") != scored:
            yield f"trial {trial.number} is {trial.state} and has the score {trial.score}"
        elif scored and trial.epochs != trial.config.get("epochs", trial.epochs):
            yield f"trial {trial.number} is completed after {trial.epochs} of {trial.config['epochs']} epochs"
    if any(trial.kind != "completed" for trial in books.study.completed()):
        yield "a trial that does not count is among the completed ones"


def best_is_named(books):
    for parent in books.parents:
        best = parent.data.metrics.get("best_trial")
        if best is None:
            continue
        trial = books.trials[int(best)] if best < len(books.trials) else None
        if trial is None or trial.state != "completed" or not trial.counts:
            yield f"the log names trial {best:.0f} as the best, which is none that counts as completed"
        elif parent.data.metrics.get("best_score") != trial.score:
            yield f"the log's best score is not that of trial {trial.number}"


def no_run_runs(books):
    unfinished = {trial.number for trial in books.trials if not trial.ended}  # the next search ends these
    ended = [run for number, runs in books.runs.items() if number not in unfinished for run in runs]
    for run in [*books.parents, *ended] if not unfinished else ended:
        if run.info.status == "RUNNING":
            yield f"run {run.info.run_name} is RUNNING in the log, and its trial has ended"


def counted_once(books):
    restored = {number for crossing in books.study.void_entries() for number in crossing.trials}
    tries = defaultdict(list)  # draw -> the trials that tried it
    for trial in books.trials:
        if trial.draw is not None and trial.replicate_of is None and trial.number not in restored:
            tries[trial.draw].append(trial)
    for draw, tried in tries.items():
        for before, after in zip(tried, tried[1:]):
            if before.state != "interrupted":
                yield f"draw {draw} counts twice: trials {before.number} and {after.number}"
            elif after.retry_of != before.number:
                yield f"trial {after.number} tries draw {draw} again and does not name trial {before.number}"
    done = sum(tried[-1].state not in ("interrupted", "running") for tried in tries.values())
    budget = books.study.budget()
    asked = budget.get("trials")
    if asked and done > max(asked, budget.get("begun", 0)):
        yield f"{done} trials count, and {asked} were asked for"


def frozen_is_its_trial(books):
    path = paths.frozen(books.study.description.task)
    try:
        record, values = files.record(path), files.values(path)
    except FileNotFoundError:
        return
    except NO_SCRIPT:
        yield f"{path.name} cannot be read as a frozen script"
        return
    trial = dict(enumerate(books.trials)).get(record.get("trial"))
    if record.get("study") != books.study.name or _is_of_a_namesake(record, values, trial, books):
        return
    if trial is None:
        yield f"{path.name} is of trial {record.get('trial')}, which the study has not"
        return
    expected = trial.config, trial.fingerprint.get("data"), trial.score
    for what, seen, own in zip(
        ("values", "digest", "score"), (values, record["digest"], record["score"]), expected
    ):
        if seen != own:
            yield f"{path.name} has another {what} than its trial {trial.number}"


def _is_of_a_namesake(record, values, trial, books):
    """Whether a script is of another study of this name: it has neither a run nor the values of this one."""
    runs = {run.info.run_id for runs in books.runs.values() for run in runs}
    return record.get("run") not in runs and (trial is None or trial.config != values)


def frozen_names_its_run(books):
    path = paths.frozen(books.study.description.task)
    try:
        record, values = files.record(path), files.values(path)
    except (FileNotFoundError, *NO_SCRIPT):
        return
    trial = dict(enumerate(books.trials)).get(record.get("trial"))
    if record.get("study") != books.study.name or _is_of_a_namesake(record, values, trial, books):
        return
    runs = [run.info.run_id for run in books.runs.get(record.get("trial"), ())]
    if runs and record["run"] not in (*runs, "unknown"):
        yield f"{path.name} names run {record['run']}, which is not that of trial {record['trial']}"


def stores_are_whole(books):
    for problem in books.study.store.problems(books.study.name):
        yield f"{books.study.store.where(books.study.name)}: {problem.message}"
    # A database that is not whole is said before: it cannot be compared with the study.


def artifacts_are_here(books):
    runs = [*books.parents, *(run for runs in books.runs.values() for run in runs)]
    elsewhere = [run for run in runs if books.store.is_misplaced(run.info.artifact_uri)]
    if elsewhere:
        folder = artifact_locations.path_of(elsewhere[0].info.artifact_uri).parents[1]
        yield f"the log looks for artifacts of {len(elsewhere)} runs in {folder}, where this home was before"


def no_secrets(books):
    about = books.study.description
    store, name = books.study.store, books.study.name
    files = [paths.mlflow_database(), paths.frozen(about.task)]
    files += [paths.faults(), *paths.reports().glob("*"), *paths.backups().rglob("*")]
    folders = {books.store.folder(run.info.artifact_uri) for run in books.parents}
    files += [file for folder in folders if folder for file in folder.rglob("*")]
    for file in files:
        if file.is_file() and redact.held(file.read_bytes()):
            yield f"{file} holds a password or a token"
    if redact.held(store.content(name)):
        yield f"{store.where(name)} holds a password or a token"


INVARIANTS = {
    1: (
        "trials are numbered 0 to n-1, and each has one run",
        numbered,
        one_run_a_trial,
        one_run_of_its_own,
    ),
    2: ("their states agree", states_agree),
    3: ("their hyperparameters are equal", hyperparameters_equal, trained_as_drawn),
    4: ("every epoch is in the log once, as it was reported", every_epoch_once, epochs_in_order),
    5: ("scores are finite and belong to completed trials", scores_follow, best_is_named),
    6: ("the log calls nothing running that has ended", no_run_runs),
    7: ("each draw counts once, and a retry names what it retries", counted_once),
    8: ("the frozen script is its trial's", frozen_is_its_trial, frozen_names_its_run),
    9: ("both stores are whole", stores_are_whole, artifacts_are_here),
    10: ("no password and no token is written anywhere", no_secrets),
}
