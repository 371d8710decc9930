"""Where a local log's artifacts lie. MLflow keeps the full path of each folder, and a home may move."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from search import paths

HERE = ("mlruns", "artifacts")  # the end of `paths.artifacts()`, in any home


def path_of(location: str) -> Path:
    """The folder that an artifact location of MLflow's names: a path, or a file URI."""
    return Path(url2pathname(urlsplit(location).path) if location.startswith("file:") else location)


def is_misplaced(run_location: str, artifacts: Path) -> bool:
    """Whether a run's artifacts lie in a folder like `artifacts`, but of another home."""
    folder = path_of(run_location).parent.parent  # of the experiment: a run has FOLDER/ID/artifacts
    return _is_ours(folder) and folder.parent != artifacts


def relocate(database: Path, artifacts: Path) -> None:
    """Let a local log look for its artifacts in this home's folder, where it names another home's.

    Experiments with a folder elsewhere, which their owners chose, stay as they are.
    """
    with closing(sqlite3.connect(database)) as opened:
        moves = list(_moves(opened, artifacts))
        with opened:
            for experiment, location in moves:
                for change in (
                    "UPDATE experiments SET artifact_location = ?",
                    "UPDATE runs SET artifact_uri = ? || '/' || run_uuid || '/artifacts'",
                ):
                    opened.execute(f"{change} WHERE experiment_id = ?", (location, experiment))


def _moves(opened: sqlite3.Connection, artifacts: Path) -> Iterator[tuple[int, str]]:
    """The experiments whose artifacts lie in another home, each with its location in this one."""
    for experiment, location in opened.execute("SELECT experiment_id, artifact_location FROM experiments"):
        folder = path_of(location or "")
        here = artifacts / folder.name
        if _is_ours(folder) and folder != here:
            yield experiment, paths.artifact_location(here)


def _is_ours(folder: Path) -> bool:
    """Whether this is a task's folder in the artifacts of some home."""
    return folder.parts[-3:-1] == HERE
