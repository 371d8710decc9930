"""Train in processes of this machine that stay warm: each loads its data once.

They are forked off a server process that has imported torch and has done nothing with it. So one more is
there at once, and they share its memory. Messages to and from them are JSON.
"""

import contextlib
import ctypes
import json
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from search.executors.executor import TrainingSource
from search.executors.pool import Pool, RemoteTrainer
from search.executors.worker import Message, work

GRACE = 2.0  # seconds that a trainer has to end when it is closed
PRELOADED = ["torch", "torch._dynamo"]  # the second is what the first optimizer imports, for seconds
PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when the thread that forked it has ended
SACRIFICE = "500"  # of 1000: how gladly the system ends a trainer when memory is full, and not the search


Args = tuple[str, str, str, str | None]  # of `work`: the task's module, the data, the device, the digest


class _Process(RemoteTrainer):
    """One trainer process, as the coordinator's process sees it."""

    def __init__(self, *args: *Args) -> None:
        super().__init__()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        ours, theirs = context.Pipe()
        self.channel = _Channel(ours)
        self.process = context.Process(target=_work, args=(theirs, *args), daemon=True)
        # Ctrl-C reaches the whole group, but only the coordinator decides what becomes of the trainers.
        resource_tracker.ensure_running()  # starting it, as the first process would, unblocks signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.process.start()  # it inherits what is blocked, by way of the server
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def send(self, *message: Any) -> None:
        with contextlib.suppress(ConnectionError):  # it has ended: `receive` will say so
            self.channel.send(*message)

    def receive(self) -> list[Message]:
        try:
            message = self.channel.receive(0)
        except ConnectionError:
            raise EOFError from None
        if message is None:  # its sentinel told of it, after all its messages
            raise EOFError
        return [message]

    def kill(self) -> None:
        self.process.kill()

    def end(self) -> str:
        self.process.join(GRACE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.channel.connection.close()
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"the trainer exited with code {code}"
        if code == -signal.SIGKILL:
            return "the trainer was ended by SIGKILL, as a system does that runs out of memory"
        return f"the trainer was ended by {signal.Signals(-code).name}"

    def was_lost(self) -> bool:
        return False  # it shares its machine with the search


class Processes(Pool[_Process]):
    """An Executor of so many trainers, each a process."""

    def __init__(self, study: TrainingSource, jobs: int) -> None:
        self._args: Args = study.task.__name__, str(study.data_path), study.device, study.digest
        super().__init__(jobs)

    def _new_trainer(self) -> _Process:
        return _Process(*self._args)

    def _poll(self, seconds: float) -> list[_Process]:
        # A process that a trainer started may hold the connection open: the sentinel tells that it has ended.
        by_sign: dict[Any, _Process] = {each.channel.connection: each for each in self._trainers}
        by_sign |= {each.process.sentinel: each for each in self._trainers}
        return list(dict.fromkeys(by_sign[sign] for sign in wait(list(by_sign), seconds)))


class _Channel:
    """A connection that carries JSON."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self.connection = connection

    def send(self, *message: Any) -> None:
        self.connection.send_bytes(json.dumps(message).encode())

    def receive(self, seconds: float | None) -> Message | None:
        if self.connection.poll(seconds):
            message: Message = json.loads(self.connection.recv_bytes())
            return message
        return None


def _work(connection: "Connection[Any, Any]", *args: *Args) -> None:
    """Be a trainer process."""
    multiprocessing.current_process().daemon = False  # a task may start processes, as a DataLoader does
    multiprocessing.set_start_method(None, force=True)  # and does so as in a script
    os.register_at_fork(after_in_child=_end_with_training)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(SACRIFICE)
    with contextlib.suppress(EOFError, ConnectionError):  # the coordinator is gone
        work(_Channel(connection), *args)


def _end_with_training() -> None:
    """Have a process that a task forked end with its training, or with the trainer, however that ends."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # by which torch ends a DataLoader's workers
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_parent() -> None:
    """End a trainer whose coordinator was killed at once, in mid-epoch too."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
    os._exit(1)
