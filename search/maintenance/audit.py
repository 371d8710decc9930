"""Check that a study, its log and its frozen script are whole and agree. Nothing is changed.

A check yields one line for each violation. INVARIANTS lists the checks by number. They read the log by
MLflow's public calls alone, so they also find mistakes of `search.tracking.writers`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from search import paths
from search.errors import StoreError
from search.maintenance import script_checks
from search.maintenance.study_and_log import StudyAndLog
from search.primitives import redact
from search.storage import StudyStore
from search.study.stored import StoredStudy
from search.study.trial import Trial, TrialState
from search.tracking import TrackingStore, artifact_locations, mapping


class Violation(NamedTuple):
    """A violated invariant, in one line."""

    invariant: int
    message: str


Check = Callable[[StudyAndLog], Iterator[str]]


class Invariant(NamedTuple):
    """A sentence that must hold, and the checks of its parts."""

    text: str
    checks: tuple[Check, ...]


def audit(studies: StudyStore, name: str, store: TrackingStore) -> list[Violation]:
    """All violations of a study and its log, by invariant.

    If a store cannot be read, that is the only violation.
    """
    if damage := list(store.damage()):
        return [Violation(9, message) for message in damage]
    try:
        audited = StudyAndLog.read(StoredStudy.read(studies, name), store, store.reader())
    except StoreError as error:
        return [Violation(9, str(error))]
    return [
        Violation(number, message)
        for number, invariant in INVARIANTS.items()
        for check in invariant.checks
        for message in check(audited)
    ]


# 1


def trials_are_numbered(audited: StudyAndLog) -> Iterator[str]:
    numbers = [trial.number for trial in audited.trials]  # without those that another program has enqueued
    if numbers != sorted(set(numbers)):
        yield f"the numbers of trials are not in order: {numbers}"


def each_trial_has_one_run(audited: StudyAndLog) -> Iterator[str]:
    for trial in audited.trials:
        count = len(audited.runs_of(trial.number))
        if count != 1 and (trial.ended or count):  # an unfinished one may have none yet
            yield f"trial {trial.number} has {count} runs in the log"
    for number in sorted(audited.runs.keys() - {trial.number for trial in audited.trials}, key=str):
        yield f"the log has a run of trial {number!r}, which is not in the study"


def study_has_one_run(audited: StudyAndLog) -> Iterator[str]:
    if len(audited.parents) != 1:
        yield f"the study has {len(audited.parents)} runs of its own in the log"


# 2 and 3


def states_agree(audited: StudyAndLog) -> Iterator[str]:
    for trial, run in audited.pairs():
        status, state = run.info.status, run.data.tags.get("state")
        if (status, state) != (mapping.status_of(trial), trial.state):
            yield f"trial {trial.number} is {trial.state}, its run {status} and {state}"
    for trial in audited.trials:
        for run in () if trial.ended else audited.runs_of(trial.number):
            if run.info.status != "RUNNING":
                yield f"trial {trial.number} has not ended, and its run is {run.info.status}"


def hyperparameters_are_equal(audited: StudyAndLog) -> Iterator[str]:
    for trial, run in audited.pairs():
        config = {param.key: param.value for param in mapping.params_of(trial)}
        if run.data.params != config:
            differing = sorted(dict(run.data.params.items() ^ config.items()))
            yield f"trial {trial.number} and its run differ in {', '.join(differing)}"


def trials_were_trained_as_drawn(audited: StudyAndLog) -> Iterator[str]:
    for trial in audited.trials:
        drawn = trial.params if trial.config else {}  # one killed at its start trained nothing
        if differing := sorted(name for name, value in drawn.items() if trial.config.get(name) != value):
            yield f"trial {trial.number} was not trained with the {', '.join(differing)} that was drawn"


# 4


def epochs_are_in_order(audited: StudyAndLog) -> Iterator[str]:
    for trial in audited.trials:
        epochs = [entry["epoch"] for entry in trial.curve]
        if epochs != sorted(set(epochs)):
            yield f"the epochs of trial {trial.number} are not in order"


def every_epoch_is_logged_once(audited: StudyAndLog) -> Iterator[str]:
    for trial, run in audited.pairs():
        expected: defaultdict[str, list[tuple[int, float, int]]] = defaultdict(list)
        for entry in trial.curve:
            for metric in mapping.metrics_of(entry):
                expected[metric.key].append((metric.step, metric.value, metric.timestamp))
        single = mapping.summary(trial, audited.study.description)
        for name in sorted(expected.keys() | run.data.metrics.keys()):
            of_all = name.startswith("confirmed_") or name in mapping.ESTIMATE
            of_curve = name not in single and not of_all
            if of_curve and audited.history(run, name) != sorted(expected[name]):
                yield f"the {name} of trial {trial.number} is not in the log as it was reported"
        if differing := sorted(name for name in single if run.data.metrics.get(name) != single[name]):
            yield f"the {', '.join(differing)} of trial {trial.number} differ in the log"


# 5


def scores_belong_to_completed_trials(audited: StudyAndLog) -> Iterator[str]:
    for trial in audited.trials:
        has_score = trial.score is not None and math.isfinite(trial.score)
        if (trial.state == TrialState.COMPLETED) != has_score:
            yield f"trial {trial.number} is {trial.state} and has the score {trial.score}"
        elif has_score and trial.epochs != trial.config.get("epochs", trial.epochs):
            yield f"trial {trial.number} is completed after {trial.epochs} of {trial.config['epochs']} epochs"
    if any(trial.kind != TrialState.COMPLETED for trial in audited.study.completed()):
        yield "a trial that does not count is among the completed ones"


def best_trial_is_completed(audited: StudyAndLog) -> Iterator[str]:
    for parent in audited.parents:
        number = parent.data.metrics.get("best_trial")
        if number is None:
            continue
        best = audited.trial(number)
        if best is None or best.state != TrialState.COMPLETED or not best.counts:
            yield f"the log names trial {number:.0f} as the best, which does not count as completed"
        elif parent.data.metrics.get("best_score") != best.score:
            yield f"the best score in the log is not that of trial {best.number}"


def estimates_are_those_of_the_study(audited: StudyAndLog) -> Iterator[str]:
    for trial, run in audited.active_pairs() if audited.is_complete else ():
        if mapping.differing(run.data.metrics, audited.estimates.get(trial.number, {})):
            yield f"the estimate of trial {trial.number} differs in the log"


def winner_is_marked(audited: StudyAndLog) -> Iterator[str]:
    for trial, run in audited.active_pairs() if audited.is_complete else ():
        expected = audited.winner.get(trial.number, {}).get(mapping.WINNER)
        if (shown := run.data.tags.get(mapping.WINNER)) != expected:
            yield f"as the winner, trial {trial.number} is {expected or 'none'}, in the log {shown or 'none'}"


# 6 and 7


def no_ended_run_is_running(audited: StudyAndLog) -> Iterator[str]:
    unfinished = {trial.number for trial in audited.trials if not trial.ended}  # the next search ends these
    ended = [run for number, runs in audited.runs.items() if number not in unfinished for run in runs]
    for run in ended if unfinished else [*audited.parents, *ended]:
        if run.info.status == "RUNNING":
            yield f"run {run.info.run_name} is RUNNING in the log, and its trial has ended"


def each_draw_counts_once(audited: StudyAndLog) -> Iterator[str]:
    restored = {number for entry in audited.study.void_entries() for number in entry.trials}
    by_draw: defaultdict[int, list[Trial]] = defaultdict(list)
    for trial in audited.trials:
        if trial.draw is not None and trial.replicate_of is None and trial.number not in restored:
            by_draw[trial.draw].append(trial)
    for draw, tries in by_draw.items():
        for before, after in zip(tries, tries[1:]):
            if before.state != TrialState.INTERRUPTED:
                yield f"draw {draw} counts twice: trials {before.number} and {after.number}"
            elif after.retry_of != before.number:
                yield f"trial {after.number} retries draw {draw} and does not name trial {before.number}"
    open_states = (TrialState.INTERRUPTED, TrialState.RUNNING)
    done = sum(tries[-1].state not in open_states for draw, tries in by_draw.items() if draw >= 0)
    budget = audited.study.budget()
    if (limit := budget.get("trials")) and done > max(limit, budget.get("begun", 0)):
        yield f"{done} trials count, and the limit was {limit}"


# 9 and 10; `script_checks` has 8


def study_is_whole(audited: StudyAndLog) -> Iterator[str]:
    """Damage of the study's records. `audit` reports damage of the log, before any check."""
    store, name = audited.study.store, audited.study.name
    for problem in store.problems(name):
        yield f"{store.where(name)}: {problem.message}"


def artifacts_are_found(audited: StudyAndLog) -> Iterator[str]:
    runs = [*audited.parents, *(run for runs in audited.runs.values() for run in runs)]
    misplaced = [run for run in runs if audited.store.is_misplaced(run.info.artifact_uri)]
    if misplaced:
        folder = artifact_locations.path_of(misplaced[0].info.artifact_uri).parents[1]
        yield f"the log looks for artifacts of {len(misplaced)} runs in {folder}, where this home was before"


def no_secret_is_written(audited: StudyAndLog) -> Iterator[str]:
    store, name = audited.study.store, audited.study.name
    written = [paths.mlflow_database(), paths.frozen(audited.study.description.task)]
    written += [paths.faults(), *paths.reports().glob("*"), *paths.backups().rglob("*")]
    folders = {audited.store.folder(run.info.artifact_uri) for run in audited.parents}
    written += [file for folder in folders if folder for file in folder.rglob("*")]
    for file in written:
        if file.is_file() and redact.held(file.read_bytes()):
            yield f"{file} holds a password or a token"
    if redact.held(store.content(name)):
        yield f"{store.where(name)} holds a password or a token"


INVARIANTS = {
    1: Invariant(
        "trials are numbered 0 to n-1, and each has one run",
        (trials_are_numbered, each_trial_has_one_run, study_has_one_run),
    ),
    2: Invariant("the states of trials and runs agree", (states_agree,)),
    3: Invariant(
        "the hyperparameters of trials and runs are equal",
        (hyperparameters_are_equal, trials_were_trained_as_drawn),
    ),
    4: Invariant(
        "every epoch is in the log once, as it was reported",
        (every_epoch_is_logged_once, epochs_are_in_order),
    ),
    5: Invariant(
        "scores are finite and belong to completed trials; a complete log has the estimates of the study",
        (
            *(scores_belong_to_completed_trials, best_trial_is_completed),
            *(estimates_are_those_of_the_study, winner_is_marked),
        ),
    ),
    6: Invariant("no run is RUNNING whose trial has ended", (no_ended_run_is_running,)),
    7: Invariant("each draw counts once, and a retry names the trial it retries", (each_draw_counts_once,)),
    8: Invariant(
        "the frozen script is that of its trial",
        (script_checks.script_is_that_of_its_trial, script_checks.script_names_the_run_of_its_trial),
    ),
    9: Invariant("both stores are whole", (study_is_whole, artifacts_are_found)),
    10: Invariant("no password and no token is written anywhere", (no_secret_is_written,)),
}
