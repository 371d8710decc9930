"""Copies of studies after a search, and of files before a repair, in mlruns/backups/.

STUDY.20261125T103000Z.journal   a study at the end of a search; the latest KEEP of each study stay
20261125T103000Z/                files before a repair, by their paths in the home; they stay for good
"""

import datetime
import filecmp
import itertools
import re
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from search import paths

KEEP = 3  # of a study
TIME = re.compile(r"\d{8}T\d{6}Z")
ANY_TIME = "????????T??????Z"  # the same for `glob`; no study's name has capitals
BESIDE = ("-wal", "-shm", "-journal")  # what sqlite keeps beside a database


def rotate(journal: Path) -> None:
    """Copy a study's journal if it differs from its latest copy: whole, or not at all."""
    earlier = sorted(paths.backups().glob(f"{journal.stem}.{ANY_TIME}.journal"))
    if earlier and filecmp.cmp(earlier[-1], journal, shallow=False):
        return
    paths.backups().mkdir(parents=True, exist_ok=True)
    unfinished = paths.backups() / f"{journal.stem}.new"
    shutil.copyfile(journal, unfinished)
    unfinished.rename(paths.backups() / f"{journal.stem}.{_now()}.journal")
    for old in earlier[: 1 - KEEP]:
        old.unlink()


def of(journal: Path) -> list[Path]:
    """All copies of a study's journal, the newest first."""
    found = [*paths.backups().glob(f"{journal.stem}.{ANY_TIME}.journal")]
    found += paths.backups().glob(f"{ANY_TIME}*/{journal.relative_to(paths.home())}")
    return sorted(found, key=_made, reverse=True)


def keep(files: Iterable[Path]) -> Path:
    """Copy the existing ones of these files into a new folder. Returns the folder."""
    folder = _new_folder()
    for file in files:
        if file.exists():
            _copy(file, _copy_path(folder, file))
    return folder


def move(database: Path, folder: Path) -> None:
    """Move a database into a folder of copies, with what sqlite keeps beside it."""
    for file in with_beside(database):
        shutil.move(file, _copy_path(folder, file))


def with_beside(database: Path) -> list[Path]:
    """The existing files of a database."""
    files = [database, *(database.with_name(database.name + end) for end in BESIDE)]
    return [file for file in files if file.exists()]


def _copy(file: Path, to: Path) -> None:
    """Copy a file. A database is copied correctly even if another process writes it."""
    if file != paths.mlflow_database():
        shutil.copyfile(file, to)
        return
    with (
        closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to)) as copy,
    ):
        source.backup(copy)


def _copy_path(folder: Path, file: Path) -> Path:
    """The place of a file of the home in a folder of copies."""
    path = folder / file.relative_to(paths.home())
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _made(copy: Path) -> tuple[str, int]:
    """A sort key: the time of a copy, and within one second the time of its file."""
    return TIME.findall(str(copy))[-1], copy.stat().st_mtime_ns


def _new_folder() -> Path:
    time = _now()
    names = itertools.chain([time], (f"{time}-{number}" for number in itertools.count(2)))
    folder = next(folder for name in names if not (folder := paths.backups() / name).exists())
    folder.mkdir(parents=True)
    return folder


def _now() -> str:
    """The time as names have it: UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
