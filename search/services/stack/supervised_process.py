"""A server process that is restarted when it ends, and that ends with this program."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from search import paths
from search.errors import StoreError

POLL_SECONDS = 0.1
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds until a restart: doubled each time
STEADY_SECONDS = 60.0  # a server that ran so long is healthy: its next delay is the first one again


@dataclass(frozen=True, kw_only=True)
class Server:
    """How to run a server.

    Attributes:
        name: what messages and the log file call it.
        command: the program and its arguments.
        answers: whether the server can be used now.
        stop_signals: the signals that end it, gentlest first, each with the seconds it gets to obey.
        options: further arguments of `subprocess.Popen`.
        folder: where its output is kept.
    """

    name: str
    command: Sequence[str]
    answers: Callable[[], bool]
    stop_signals: Mapping[signal.Signals, float]
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = field(default_factory=paths.stack)

    @property
    def log(self) -> Path:
        """The file that collects the server's output."""
        return self.folder / f"{self.name.lower()}.log"


class SupervisedProcess:
    """The process of a server. Leaving the `with` block ends it and every process it started."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._restart_at: float | None = None
        self._delay = FIRST_DELAY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Start the server and wait until it answers, or until `stopping`.

        Raises StoreError if it ends first.
        """
        process = self._spawn()
        while not self.server.answers() and not stopping():
            if process.poll() is not None:
                last_line = self.server.log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise StoreError(
                    f"{self.server.name} {_ending(process)}; last it said: {last_line} "
                    f"(all of it: {self.server.log})"
                )
            time.sleep(POLL_SECONDS)

    def watch(self) -> None:
        """Report that the server ended, if it did, and restart it once its delay is over.

        Each delay is twice the last one if the server ended soon after its start.
        """
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._spawn()
        elif self._process is not None and self._process.poll() is not None:
            steady = now > self._started + STEADY_SECONDS
            self._delay = FIRST_DELAY if steady else min(2 * self._delay, LONGEST_DELAY)
            self._restart_at = now + self._delay
            print(
                f"{self.server.name} {_ending(self._process)}: it is started again in {self._delay:g} s "
                f"(what it said: {self.server.log})",
                flush=True,
            )

    def stop(self) -> None:
        """End the server, and every process that it started."""
        if self._process is None:
            return
        for number, seconds in self.server.stop_signals.items():
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                break
        self._kill_group()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._kill_group()
        with open(self.server.log, "ab") as log:
            self._process = subprocess.Popen(
                [*_with_death_signal(self.server), *self.server.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches this program alone, which ends its servers in order
                **self.server.options,
            )
        self._started, self._restart_at = time.monotonic(), None
        return self._process

    def _kill_group(self) -> None:
        """Kill what is left: a process that was killed may leave others that it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _with_death_signal(server: Server) -> list[str]:
    """The prefix of a command by which Linux ends a server when this program is killed; elsewhere empty."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", next(iter(server.stop_signals)).name, "--"] if setpriv else []


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
