"""A server that is started again when it ends."""

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time

from search import paths
from search.errors import StoreError

LOOK = 0.1  # seconds between two looks at what runs
FIRST, LONGEST = 0.5, 30.0  # seconds until what ended is started again: doubled each time
STEADY = 60.0  # seconds after which a server counts as one that runs
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # of Linux


class Part:
    """A server that is started again when it ends: soon, and ever more rarely where it ends soon again.

    Args:
        name: what it is called.
        command: what starts it.
        ends: the signals that it ends by, the kindest first, each with the seconds that it has then.
        how: what else `subprocess.Popen` takes.
    """

    def __init__(self, name, command, ends, **how):
        self.name, self._command, self._ends, self._how = name, command, ends, how
        self.said = paths.stack() / f"{name.lower()}.log"
        self._process, self._due, self._pause = None, None, FIRST

    def start(self, answers, stopping):
        """Start it, and wait until it answers or all is to stop. Raises StoreError where it ends instead."""
        print(f"Starting {self.name} ...", flush=True)
        self._begin()
        while not answers() and not stopping():
            if self._process.poll() is not None:
                last = self.said.read_text(errors="replace").strip().rpartition("\n")[2]
                raise StoreError(f"{self.name} {self._end()}; last it said: {last} (all of it: {self.said})")
            pause()

    def look(self):
        """Where it ended, say so, and start it again when it is time."""
        now = time.monotonic()
        if self._due is not None:
            if now >= self._due:
                self._begin()
        elif self._process.poll() is not None:
            self._pause = FIRST if now > self._began + STEADY else min(2 * self._pause, LONGEST)
            self._due = now + self._pause
            again = f"it is started again in {self._pause:g} s"
            print(f"{self.name} {self._end()}: {again} (what it said: {self.said})", flush=True)

    def stop(self):
        """End it, and all that it started."""
        if self._process is None:
            return
        for number, seconds in self._ends.items():
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                break
        self._kill()

    def _begin(self):
        self._kill()
        with open(self.said, "ab") as said:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # Ctrl-C reaches the whole group: what ends when is said here
                preexec_fn=functools.partial(_end_with_parent, next(iter(self._ends))),
                **self._how,
            )
        self._began, self._due = time.monotonic(), None

    def _kill(self):
        """End what is left of it: where its first process was killed, others that it started may live on."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _end(self):
        code = self._process.returncode
        return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def pause():
    """Let the time pass until the next look."""
    threading.Event().wait(LOOK)


def _end_with_parent(number):
    """Have a new process be sent a signal when this one ends, however it does: only Linux can."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, number)
