"""Train in processes of this machine that stay warm: each imports torch and loads its data once.

A trainer sends ("ready",) or ("broken", None, cause), ("report", number, entry), ("finished", number, score),
("failed", number, cause), ("paused", number, None), ("stopped", number, None). It is sent ("train",
number, config), ("drop", number), and after each report ("verdict", number, epoch, verdict).
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from multiprocessing import resource_tracker
from multiprocessing.connection import wait

from search.errors import TrialbookError, one_line
from search.trainers import CAUSE, GO_ON, Trainer

PATIENCE = 0.1  # seconds that a trainer waits for a verdict before it trains on without
GRACE = 2.0  # seconds that a trainer has to end when it is closed


class Processes:
    """So many trainers, each a process. See `search.trainers`."""

    def __init__(self, study, jobs):
        self._what = study.task.__name__, str(study.data_path), study.device, study.about["digest"]
        self._trainers = [_Process(*self._what) for _ in range(jobs)]
        self._holders = {}  # number of a trial that is paused -> its trainer

    @property
    def free(self):
        return sum(trainer.free for trainer in self._trainers)

    def start(self, number, config):
        training = (trainer for trainer in self._trainers if trainer.number == number)  # about to pause
        holder = self._holders.get(number) or next(training, None)
        trainer = holder or next(trainer for trainer in self._trainers if trainer.free)
        if trainer.free:
            self._holders.pop(number, None)
            trainer.number = number
            trainer.send(("train", number, config))
        else:
            trainer.waiting.append((number, config))

    def drop(self, number):
        if trainer := self._holders.pop(number, None):
            trainer.send(("drop", number))

    @property
    def training(self):
        return {trainer.number for trainer in self._trainers if trainer.ready and not trainer.free}

    def end(self, number):
        for trainer in self._trainers:
            if trainer.number == number:
                trainer.process.kill()  # `listen` hears that it has ended, and replaces it

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
        if kind == "broken":
            raise TrialbookError(f"trainers do not start: {content}")
        if kind == "report":
            trainer.send(("verdict", number, content["epoch"], ear.reported(number, content)))
            return
        trainer.number = None
        if kind == "paused":
            self._holders[number] = trainer
        elif kind == "finished":
            ear.finished(number, content)
        elif kind == "failed":
            ear.failed(number, content)
        if trainer.waiting:
            self.start(*trainer.waiting.pop(0))

    def _replace(self, ear, index):
        """Put a new process in the place of one that has ended."""
        trainer = self._trainers[index]
        end = trainer.end()
        if not trainer.ready:
            raise TrialbookError(f"trainers do not start: {end}")
        self._trainers[index] = _Process(*self._what)
        self._holders = {number: holder for number, holder in self._holders.items() if holder is not trainer}
        if trainer.number is not None:
            ear.failed(trainer.number, end)
        for number, config in trainer.waiting:
            self._holders[number] = self._trainers[index]  # which begins them anew, one after the other
            self.start(number, config)

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
        self.waiting = []  # trials that it holds and is to go on with after that one

    @property
    def free(self):
        return self.number is None

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


def _work(connection, task_name, *what):
    """What a trainer process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):  # the coordinator is gone
        try:
            trainer = Trainer(importlib.import_module(task_name), *what)
        except Exception as error:
            connection.send(("broken", None, one_line(error, CAUSE)))
            return
        connection.send(("ready",))
        while True:
            kind, number, *content = connection.recv()
            if kind == "drop":
                trainer.drop(number)
            elif kind == "train":  # a verdict that comes now is on a training that has ended
                how, result = trainer.go_on(number, *content, _asking(connection, trainer, number))
                connection.send((how, number, result))


def _asking(connection, trainer, number):
    """What reports a trial's epochs, and returns what the coordinator says to each.

    Where its verdict is late, training goes on: the next report hears it. What becomes of the trial
    does not depend on that: the coordinator ignores what it hears of a trial after it has given it up.
    """

    def ask(entry):
        connection.send(("report", number, entry))
        while connection.poll(PATIENCE):
            kind, about, *content = connection.recv()
            if kind == "drop":
                trainer.drop(about)
            elif about == number:
                epoch, verdict = content
                if epoch == entry["epoch"] or verdict != GO_ON:
                    return verdict
        return GO_ON

    return ask


def _end_with_parent():
    """A trainer whose coordinator was killed ends at once, in mid-epoch too."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
