"""Train in processes of this machine that stay warm: each loads its data once.

They are forked off a server process that has imported torch and has done nothing with it, so that one more
is there at once, and they share its memory. They are talked to in JSON.
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
from multiprocessing.connection import wait

from search.executors.pool import Pool
from search.executors.worker import work

GRACE = 2.0  # seconds that a trainer has to end when it is closed
PRELOADED = ["torch", "torch._dynamo"]  # the second is what the first optimizer imports, for seconds
PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when the thread that forked it has ended
SACRIFICE = "500"  # of 1000: how gladly the system ends a trainer when memory is full, and not the search


class Processes(Pool):
    """So many trainers, each a process. See `search.trainers.trainer`."""

    def __init__(self, study, jobs):
        self._what = study.task.__name__, str(study.data_path), study.device, study.description.digest
        super().__init__(jobs)

    def _begin(self):
        return _Process(*self._what)

    def _heard(self, seconds):
        # A process that a trainer started may hold the connection open: the sentinel tells that it has ended.
        signs = {trainer.line.connection: trainer for trainer in self._trainers}
        signs |= {trainer.process.sentinel: trainer for trainer in self._trainers}
        return list({id(signs[sign]): signs[sign] for sign in wait(list(signs), seconds)}.values())


class _Process:
    """One trainer process, seen from here."""

    def __init__(self, *what):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        ours, theirs = context.Pipe()
        self.line = _Line(ours)
        self.process = context.Process(target=_work, args=(theirs, *what), daemon=True)
        # Ctrl-C reaches the whole group. What becomes of the trainers is for the coordinator to say.
        resource_tracker.ensure_running()  # starting it, as the first process would, unblocks signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.process.start()  # it inherits what is blocked, by way of the server
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.ready, self.spoiled, self.number, self.waiting = False, False, None, []

    def send(self, *message):
        with contextlib.suppress(ConnectionError):  # it has ended: `receive` will say so
            self.line.send(*message)

    def receive(self):
        try:
            message = self.line.receive(0)
        except ConnectionError:
            raise EOFError from None
        if message is None:  # heard of by its sentinel, after all that it said
            raise EOFError
        return [message]

    def kill(self):
        self.process.kill()

    def end(self):
        self.process.join(GRACE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.line.connection.close()
        code = self.process.exitcode
        if code == -signal.SIGKILL:
            return "the trainer was ended by SIGKILL, as a system does that runs out of memory"
        if code < 0:
            return f"the trainer was ended by {signal.Signals(-code).name}"
        return f"the trainer exited with code {code}"

    def was_lost(self):
        return False  # it shares its machine with the search


class _Line:
    """A connection that carries JSON."""

    def __init__(self, connection):
        self.connection = connection

    def send(self, *message):
        self.connection.send_bytes(json.dumps(message).encode())

    def receive(self, seconds):
        if self.connection.poll(seconds):
            return json.loads(self.connection.recv_bytes())
        return None


def _work(connection, *what):
    """What a trainer process does."""
    multiprocessing.current_process().daemon = False  # a task may start processes, as a DataLoader does
    multiprocessing.set_start_method(None, force=True)  # and does so as in a script
    os.register_at_fork(after_in_child=_end_with_training)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(SACRIFICE)
    with contextlib.suppress(EOFError, ConnectionError):  # the coordinator is gone
        work(_Line(connection), *what)


def _end_with_training():
    """A process that a task forked ends with its training, or with the trainer, however that ends."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # by which torch ends a DataLoader's workers
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_parent():
    """A trainer whose coordinator was killed ends at once, in mid-epoch too."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
