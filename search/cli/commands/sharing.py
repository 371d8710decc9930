"""The commands that share results: train scripts, hand in, grade, serve pages, print batch scripts.

See `search.cli.commands` for how a function becomes a command.
"""

import dataclasses
import functools
import os
import shlex
from typing import Annotated

import data
from search import tasks
from search.cli import selection
from search.cli.options import (
    CHOSEN,
    Address,
    Budget,
    Data,
    DataDir,
    Host,
    Jobs,
    Nodes,
    Out,
    Port,
    Storage,
    Store,
    StudyData,
    Switch,
    Task,
    TaskData,
    Text,
    Tracking,
    Trainers,
    missing,
    option,
    require_folder,
    switch,
)
from search.cli.readers import anything, path, seconds, whole
from search.errors import UsageError


def train(options: TaskData = TaskData()) -> int:
    """Train the frozen winner models/frozen/TASK.py again: prepare its data, run it, compare its score.

    Example: make train TASK=langid
    """
    from search.course.train import train

    return train(selection.find_task(options), options.data, functools.partial(print, flush=True))


def bundle(*, out: Out = None) -> int:
    """Write the files that the course's grader takes, with the frozen winners in place.

    Example: make bundle OUT=~/course
    """
    from search.course.bundle import write

    if out is None:
        raise missing("out", "which folder should they be written into?")
    require_folder(out)
    for written in write(out):
        print(f"wrote {written}")
    return 0


def grade(
    *,
    q: Annotated[Text, option(anything, "Q", "which questions, as q4 or q1,q3", "all", ["--q", "-q"])] = None,
    no_graphics: Annotated[Switch, switch("draw nothing")] = False,
    check_dependencies: Annotated[Switch, switch("draw a line, name the versions, grade nothing")] = False,
    seeds: Annotated[
        int | None, option(whole(1, 1000), "N", "train with seeds 1 to N", "the winner's own seed")
    ] = None,
    data: Data = None,
    data_dir: DataDir = None,
) -> int:
    """Train the frozen winners from scratch, and give them points as the course does.

    Example: make grade Q=q4
    """
    from rich.console import Console

    if check_dependencies:
        from search.course.dependencies import check

        return check(print)
    from search.course.grade import QUESTIONS, grade, named

    _use(data_dir)
    names = list(QUESTIONS) if q is None else named(q)
    return grade(Console(), names, data, seeds, not no_graphics)


def handin(
    options: StudyData = StudyData(), *, out: Out = None, store: Store = CHOSEN, tracking: Tracking
) -> int:
    """Pack all of a study into one zip, STUDY-handin.zip: trials, figures, script.

    Example: make handin TASK=langid
    """
    from search.study.opening import hold_study
    from search.submission import pack
    from search.tracking.client import run_of

    require_folder(out)
    with hold_study(store, selection.find_study(options, store).name) as study:
        print("Proving the winner's script, unless it is the one that was exported ...", flush=True)
        path = pack.write(study, functools.partial(run_of, tracking, study), out)
        print(f"wrote {path}: {sum(1 for _ in study.trials())} trials, {path.stat().st_size:,} bytes")
    print(f"make check-handin ZIP={shlex.quote(str(path))}   checks it, also on another machine")
    return 0


def check_handin(
    *,
    zip: Annotated[Text, option(path, "FILE", "the hand-in to check")] = None,
    run: Annotated[Switch, switch("0: do not run its script, which is code from its sender")] = True,
    data_dir: DataDir = None,
) -> int:
    """Check a hand-in offline. Its script runs last: code from its sender.

    Example: make check-handin ZIP=langid-builtin-handin.zip RUN=0
    """
    from search.submission import check
    from search.submission.submission import MAX_BYTES, Submission

    if zip is None:
        raise missing("zip", "which hand-in?")
    if not os.path.isfile(zip):
        raise UsageError(f"ZIP {zip!r} is not a file")
    _use(data_dir)
    with open(zip, "rb") as file:
        submission = Submission(file.read(MAX_BYTES))
    if run:
        print(
            "If all else holds, its script runs: code from the sender of this file (RUN=0 skips it)",
            flush=True,
        )
    is_sound = True
    for finding in check.findings(submission, run):
        print(f"{'yes' if finding.holds else 'NO':4}{finding.name:14}{finding.message}", flush=True)
        is_sound = is_sound and finding.holds
    print("The hand-in passed every check." if is_sound else "The hand-in did NOT pass every check.")
    return 0 if is_sound else 1


def _use(data_dir: str | None) -> None:
    """Look for the course's files in the folder that was typed, if any."""
    if data_dir:
        data.use_course_folder(data_dir)


def dashboard(options: StudyData = StudyData(), *, port: Port = None, store: Store = CHOSEN) -> int:
    """Show a copy of a study in Optuna's dashboard. The search of the study continues.

    Example: make dashboard TASK=langid PORT=8080
    """
    from search.services import dashboard

    dashboard.serve(selection.find_study(options, store), port or 8080)
    return 0


def ui(*, port: Port = None, host: Host = None, store: Store = CHOSEN, tracking: Tracking) -> int:
    """Serve MLflow's pages of all trials, for this machine only or behind a password.

    Example: make ui PORT=5000
    """
    from search.services import mlflow_ui

    host = mlflow_ui.LOCALHOST if host is None else host
    return mlflow_ui.serve(store, tracking, port or 5000, host)


def stack(*, port: Port = None, host: Host = None) -> int:
    """Serve PostgreSQL and MLflow for a team, on this host until Ctrl-C.

    Example: make stack PORT=5000
    """
    from search.services import mlflow_ui
    from search.services.stack import serve

    return serve.serve(port or 5000, mlflow_ui.LOCALHOST if host is None else host)


def serve(
    *,
    port: Port = None,
    host: Host = None,
    jobs: Jobs = None,
    quota: Annotated[
        float | None, option(seconds, "S", "core-seconds that a person may use", "no limit")
    ] = None,
    trainers: Trainers = None,
    address: Address = None,
    storage: Storage = None,
    tracking: Tracking,
) -> int:
    """Serve a queue of searches to a class or a team: a page, an API, and MLflow's pages beside it.

    Example: make serve PORT=8000
    """
    from search.services import mlflow_ui, serve

    host = mlflow_ui.LOCALHOST if host is None else host
    place = serve.place(jobs, trainers, address, storage)
    return serve.serve(host, port or 8000, place, tracking, quota)


def token(
    *,
    name: Annotated[Text, option(anything, "LOGIN", "whose token")] = None,
    role: Annotated[
        Text, option(anything, "ROLE", "student: own searches; staff: all searches", "student")
    ] = None,
    revoke: Annotated[Switch, switch("revoke the tokens of this person")] = False,
    storage: Storage = None,
) -> int:
    """Make a token of the service for a person, shown once, or revoke her tokens.

    Example: make token NAME=login ROLE=student
    """
    from search.services import serve

    if name is None:
        raise missing("name", "whose token? A login, such as NAME=ada")
    print(serve.revoke(storage, name) if revoke else serve.create_token(storage, name, role or "student"))
    return 0


def tokens(*, storage: Storage = None) -> int:
    """List the tokens of the service: whose, their roles, and when they were made or revoked.

    Example: make tokens
    """
    from search.services import serve

    for line in serve.list_tokens(storage):
        print(line)
    return 0


def slurm(
    options: Budget = Budget(),
    *,
    task: Task = None,
    jobs: Nodes = None,
    how: Annotated[
        Text,
        Tracking,
        option(anything, "HOW", "ray: one search on a Ray cluster; join: several of a study", "ray"),
    ] = None,
    storage: Storage = None,
) -> int:
    """Print a batch script for sbatch of Slurm: a search on so many nodes.

    Example: make slurm TASK=digits JOBS=4 TIMEOUT=3600
    """
    from search.services import slurm

    name = tasks.name_of(selection.task_named(task))
    print(slurm.slurm(how or "ray", jobs, name, dataclasses.asdict(options) | {"storage": storage}), end="")
    return 0
