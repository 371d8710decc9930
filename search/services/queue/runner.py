"""The processes of the running searches: started, found again, ended.

Each is the command that a person would type. It outlives the service. A lock file tells whether it lives: the
service takes the lock and the process inherits it, so no moment is without it, and no search starts twice.
"""

import contextlib
import datetime
import fcntl
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from search import paths, redact
from search.client.models import State
from search.errors import NoWinner, TrialbookError
from search.services.queue.queue import SERVICE, Queue
from search.services.queue.tables import Search
from search.storage import StudyStore
from search.strategy import winner
from search.study.stored import StoredStudy
from search.text import one_line, readable

LEAST_SECONDS = 1.0  # of searching: with less left, a search is done
MAX_KILLS = 3  # in a row, after which a search has failed
TAIL = 8_000  # bytes at the end of an output, in which its last lines are looked for
PATIENCE = 20.0  # seconds that a process gets to end after a signal
STEPS = {"search": "export", "try": "export", "export": "handin", "handin": ""}  # what follows each
LAUNCH = 'echo $$ > "$0" && exec "$@"'  # the process writes its own number: nobody can be killed in between
STOPPED = "the service was stopped"


@dataclass(frozen=True)
class Place:
    """Where searches run.

    Attributes:
        jobs: trainers of all searches together; None where a cluster has its own limit.
        options: of each search, such as --trainers=ray.
        storage: the address of the studies; None for files.
    """

    jobs: int | None
    options: tuple[str, ...] = ()
    storage: str | None = None


def folder(number: int) -> Path:
    """What the processes of a search wrote: their output, the script and the hand-in."""
    return paths.service() / str(number)


class Runner:
    """Starts and ends the processes of searches, one `tick` after the other, in one thread.

    Args:
        queue: of the searches.
        store: of the studies.
        place: where searches run.
    """

    def __init__(self, queue: Queue, store: StudyStore, place: Place) -> None:
        self.queue, self.store, self.place = queue, store, place
        self.fault = ""  # why the last tick failed; empty if it did not
        self._processes: dict[int, subprocess.Popen[bytes]] = {}  # those that this service started
        self._signalled: dict[int, float] = {}  # search -> when its process was told to end

    def recover(self) -> None:
        """Let searches wait for their turn that the service paused when it was stopped."""
        for search in self.queue.all(state=State.PAUSED):
            if search.reason == STOPPED:
                self.queue.resume(search.id, SERVICE, "the service started again")

    def tick(self) -> None:
        """Look at each running search, then start those whose turn it is."""
        try:
            for search in self.queue.all(state=State.SEARCHING):
                self._follow(search)
            self._start_waiting()
            self.fault = ""
        except (SQLAlchemyError, TrialbookError, OSError) as error:  # a disk is full, or a database is away
            self.fault = readable(redact.redacted(one_line(error)))

    def stop(self, seconds: float) -> bool:
        """Pause all running searches. Returns whether all of them ended in time."""
        for search in self.queue.all(state=State.SEARCHING):
            if not search.wanted:
                self.queue.pause(search.id, SERVICE, STOPPED)
        deadline = time.monotonic() + seconds
        while running := self.queue.all(state=State.SEARCHING):
            for search in running:
                self._follow(search)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    # A running search

    def _follow(self, search: Search) -> None:
        """End the process of a search if that is wanted, and write what became of it once it ended."""
        if not self.is_alive(search.id):
            self._ended(search)
            return
        if not search.wanted and not self.queue.has_quota(search.owner):
            search = self.queue.pause(
                search.id, SERVICE, f"{search.owner} has used all core-seconds of the quota"
            )
        if search.wanted:
            self._signal(search.id)

    def _signal(self, number: int) -> None:
        """Tell the process of a search to end: gently, and after a while for good."""
        told = self._signalled.get(number)
        if told is None:
            self._kill(number, signal.SIGTERM)
        elif time.monotonic() > told + PATIENCE:
            self._kill(number, signal.SIGKILL)

    def _kill(self, number: int, signal_number: signal.Signals) -> None:
        text = _pid_file(number).read_text() if _pid_file(number).exists() else ""
        if text.strip().isdecimal() and self.is_alive(number):
            self._signalled[number] = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(text), signal_number)

    def is_alive(self, number: int) -> bool:
        """Whether the process of a search lives, whoever started it."""
        process = self._processes.get(number)
        if process is not None and process.poll() is not None:
            return False
        lock = _lock(number)
        if lock is not None:
            os.close(lock)
        return lock is None

    def _ended(self, search: Search) -> None:
        """Write what became of a search whose process ended."""
        process = self._processes.pop(search.id, None)
        was_told = self._signalled.pop(search.id, None) is not None
        code = process.returncode if process else None  # unknown if an earlier service started it
        search = self.queue.spend(search.id, self._spent(search, process is not None))
        if search.wanted:
            self.queue.settle(search.id)
        elif code == 0:
            self._go_on(search)
        elif code in (130, 143) or was_told:
            self.queue.set_state(search.id, State.PAUSED, SERVICE, "a signal stopped its process")
        elif code is not None and code > 0:
            self._failed(search)
        elif search.kills >= MAX_KILLS:
            reason = f"its process was killed {search.kills + 1} times"
            self.queue.set_state(search.id, State.FAILED, SERVICE, reason)
        else:
            reason = "its process was killed: it resumes"
            self.queue.set_state(search.id, State.QUEUED, SERVICE, reason, kills=search.kills + 1)

    def _go_on(self, search: Search) -> None:
        """Start the next step of a search, in the same turn; after the last one it is done."""
        reason = search.reason
        if search.step == "search":
            reason = _last_line(search.id, "; stopped ") or "its time was over"
        if search.extended:
            self._start(search, "search", max(1, search.jobs), "its limits were raised")
        elif self.store.requests(search.study).pending():  # it came after its process had looked
            self._start(search, "try", 1, reason)
        elif (step := STEPS[search.step]) and self._has_winner(search):
            self._start(search, step, 1, reason)
        else:
            self.queue.set_state(search.id, State.DONE, SERVICE, reason, step="search")

    def _failed(self, search: Search) -> None:
        """Write that a step failed. Without a script or a hand-in, a search is done all the same."""
        reason = _last_line(search.id, "error: ") or "its process ended with an error"
        if search.step in ("search", "try"):
            self.queue.set_state(search.id, State.FAILED, SERVICE, reason)
        else:
            reason = f"no {'script' if search.step == 'export' else 'hand-in'}: {reason}"
            self.queue.set_state(search.id, State.DONE, SERVICE, reason, step="search")

    def _has_winner(self, search: Search) -> bool:
        try:
            winner.choose(StoredStudy.read(self.store, search.study))
        except NoWinner:
            return False
        return True

    @staticmethod
    def _spent(search: Search, seen: bool) -> float:
        """Seconds that the process of a search ran. If it ended unseen, its output tells when."""
        output = folder(search.id) / "output.txt"
        if seen or search.started is None or not output.exists():
            return search.passed()
        ended = output.stat().st_mtime - search.started.replace(tzinfo=datetime.UTC).timestamp()
        return min(search.passed(), max(0.0, ended))

    # The next ones

    def slots(self) -> int:
        """The searches that run at once, at most."""
        return self.place.jobs or 2 * (os.cpu_count() or 1)

    def _start_waiting(self) -> None:
        """Start the searches whose turn it is, while trainers are free. They share those evenly."""
        running = self.queue.all(state=State.SEARCHING)
        free = self.slots() - sum(max(1, search.jobs) for search in running)
        owners, used, next_ones = {search.owner for search in running}, self.queue.used(), []
        for search in self.queue.turns():
            if search.owner not in owners and self.queue.has_quota(search.owner, used):
                owners.add(search.owner)
                next_ones.append(search)
        for position, search in enumerate(next_ones):
            if free < 1:
                break
            jobs = max(1, free // (len(next_ones) - position)) if self.place.jobs else 1
            free -= jobs
            self._start(search, search.step, jobs, "it is its turn")

    def _start(self, search: Search, step: str, jobs: int, reason: str) -> None:
        """Start the process of a search."""
        left = search.seconds_left
        if step == "search" and left is not None and left < LEAST_SECONDS:
            self._go_on(search)  # it was stopped at the end of its time
            return
        search = self.queue.begin(search.id, step, jobs, reason)
        folder(search.id).mkdir(parents=True, exist_ok=True)
        lock = _lock(search.id)
        if lock is None:
            return  # it lives, and the next tick follows it
        try:
            _pid_file(search.id).write_text("")
            with open(folder(search.id) / "output.txt", "ab") as output:
                self._processes[search.id] = subprocess.Popen(
                    ["sh", "-c", LAUNCH, _pid_file(search.id), *self._command(search, step, jobs)],
                    cwd=paths.ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[lock],
                    start_new_session=True,  # it outlives the service, and Ctrl-C reaches the service alone
                )
        finally:
            os.close(lock)

    def _command(self, search: Search, step: str, jobs: int) -> list[str]:
        """What a person would type."""
        options: dict[str, object] = {
            "task": search.task,
            "study": search.study,
            "storage": self.place.storage,
        }
        if step == "search":
            left = search.seconds_left
            options |= {
                "data": search.data,
                "seed": search.seed,
                "trials": search.trials,
                "timeout": None if left is None else f"{left:.2f}",
                "bar": search.threshold,
                "jobs": jobs if self.place.jobs else None,
            }
        elif step != "try":
            options |= {"out": folder(search.id) / step}
        command = [sys.executable, "-m", "search", step]
        command += [f"--{name}={value}" for name, value in options.items() if value is not None]
        return command + (list(self.place.options) if step == "search" else [])


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


def _last_line(number: int, part: str) -> str:
    """The last line with a certain part that the process of a search wrote; "" if there is none."""
    if not (folder(number) / "output.txt").exists():
        return ""
    with open(folder(number) / "output.txt", "rb") as output:
        output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL))
        lines = output.read().decode(errors="replace").splitlines()
    found = [line.removeprefix("error: ") for line in lines if part in line]
    return readable(redact.redacted(found[-1])) if found else ""
