"""The process of a search: its files, its lock, and how it starts.

A lock file tells whether it lives: the service takes the lock and the process inherits it, so no moment is
without it. The process writes its own number before it begins.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from search import paths
from search.primitives import redact
from search.primitives.text import readable

PROBE = bytes(65_536)  # more than the queue and the start of a process write at once
TAIL = 64_000  # bytes at the end of an output, in which its last lines are looked for
STORAGE = "TRIALBOOK_STORAGE"  # what tells the process where studies are
LAUNCH = 'echo $$ > "$0" && exec "$@"'  # nobody can be killed between the start and the number


def folder(number: int) -> Path:
    """What the processes of a search wrote: their output, the script and the hand-in."""
    return paths.service() / str(number)


def fault() -> str:
    """Why the files of searches cannot be written, as on a full disk; "" if they can."""
    probe = paths.service() / "probe"
    try:
        try:
            probe.write_bytes(PROBE)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return f"cannot write to {paths.service()}: {error.strerror}"
    return ""


@contextlib.contextmanager
def starting(number: int) -> Iterator[int | None]:
    """The lock of a search, for the process that starts within; None if one holds it. Raises OSError."""
    lock = _lock(number)
    if lock is None:
        yield None
        return
    try:
        _pid_file(number).write_text("")
        yield lock
    finally:
        os.close(lock)


def start(number: int, command: Sequence[str], lock: int, storage: str | None) -> subprocess.Popen[bytes]:
    """Start a command as the process of a search. Raises OSError.

    The address of the studies may hold a password, which a list of processes would show to everybody.
    """
    environment = {name: value for name, value in os.environ.items() if name != STORAGE}
    if storage:
        environment[STORAGE] = storage
    with open(_output(number), "ab") as output:
        return subprocess.Popen(
            ["sh", "-c", LAUNCH, _pid_file(number), *command],
            cwd=paths.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[lock],
            start_new_session=True,  # it outlives the service, and Ctrl-C reaches the service alone
        )


def is_locked(number: int) -> bool:
    """Whether the process of a search lives, whoever started it."""
    lock = _lock(number)
    if lock is not None:
        os.close(lock)
    return lock is None


def pid(number: int) -> int | None:
    """The process of a search, as it wrote it down; None if it did not come so far."""
    text = _pid_file(number).read_text() if _pid_file(number).exists() else ""
    return int(text) if text.strip().isdecimal() else None


def send(number: int, signal_number: signal.Signals) -> bool:
    """Send a signal to the process of a search. Returns whether there was one."""
    process = pid(number)
    if process is None or not is_locked(number):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal_number)
    return True


def written(number: int) -> float | None:
    """When the process of a search last wrote something, in seconds since 1970; None if it never did."""
    output = _output(number)
    return output.stat().st_mtime if output.exists() else None


def last_line(number: int, part: str) -> str:
    """The last line with a certain part that the process of a search wrote; "" if there is none."""
    with open(_output(number), "rb") as output:
        output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL))
        lines = output.read().decode(errors="replace").splitlines()
    found = [line.removeprefix("error: ") for line in lines if part in line]
    return readable(redact.redacted(found[-1])) if found else ""


def _output(number: int) -> Path:
    return folder(number) / "output.txt"


def _pid_file(number: int) -> Path:
    return folder(number) / "process"


def _lock(number: int) -> int | None:
    """The lock of a search's process, as an open file; None if a process holds it."""
    folder(number).mkdir(parents=True, exist_ok=True)
    lock = os.open(folder(number) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
