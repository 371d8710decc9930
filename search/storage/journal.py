"""Optuna's journal file, written by one process at a time."""

import contextlib
import fcntl
import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from search.errors import StoreError, StudyConflict
from search.storage.base import Record

BRACKETS = b"[" * 100  # a line of garbage may begin so; a record is an object


class Journal(JournalFileBackend):
    """A journal whose writer holds the study's lock, so that no record needs one of its own.

    Records reach the system at once, and so outlive the process; `commit` waits until the disk
    has them, and so they outlive the machine. Where either fails it is a StoreError, and the journal
    ends with a whole record.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_obj=_NoLock())
        self.path = path
        self._file: IO[bytes] | None = None  # opened by the first write
        self._own: list[str] = []  # lines that were written, and not read yet

    def read_logs(self, log_number_from: int) -> Generator[Record, None, None]:
        """The records from this one on. A writer reads its own back from memory: it is the only one."""
        if self._file is None:
            if log_number_from == 0:
                _refuse_brackets(self.path.read_bytes())
            yield from super().read_logs(log_number_from)
            return
        own, self._own = self._own, []
        yield from map(json.loads, own)

    def append_logs(self, logs: list[Record]) -> None:
        lines = [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]
        with _writing(self.path):
            if self._file is None:
                self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            _append(self._file, "".join(lines).encode())
        self._own += lines

    def refresh(self) -> None:
        """Do nothing: nobody else writes."""

    def commit(self) -> None:
        """Wait for the disk."""
        if self._file is not None:
            with _writing(self.path):
                os.fsync(self._file.fileno())


class _NoLock(BaseJournalFileLock):
    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _refuse_brackets(content: bytes) -> None:
    """Raise ValueError if a line begins with BRACKETS.

    json would follow thousands of them to the recursion limit. If the garbage collector runs so deep,
    finalizers fail, and the interpreter reports each of them on stderr.
    """
    if content.startswith(BRACKETS) or b"\n" + BRACKETS in content:
        raise ValueError(f"a record begins with {len(BRACKETS)} brackets")


def _append(file: IO[bytes], content: bytes) -> None:
    """Write all of it or nothing: a disk may be full in the middle of a record."""
    end, rest = file.seek(0, os.SEEK_END), memoryview(content)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.truncate(end)
        raise


def lock(path: Path) -> IO[str]:
    """Lock a journal for this process, until the returned file is closed or the process ends.

    Raises StudyConflict, which names the process that holds it; StoreError.
    """
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path.with_suffix(".lock"), "a+")  # noqa: SIM115
        gate = open(path.parent / ".lock", "a")  # noqa: SIM115
    with gate:
        fcntl.flock(gate, fcntl.LOCK_EX)  # one at a time, so that each holder has written its number
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process = file.read().strip() or "unknown"
            file.close()
            raise StudyConflict(f"study {path.stem!r} is being searched by process {process}") from None
        with _writing(path.parent):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
    return file


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into a StoreError of one line."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write to {path}: {error.strerror}; what it holds is whole") from None


def holder(path: Path) -> str | None:
    """The process that holds a journal, as text. Nothing is written."""
    try:
        with open(path.with_suffix(".lock")) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except BlockingIOError:
        return path.with_suffix(".lock").read_text().strip() or "unknown"
    return None


def incomplete_tail(path: Path) -> bytes:
    """The bytes after a journal's last whole record: a loss of power may leave half of one.

    Readers skip it, but they cannot skip it once more records follow.
    """
    *whole, last = path.read_bytes().split(b"\n")
    if last or not whole:
        return last
    try:
        json.loads(whole[-1])
    except ValueError:
        return whole[-1] + b"\n"
    return b""


def cut_incomplete_tail(path: Path) -> int:
    """Cut the incomplete tail off. Returns its number of bytes."""
    tail = len(incomplete_tail(path))
    if tail:
        os.truncate(path, path.stat().st_size - tail)
    return tail
