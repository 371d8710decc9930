"""Copies of what is changed or could be lost, in mlruns/backups/. Two kinds, told apart by their names:

STUDY.20261125T103000Z.journal   a study when its search ended; the latest KEEP of each study stay
20261125T103000Z/                what was about to be repaired, by its path in the home; it stays for good
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
    """Copy a study's journal, where it changed since it was copied last: whole, or not at all."""
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
    """Copy files that are about to change, those that are there. Returns the new folder of the copies."""
    folder = _new_folder()
    for file in files:
        if file.exists():
            _copy(file, _place(folder, file))
    return folder


def move(database: Path, folder: Path) -> None:
    """Move a database into a folder of copies, with what sqlite keeps beside it."""
    for file in with_beside(database):
        shutil.move(file, _place(folder, file))


def with_beside(database: Path) -> list[Path]:
    """A database's files that are there."""
    files = [database, *(database.with_name(database.name + end) for end in BESIDE)]
    return [file for file in files if file.exists()]


def _copy(file: Path, to: Path) -> None:
    """Copy a file; of a database what it holds, though another process writes it meanwhile."""
    if file != paths.mlflow_database():
        shutil.copyfile(file, to)
        return
    with (
        closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to)) as copy,
    ):
        source.backup(copy)


def _place(folder: Path, file: Path) -> Path:
    """Where a file of the home lies in a folder of copies."""
    place = folder / file.relative_to(paths.home())
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _made(copy: Path) -> tuple[str, int]:
    """When a copy was made, to be sorted by; of those of one second the file system knows."""
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
