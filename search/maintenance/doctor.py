"""Find what can be repaired in a study and its log, and repair it if asked.

    half a record at the end of a study    is cut off
    runs that differ from the study        are set aside in MLflow, and written again from the study
    a missing or broken database           is mended by sqlite or MLflow, or else made again from all studies
    the run that a frozen script names     becomes the run that its trial has now
    a log that was moved                   looks for its artifacts where they are now

All files that will change are copied first: see `search.storage.backups`. The content of a study never
changes. Violations beyond repair are listed with advice; they count as nothing to repair. A study whose
records are damaged is left as it is, and its error names the way back.
"""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from search import paths
from search.errors import StoreError, TrialbookError
from search.frozen_script import files
from search.frozen_script.defaults import literal
from search.maintenance import audit, script_checks
from search.maintenance.audit import Check
from search.maintenance.study_and_log import StudyAndLog
from search.reports.page import log_files
from search.storage import StudyStore, backups
from search.storage.base import Lock
from search.study.opening import hold_study
from search.study.stored import StoredStudy
from search.study.study import Study
from search.tracking import TrackingStore
from search.tracking.client import PARENT, REMEDY, LocalTracking, set_aside
from search.tracking.projection import Projection

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Say = Callable[[str], object]  # takes a line for a person
Differences = dict[int | str | None, list[str]]  # by trial; None: the study's own run


def parent_is_not_deleted(checked: StudyAndLog) -> Iterator[str]:
    """MLflow writes to no deleted run, so a study whose own run is deleted has no log."""
    for parent in checked.parents[:1]:
        if parent.info.lifecycle_stage == "deleted":
            yield "the study's own run was deleted in MLflow"


# Checks of the log, whose violations can be repaired
RUN_CHECKS = (audit.each_trial_has_one_run, audit.no_ended_run_is_running)
AGREEMENT_CHECKS = (audit.states_agree, audit.hyperparameters_are_equal, audit.every_epoch_is_logged_once)
ESTIMATE_CHECKS = (audit.estimates_are_those_of_the_study, audit.winner_is_marked)
PARENT_CHECKS = (
    *(parent_is_not_deleted, audit.study_has_one_run),
    *(audit.best_trial_is_completed, audit.no_ended_run_is_running),
)

# Checks of the study and of files, whose violations cannot be repaired, and what a person can do
TRIAL_CHECKS = (
    *(audit.trials_were_trained_as_drawn, audit.epochs_are_in_order),
    audit.scores_belong_to_completed_trials,
)
STUDY_CHECKS = (audit.trials_are_numbered, *TRIAL_CHECKS, audit.each_draw_counts_once)
ADVICE: dict[Check, str] = {
    **dict.fromkeys(STUDY_CHECKS, "make void TRIALS= voids wrong trials"),
    script_checks.script_is_that_of_its_trial: "make export writes the script again",
    audit.no_secret_is_written: "change the secret, and remove it from the file by hand",
}


def doctor(
    studies: StudyStore, names: Iterable[str], store: TrackingStore, fix: bool, say: Say
) -> tuple[int, dict[str, TrialbookError]]:
    """Examine the log's database and then studies. With `fix`, repair them.

    Returns the number of repairs, and the errors of studies that could not be read or repaired, by name.
    Raises StudyConflict if the database must be made again while a study is searched; StoreError.
    """
    count, errors = 0, {}
    broken = fault(studies, store)
    if broken:
        count += 1
        say(f"the log: {broken}; it is copied to the backups, then mended, or made again from all studies")
        if fix:
            say(f"  repaired; backup: {_replace_database(studies, store)}")
    client = store.reader() if fix or not broken else None
    for name in names:
        if holder := studies.holder(name):
            say(f"{name}: process {holder} searches it: skipped")
            continue
        try:
            count += _examine(studies, name, store, client, fix, say)
        except TrialbookError as error:
            errors[name] = error
    return count, errors


def _examine(
    studies: StudyStore, name: str, store: TrackingStore, client: "MlflowClient | None", fix: bool, say: Say
) -> int:
    """List or make the repairs of a study and its log. Returns their number."""
    checked = StudyAndLog.read(StoredStudy.read(studies, name), store, client)
    repairs = list(repairs_of(checked))
    say(f"{name}: {len(repairs) or 'nothing'} to repair")
    for repair in repairs:
        say(f"  {repair}")
    if fix and repairs:
        with contextlib.closing(studies.lock(name)) as lock:
            backup = backups.keep([*_files_to_change(studies, name), *store.files()])
            _repair(studies, name, store, lock)
        checked = StudyAndLog.read(StoredStudy.read(studies, name), store, client)
        if left := list(repairs_of(checked)):
            raise StoreError(f"study {name!r} could not be repaired: {left[0]}; backup: {backup}")
        say(f"  repaired; backup: {backup}")
    beyond = [f"{message}: {advice}" for check, advice in ADVICE.items() for message in check(checked)]
    if beyond:
        say("  cannot be repaired here:")
    for line in beyond:
        say(f"    {line}")
    return len(repairs)


# Find


def repairs_of(checked: StudyAndLog) -> Iterator[str]:
    """The repairs of a study and its log, in a line each."""
    for problem in checked.study.store.problems(checked.study.name):
        yield problem.message
    if checked.client:
        for messages in _differences(checked).values():
            yield from (f"{message}: it is written to the log again" for message in messages)
    for message in audit.artifacts_are_found(checked):
        yield f"{message}: it will look for them here"
    for message in script_checks.script_names_the_run_of_its_trial(checked):
        yield f"{message}: it will name that run"


def _differences(checked: StudyAndLog) -> Differences:
    """The violations of the log, by the trial whose run has them.

    A trial that is wrong itself is not compared with its run. It also makes all estimates wrong.
    """
    is_sound = not any(message for check in STUDY_CHECKS for message in check(checked))
    agreement_checks = AGREEMENT_CHECKS + (ESTIMATE_CHECKS if is_sound else ())
    found: Differences = {}
    trials = {trial.number: trial for trial in checked.trials}
    for number in [*trials, *(checked.runs.keys() - trials.keys())]:
        own = [trials[number]] if isinstance(number, int) and number in trials else []
        runs = {number: checked.runs[number]} if number in checked.runs else {}
        alone = replace(checked, runs=runs, trials=own, parents=[])
        is_wrong = any(message for check in TRIAL_CHECKS for message in check(alone))
        checks = RUN_CHECKS if is_wrong else RUN_CHECKS + agreement_checks
        found[number] = [message for check in checks for message in check(alone)]
    study = replace(checked, runs={})
    found[None] = [message for check in PARENT_CHECKS for message in check(study)]
    return {number: messages for number, messages in found.items() if messages}


def fault(studies: StudyStore, store: TrackingStore) -> str | None:
    """Why the log as a whole cannot be used, in one line; None if it can, or if no study needs it yet."""
    return store.fault() if store.exists() or studies.names() else None


def remedy(studies: StudyStore, store: TrackingStore) -> str:
    """The command that completes an incomplete log, in words."""
    with contextlib.suppress(StoreError):  # another process writes the database at this moment: it is whole
        if fault(studies, store):
            return REMEDY
    return "`make ui` completes it"


# Repair


def _files_to_change(studies: StudyStore, name: str) -> Iterator[Path]:
    """The files that a repair of a study may change, without the log's database."""
    yield from studies.files(name)
    with contextlib.suppress(TrialbookError):
        yield paths.frozen(StoredStudy.read(studies, name).description.task)


def _repair(studies: StudyStore, name: str, store: TrackingStore, lock: Lock) -> None:
    """Repair a readable study, whose `lock` this process holds, and its log. Raises StoreError."""
    for problem in studies.problems(name):
        problem.repair()
    study = hold_study(studies, name, lock)
    _write_log_again(study, store)
    _name_run(study, store)


def _write_log_again(study: Study, store: TrackingStore) -> None:
    """Bring the log up to date. Set aside runs that still differ, and write them again. Raises StoreError."""
    log = Projection(study, store, log_files)
    log.bring_up_to_date()
    client = store.connect()
    checked = StudyAndLog.read(study, store, client)
    if differences := _differences(checked):
        for run, tag in _runs_to_set_aside(checked, differences):
            set_aside(client, run, tag)
        for parent in checked.parents[:1]:
            client.restore_run(parent.info.run_id)
            client.set_tag(parent.info.run_id, "concluded", "no")
        log.bring_up_to_date()
    if log.behind:
        raise StoreError(f"the log of study {study.name!r} cannot be written: {log.behind}")


def _runs_to_set_aside(checked: StudyAndLog, differences: Differences) -> "Iterator[tuple[Run, str]]":
    """Each wrong run, with the tag that makes it one of the study's."""
    for run in checked.parents[1:]:
        yield run, "kind"
    parent = {run.info.run_id for run in checked.parents[:1]}
    for number, runs in checked.runs.items():
        for run in runs:
            if number in differences or run.data.tags[PARENT] not in parent:
                yield run, PARENT


def _name_run(study: Study, store: TrackingStore) -> None:
    """Let the frozen script name the run that its trial has now."""
    checked = StudyAndLog.read(study, store, store.connect())
    if any(script_checks.script_names_the_run_of_its_trial(checked)):
        path = paths.frozen(study.description.task)
        record = files.record(path)
        run = checked.runs_of(record["trial"])[0].info.run_id
        old, new = (f'    "run": {literal(each)},\n' for each in (record["run"], run))
        files.write(path, path.read_text(encoding="utf-8").replace(old, new, 1))


def _replace_database(studies: StudyStore, store: TrackingStore) -> Path:
    """Move a local log's database to the backups, and put a mended or a new one in its place.

    Returns the folder of the backup. Raises StudyConflict if a study is being searched.
    """
    [database] = store.files()
    with contextlib.ExitStack() as stack:
        locks = {
            name: stack.enter_context(contextlib.closing(studies.lock(name))) for name in studies.names()
        }
        backup = backups.keep([file for name in locks for file in _files_to_change(studies, name)])
        with tempfile.TemporaryDirectory(dir=backup) as folder:
            mended = _mended_copy(database, Path(folder))
            backups.move(database, backup)
            if mended:
                mended.rename(database)
        for name, lock in locks.items():
            with contextlib.suppress(TrialbookError):  # a damaged study is reported later, and stops no other
                _repair(studies, name, store, lock)
    return backup


def _mended_copy(database: Path, folder: Path) -> Path | None:
    """A copy of a database that sqlite or MLflow mended; None if they cannot."""
    mended = folder / database.name
    store = LocalTracking(mended, paths.artifacts())
    for file in backups.with_beside(database):
        shutil.copyfile(file, folder / file.name)
    if mended.exists() and _is_of_mlflow(mended) and store.fault():
        command = [sys.executable, "-m", "mlflow", "db", "upgrade", store.backend_uri]
        subprocess.run(command, capture_output=True, check=False)
    return None if store.fault() else mended


def _is_of_mlflow(database: Path) -> bool:
    """Whether a database has tables of some version of MLflow. Opening it undoes half-finished writes."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            return bool(connection.execute("SELECT version_num FROM alembic_version").fetchone())
    except sqlite3.DatabaseError:
        return False
