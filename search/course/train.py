"""Train a frozen winner again, in the open: prepare the data that it needs, and run its script."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from data import DataError
from search import paths, tasks
from search.errors import NoWinner
from search.frozen_script import files
from search.primitives.text import one_line
from search.study.opening import source_of
from search.tasks import Task


def train(task: Task, source: str | None, say: Callable[[str], None]) -> int:
    """Run the frozen script of a task on its data, and show what it prints. Returns its exit code.

    Args:
        source: which data; None for those that the script was made with, if they can be had here.

    Raises NoWinner where there is no script, UsageError where the task has no such source, and DataError
    where its data cannot be had.
    """
    name = tasks.name_of(task)
    script = files.find(name)
    try:
        recorded = files.record(script)["data_file"]
    except files.UNREADABLE as error:
        raise NoWinner(f"{script} is no frozen script: {one_line(error)}") from None
    if source is not None:
        source = source_of(task, source)
        path, why = task.DATA.prepare(source), "as DATA= says"
    else:
        source, path, why = data_of(task, recorded)
    say(f"Training {_shown(script)} on {path.name} (DATA={source}, {why}).")
    option = "--data-file" if '"--data-file"' in script.read_text(encoding="utf-8") else "--data"
    return subprocess.run([sys.executable, script, option, path.resolve()]).returncode


def data_of(task: Task, recorded: str) -> tuple[str, Path, str]:
    """The source, the file and why: that which is recorded, else the task's default. Raises DataError."""
    source = _source_of(task, recorded)
    try:
        path = task.DATA.prepare(source)
        reason = f"DATA={source} is {path.name}"
    except DataError as error:
        path, reason = None, str(error)
    if path is not None and path.name == recorded:
        return source, path, "as recorded"
    source = task.DATA.default_source()
    return source, task.DATA.prepare(source), f"since {recorded} of the record cannot be had: {reason}"


def _source_of(task: Task, recorded: str) -> str:
    """The source that a file is of: `words-builtin.npz` is builtin's, and other names are the course's."""
    named = [source for source in task.DATA.SOURCES if Path(recorded).stem.endswith(f"-{source}")]
    others = [source for source in task.DATA.SOURCES if source == "course"]
    return str([*named, *others, *task.DATA.SOURCES][0])


def _shown(script: Path) -> str:
    return str(script.relative_to(paths.home()))
