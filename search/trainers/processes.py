"""Train in processes of this machine that stay warm: each imports torch and loads its data once.

A trainer sends ("ready",), ("report", number, entry), ("finished", number, score),
("failed", number, cause), ("stopped", number). It is sent ("train", number, config), and after
each report ("verdict", number, epoch, go_on).
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from multiprocessing import resource_tracker
from multiprocessing.connection import wait

from search.errors import TrialbookError
from search.trainers import Stop, Trainer, cause_of

PATIENCE = 0.1  # seconds that a trainer waits for a verdict before it trains on without
GRACE = 2.0  # seconds that a trainer has to end when it is closed


class Processes:
    """So many trainers, each a process. See `search.trainers`."""

    def __init__(self, study, jobs):
        self._what = study.task.__name__, str(study.data_path), study.device
        self._trainers = [_Process(*self._what) for _ in range(jobs)]

    @property
    def free(self):
        return sum(trainer.number is None for trainer in self._trainers)

    def start(self, number, config):
        trainer = next(trainer for trainer in self._trainers if trainer.number is None)
        trainer.number = number
        trainer.send(("train", number, config))

    def listen(self, ear, seconds):
        for connection in wait([trainer.connection for trainer in self._trainers], seconds):
            index = next(i for i, trainer in enumerate(self._trainers) if trainer.connection is connection)
            trainer = self._trainers[index]
            try:
                message = connection.recv()
            except (EOFError, ConnectionError):
                self._replace(ear, index)
            else:
                self._hear(ear, trainer, *message)

    def _hear(self, ear, trainer, kind, number=None, content=None):
        if kind == "ready":
            trainer.ready = True
            return
        if kind == "report":
            trainer.send(("verdict", number, content["epoch"], ear.reported(number, content)))
            return
        trainer.number = None
        if kind == "finished":
            ear.finished(number, content)
        elif kind == "failed":
            ear.failed(number, content)

    def _replace(self, ear, index):
        """Put a new process in the place of one that has ended."""
        trainer = self._trainers[index]
        end = trainer.end()
        if not trainer.ready:
            raise TrialbookError(f"trainers do not start: {end}")
        self._trainers[index] = _Process(*self._what)
        if trainer.number is not None:
            ear.failed(trainer.number, end)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for trainer in self._trainers:
            trainer.process.kill()
        for trainer in self._trainers:
            trainer.end()


class _Process:
    """One trainer process, seen from here."""

    def __init__(self, *what):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, *what), daemon=True)
        # Ctrl-C reaches the whole group. What becomes of the trainers is for the coordinator to say.
        resource_tracker.ensure_running()  # starting it, as the first process would, unblocks signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.process.start()  # it inherits what is blocked
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.ready = False  # its data is loaded
        self.number = None  # of the trial that it trains

    def send(self, message):
        with contextlib.suppress(ConnectionError):  # it has ended: `listen` will hear so
            self.connection.send(message)

    def end(self):
        """Wait for its end, and say in words what that was."""
        self.process.join(GRACE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.connection.close()
        code = self.process.exitcode
        if code < 0:
            return f"the trainer was ended by {signal.Signals(-code).name}"
        return f"the trainer exited with code {code}"


def _work(connection, task_name, data_path, device):
    """What a trainer process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    trainer = Trainer(importlib.import_module(task_name), data_path, device)
    with contextlib.suppress(EOFError, ConnectionError):  # the coordinator is gone
        connection.send(("ready",))
        while True:
            kind, number, config, *_ = connection.recv()
            if kind == "train":  # a verdict that comes now is on a training that has ended
                connection.send(_train(trainer, number, config, connection))


def _train(trainer, number, config, connection):
    """Train a configuration. Returns the message that says how it ended."""
    try:
        return "finished", number, trainer.train(config, lambda entry: _ask(connection, number, entry))
    except Stop:
        return "stopped", number
    except Exception as error:
        return "failed", number, cause_of(error)


def _ask(connection, number, entry):
    """Report an epoch; whether to go on. Where the verdict is late it trains on: the next report hears it.

    What becomes of the trial does not depend on that: the coordinator ignores what it hears of a
    trial after it has given it up.
    """
    connection.send(("report", number, entry))
    while connection.poll(PATIENCE):
        _, judged, epoch, go_on = connection.recv()
        if judged == number and not go_on:
            return False
        if judged == number and epoch == entry["epoch"]:
            break
    return True


def _end_with_parent():
    """A trainer whose coordinator was killed ends at once, in mid-epoch too."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
