"""The processes of the running searches: started, found again, ended.

Each is the command that a person would type. It outlives the service, and the next service finds it again by
its lock. So no search starts twice.
"""

import contextlib
import datetime
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from sqlalchemy.exc import SQLAlchemyError

from search.client.models import State
from search.errors import NoWinner, StoreError, StudyConflict, TrialbookError
from search.primitives import redact
from search.primitives.text import one_line, readable
from search.services.queue import process, steps
from search.services.queue.queue import SERVICE, Queue
from search.services.queue.steps import Place
from search.services.queue.tables import Search, cause
from search.storage import StudyStore
from search.strategy import winner
from search.study.stored import StoredStudy

LEAST_SECONDS = 1.0  # of searching: with less left, a search is done
MAX_KILLS = 3  # in a row, after which a search has failed
PATIENCE = 20.0  # seconds that a process gets to end after a signal
STOPPED = "the service was stopped"


class Runner:
    """Starts and ends the processes of searches, one `tick` after the other, in one thread.

    Args:
        queue: of the searches.
        store: of the studies.
        place: where searches run.
        claim: raises an error if another service may start searches of the queue: see `claim`.
    """

    def __init__(
        self, queue: Queue, store: StudyStore, place: Place, claim: Callable[[], object] = lambda: None
    ) -> None:
        self.queue, self.store, self.place, self._claim = queue, store, place, claim
        self.fault = ""  # why the last tick failed; empty if it did not
        self._processes: dict[int, subprocess.Popen[bytes]] = {}  # those that this service started
        self._signalled: dict[int, float] = {}  # search -> when its process was told to end

    def recover(self) -> None:
        """Take up what was asked of searches that were done, if the service was killed before it could."""
        with self._noting([]):
            for search in self.queue.all(state=State.DONE):
                with self._noting([]):
                    self._take_up(search)

    def tick(self) -> None:
        """Look at each running search, then start those whose turn it is. The fault of one stops no other."""
        faults: list[str] = []
        with self._noting(faults):
            self._claim()
            self._resume_stopped()
            for search in self.queue.all(state=State.SEARCHING):
                with self._noting(faults):
                    self._follow(search)
            self._start_waiting()
        self.fault = faults[0] if faults else ""

    @contextlib.contextmanager
    def _noting(self, faults: list[str]) -> Iterator[None]:
        """Note why something failed: a disk is full, a database is away, or this program has a fault."""
        try:
            yield
        except SQLAlchemyError as error:
            faults.append(readable(redact.redacted(cause(error))))
        except TrialbookError as error:
            faults.append(readable(redact.redacted(str(error))))
        except OSError as error:
            faults.append(readable(redact.redacted(one_line(error))))
        except Exception as error:
            faults.append(f"a fault of this program: {readable(redact.redacted(one_line(error)))}")
            if self.fault != faults[0]:  # it comes again with each tick
                logging.getLogger(__name__).exception("The queue goes on without this search.")

    def stop(self, seconds: float) -> bool:
        """Pause all running searches. Returns whether all of them ended in time."""
        faults: list[str] = []
        with self._noting(faults):
            self._claim()
            for search in self.queue.all(state=State.SEARCHING):
                if not search.wanted:
                    self.queue.pause(search.id, SERVICE, STOPPED)
            deadline = time.monotonic() + seconds
            while running := self.queue.all(state=State.SEARCHING):
                for search in running:
                    with self._noting(faults):
                        self._follow(search)
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
        return not faults

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
        if process.send(number, signal_number):
            self._signalled[number] = time.monotonic()

    def is_alive(self, number: int) -> bool:
        """Whether the process of a search lives, whoever started it."""
        started = self._processes.get(number)
        if started is None:
            return process.is_locked(number)
        return started.poll() is None  # at its end its lock is free before its exit code is known

    def _ended(self, search: Search) -> None:
        """Write what became of a search whose process ended."""
        started, was_told = self._processes.get(search.id), search.id in self._signalled
        code = started.returncode if started else None  # unknown if an earlier service started it
        search = self.queue.spend(search.id, self._spent(search, started is not None))
        if search.wanted:
            self.queue.settle(search.id)
        elif code == 0:
            self._go_on(search)
        elif code in (130, 143) or was_told:
            self.queue.set_state(search.id, State.PAUSED, SERVICE, "a signal stopped its process")
        elif code == StudyConflict.exit_code:  # such as MLflow's pages, which complete logs as they start
            self._killed(search, "another program held its study")
        elif code == StoreError.exit_code and search.step in ("search", "try"):
            self._killed(search, "its database or its disk was not available")
        elif code is not None and code > 0 and process.pid(search.id):
            self._failed(search)
        else:
            self._killed(search)
        if self._processes.get(search.id) is started:  # else the next step runs
            self._forget(search.id)

    def _forget(self, number: int) -> None:
        """Forget the process of a search, once it is written what became of it."""
        self._processes.pop(number, None)
        self._signalled.pop(number, None)

    def _killed(self, search: Search, why: str = "its process was killed") -> None:
        """Let a search resume whose process was killed, or ended while no service ran; but not for ever."""
        if not process.pid(search.id):
            self.queue.set_state(search.id, State.QUEUED, SERVICE, "its process did not start: it resumes")
        elif search.kills >= MAX_KILLS:
            reason = f"{why} {search.kills + 1} times"
            self.queue.set_state(search.id, State.FAILED, SERVICE, reason)
        else:
            reason = f"{why}: it resumes"
            self.queue.set_state(search.id, State.QUEUED, SERVICE, reason, kills=search.kills + 1)

    def _go_on(self, search: Search) -> None:
        """Start the next step of a search, in the same turn; after the last one it is done."""
        if self._has_more(search):
            return
        if (step := steps.NEXT[search.step]) and self._has_winner(search):
            self._start(search, step, 1, steps.REASONS[step])
        else:
            self._done(search, process.last_line(search.id, "; stopped ") or "its time was over")

    def _has_more(self, search: Search) -> bool:
        """Start what was asked for while a step ran. Returns whether there was anything."""
        if search.extended:
            self._start(search, "search", max(1, search.jobs), "its limits were raised")
        elif search.step != "try" and self._asked(search):
            self._start(search, "try", 1, steps.REASONS["try"])
        else:
            return False
        return True

    def _done(self, search: Search, reason: str) -> None:
        self.queue.set_state(search.id, State.DONE, SERVICE, reason, step="search", kills=0)
        self._take_up(search)

    def _take_up(self, search: Search) -> None:
        """Let a search that is done wait for a turn once more if it was asked for something meanwhile."""
        if self._asked(search):
            self.queue.work(search.id, SERVICE, "to do what was asked of it")

    def _asked(self, search: Search) -> bool:
        return bool(self.store.requests(search.study).pending())

    def _failed(self, search: Search) -> None:
        """Write that a step failed. Without a script or a hand-in, a search is done all the same."""
        reason = process.last_line(search.id, "error: ") or "its process ended with an error"
        if search.step in ("search", "try"):
            self.queue.set_state(search.id, State.FAILED, SERVICE, reason)
        elif not self._has_more(search):
            self._done(search, f"no {'script' if search.step == 'export' else 'hand-in'}: {reason}")

    def _has_winner(self, search: Search) -> bool:
        try:
            winner.choose(StoredStudy.read(self.store, search.study))
        except NoWinner:
            return False
        return True

    @staticmethod
    def _spent(search: Search, seen: bool) -> float:
        """Seconds that the process of a search ran. If it ended unseen, its output tells when."""
        written = process.written(search.id)
        if seen or search.started is None or written is None:
            return search.passed()
        began = search.started.replace(tzinfo=datetime.UTC).timestamp()
        return min(search.passed(), max(0.0, written - began))

    # The next ones

    def _resume_stopped(self) -> None:
        """Let searches wait for their turn that an earlier service paused at its end, or soon after it."""
        for search in self.queue.all(state=State.PAUSED):
            if search.reason == STOPPED:
                self.queue.resume(search.id, SERVICE, "the service started again")

    def slots(self) -> int:
        """The searches that run at once, at most."""
        return self.place.jobs or 2 * (os.cpu_count() or 1)

    def _start_waiting(self) -> None:
        """Start the searches whose turn it is, while trainers are free. They share those evenly.

        A search waits while another program holds its study, such as the process of a service that was lost.
        """
        running = self.queue.all(state=State.SEARCHING)
        free = self.slots() - sum(max(1, search.jobs) for search in running)
        owners, used, next_ones = {search.owner for search in running}, self.queue.used(), []
        for search in self.queue.turns():
            if search.owner in owners or not self.queue.has_quota(search.owner, used):
                continue
            if not self.store.holder(search.study):
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
        is_over = step == "search" and left is not None and left < LEAST_SECONDS
        if is_over or step == "try":  # which may have done it, and was killed before it ended
            step = "try" if self._asked(search) else "export"
            if step == "export" and not self._has_winner(search):
                self._done(search, "its time was over" if is_over else "nothing is left to do")
                return
        with process.starting(search.id) as lock:
            self._claim()
            try:
                search = self.queue.begin(search.id, step, jobs, reason, search.state)
            except StudyConflict:  # a person paused or cancelled it just now
                return
            self._forget(search.id)
            if lock is not None:  # else it lives, and the next tick follows it
                command = steps.command(search, step, jobs, self.place)
                self._processes[search.id] = process.start(search.id, command, lock, self.place.storage)
