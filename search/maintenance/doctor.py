"""Repairs what the audit finds, where that can be done. By itself it looks and changes nothing; with FIX=1:

    a torn end of a journal       is cut off
    what the log has otherwise    is set aside in MLflow, and written anew from the study
    the database of the log       that is missing or broken is moved away, and made anew from all studies;
                                  where sqlite or MLflow can mend it, a mended copy takes its place
    a run that a script names     is the one that its trial has now
    a log of a home that was      looks for its artifacts where they lie now
    moved

All that is about to change is copied before: see `search.storage.backups`. What a study itself says is never
changed: where that is wrong, and where a secret is in a file, it is said under "cannot be repaired here",
with what can be done. That is nothing to repair: neither does it count, nor is there a backup for it. A
study whose journal is damaged is left alone, and said to be damaged with the way back.
"""

import contextlib
import copy
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from search import paths
from search.errors import StoreError, TrialbookError
from search.frozen_script import files
from search.frozen_script.defaults import literal
from search.maintenance import audit
from search.maintenance.audit import Books
from search.reports.log_files import log_files
from search.storage import backups
from search.study.opening import hold_study
from search.study.stored import StoredStudy
from search.tracking import TrackingStore
from search.tracking.client import PARENT, REMEDY, LocalTracking, set_aside
from search.tracking.projection import Projection

RENEWED = (
    "it is mended or, where it cannot be, made anew from all studies, without runs that are of none of them;"
    " as it is, it goes into the backup"
)


# Parts of invariants: what is wrong with the log, by where it is.
OF_A_RUN = (audit.one_run_a_trial, audit.no_run_runs)
AS_ITS_TRIAL = (audit.states_agree, audit.hyperparameters_equal, audit.every_epoch_once)


def own_run_is_there(books):
    """MLflow writes to no run that was deleted: a study whose own one is would have no log."""
    for parent in books.parents[:1]:
        if parent.info.lifecycle_stage == "deleted":
            yield "the study's own run was deleted in MLflow"


OF_ITS_OWN_RUN = (own_run_is_there, audit.one_run_of_its_own, audit.best_is_named, audit.no_run_runs)

# What is wrong with a trial itself, and what else is not repaired: with what can be done about it.
VOID = "make void TRIALS= crosses out what is wrong"
OF_A_TRIAL = (audit.trained_as_drawn, audit.epochs_in_order, audit.scores_follow)
BEYOND = {
    **dict.fromkeys((audit.numbered, *OF_A_TRIAL, audit.counted_once), VOID),
    audit.frozen_is_its_trial: "make export writes the script anew",
    audit.no_secrets: "change the secret, and take it out of the file by hand",
}


def doctor(studies, names, store: TrackingStore, fix, say):
    """Look after the database of the log, and then after studies; with `fix`, repair what is found.

    Returns how much was found that can be repaired, and, by name, the TrialbookErrors of studies that could
    not be read or repaired.
    Raises StudyConflict where the database must be made anew and a study is being searched; StoreError.
    """
    found, errors = 0, {}
    broken = fault(studies, store)
    if broken:
        found += 1
        say(f"the log: {broken}; {RENEWED}")
        if fix:
            say(f"  repaired; as it was: {_renew(studies, store)}")
    client = store.reader() if fix or not broken else None
    for name in names:
        if by := studies.holder(name):
            say(f"{name}: process {by} searches it: skipped")
            continue
        try:
            found += _look_after(studies, name, store, client, fix, say)
        except TrialbookError as error:
            errors[name] = error
    return found, errors


def _look_after(studies, name, store, client, fix, say):
    """Say what is to be repaired in a study and its log, or repair it. Returns how much that was."""
    books = Books(StoredStudy.read(studies, name), store, client)
    wrong = list(to_repair(books))
    say(f"{name}: {len(wrong) or 'nothing'} to repair")
    for said in wrong:
        say(f"  {said}")
    if fix and wrong:
        with contextlib.closing(studies.lock(name)) as lock:
            kept = backups.keep([*_changing(studies, name), *store.files()])
            _mend(studies, name, store, lock)
        books = Books(StoredStudy.read(studies, name), store, client)
        if still := list(to_repair(books)):
            raise StoreError(f"study {name!r} could not be repaired: {still[0]}; as it was: {kept}")
        say(f"  repaired; as it was: {kept}")
    if left := [f"{said}: {what}" for find, what in BEYOND.items() for said in find(books)]:
        say("  cannot be repaired here:")
    for said in left:
        say(f"    {said}")
    return len(wrong)


# Look


def to_repair(books):
    """What can be repaired of a study and its log, and how, in a line each."""
    for problem in books.study.store.problems(books.study.name):
        yield problem.message
    if books.client:
        for said in sum(_differences(books).values(), []):
            yield f"{said}: it is written to the log anew"
    for said in audit.artifacts_are_here(books):
        yield f"{said}: it looks for them here from now on"
    for said in audit.frozen_names_its_run(books):
        yield f"{said}: it is changed to that"


def _differences(books):
    """What is wrong in the log: trial number -> lines; None -> those about the study's own run.

    A trial that is wrong itself is no measure of its run.
    """
    found = {}
    trials = {trial.number: trial for trial in books.trials}
    for number in [*trials, *(books.runs.keys() - trials.keys())]:
        own = [trials[number]] if number in trials else []
        alone = _part(books, {number: books.runs[number]}, own, [])
        wrong = any(said for find in OF_A_TRIAL for said in find(alone))
        finds = OF_A_RUN if wrong else OF_A_RUN + AS_ITS_TRIAL
        found[number] = [said for find in finds for said in find(alone)]
    study = _part(books, {}, books.trials, books.parents)
    found[None] = [said for find in OF_ITS_OWN_RUN for said in find(study)]
    return {number: said for number, said in found.items() if said}


def _part(books, runs, trials, parents):
    """The books with these runs and trials alone."""
    part = copy.copy(books)
    part.runs, part.trials, part.parents = defaultdict(list, runs), trials, parents
    return part


def fault(studies, store: TrackingStore) -> str | None:
    """What is wrong with the log as a whole, in one line; None where nothing is, or no study needs it yet."""
    return store.fault() if store.exists() or studies.names() else None


def remedy(studies, store: TrackingStore) -> str:
    """The command that completes a log that could not be written, in words."""
    with contextlib.suppress(StoreError):  # another process writes the database just now: it is whole
        if fault(studies, store):
            return REMEDY
    return "`make ui` completes it"


# Repair


def _changing(studies, name):
    """The files that a repair of a study may change, but for the database."""
    yield from studies.files(name)
    with contextlib.suppress(TrialbookError):
        yield paths.frozen(StoredStudy.read(studies, name).description.task)


def _mend(studies, name, store, lock):
    """Repair a study and its log, which can be read. `lock` is the study's. Raises StoreError."""
    for problem in studies.problems(name):
        problem.repair()
    study = hold_study(studies, name, lock)
    _write_anew(study, store)
    _name_run(study, store)


def _write_anew(study, store):
    """Bring the log up to date; what then still differs is set aside, and written anew. Raises StoreError."""
    written = Projection(study, store, log_files)
    written.bring_up_to_date()
    client = store.connect()
    books = Books(study, store, client)
    if found := _differences(books):
        for run, tag in _wrong_runs(books, found):
            set_aside(client, run, tag)
        for parent in books.parents[:1]:
            client.restore_run(parent.info.run_id)
            client.set_tag(parent.info.run_id, "concluded", "no")
        written.bring_up_to_date()
    if written.behind:
        raise StoreError(f"the log of study {study.name!r} cannot be written: {written.behind}")


def _wrong_runs(books, found):
    """The runs that are to be set aside, each with the tag that makes it one of the study's."""
    for run in books.parents[1:]:
        yield run, "kind"
    own = {run.info.run_id for run in books.parents[:1]}
    for number, runs in books.runs.items():
        for run in runs:
            if number in found or run.data.tags[PARENT] not in own:
                yield run, PARENT


def _name_run(study, store):
    """Have the frozen script name the run that its trial has now."""
    books = Books(study, store, store.connect())
    if any(audit.frozen_names_its_run(books)):
        path = paths.frozen(study.description.task)
        record = files.record(path)
        run = books.runs[record["trial"]][0].info.run_id
        lines = [f'    "run": {literal(each)},\n' for each in (record["run"], run)]
        files.write(path, path.read_text(encoding="utf-8").replace(*lines, 1))


def _renew(studies, store):
    """Move the database of a local log away, and put a mended one or a new one in its place.

    Returns where it is now. Raises StudyConflict where a study is being searched.
    """
    [database] = store.files()
    with contextlib.ExitStack() as stack:
        locks = {
            name: stack.enter_context(contextlib.closing(studies.lock(name))) for name in studies.names()
        }
        kept = backups.keep([file for name in locks for file in _changing(studies, name)])
        with tempfile.TemporaryDirectory(dir=kept) as folder:
            mended = _mended(database, Path(folder))
            backups.move(database, kept)
            if mended:
                mended.rename(database)
        for name, lock in locks.items():
            with contextlib.suppress(TrialbookError):  # one that is damaged hides no other, and is said below
                _mend(studies, name, store, lock)
    return kept


def _mended(database, folder):
    """A copy of a database that sqlite or MLflow mended; None where they cannot."""
    mended = folder / database.name
    store = LocalTracking(mended, paths.artifacts())
    for file in backups.with_beside(database):
        shutil.copyfile(file, folder / file.name)
    if mended.exists() and _has_tables(mended) and store.fault():
        command = [sys.executable, "-m", "mlflow", "db", "upgrade", store.backend_uri]
        subprocess.run(command, capture_output=True, check=False)
    return None if store.fault() else mended


def _has_tables(database):
    """Whether a database has tables of some MLflow's. What was half-written in it is undone."""
    try:
        with closing(sqlite3.connect(database)) as opened:
            return bool(opened.execute("SELECT version_num FROM alembic_version").fetchone())
    except sqlite3.DatabaseError:
        return False
