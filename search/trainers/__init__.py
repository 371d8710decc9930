"""Where training runs is a plug: `inline` in this process, `processes` on this machine, `ray` on many.

A plug has

    jobs                      how many trainers there are
    free                      how many trials could start now
    start(number, config)     train a configuration; go on where it is where it was paused
    drop(number)              forget a trial that is paused
    training                  the trials that train now, as a set of numbers: it may be asked to end one
    end(number)               end a training that hangs, and its trainer with it
    listen(ear, seconds)      hear what happened, for so long at most, and tell `ear`:
                              ear.reported(number, entry) -> GO_ON, PAUSE or STOP
                              ear.finished(number, score)
                              ear.failed(number, cause)
                              ear.lost(number, cause): its machine is gone, and it is to be tried again

and is a context manager, which stops all that still trains at its end. A trial whose trainer ended
while it was paused is trained from its first epoch when it starts again: its reports come twice.

This file is what all plugs do in the trainer itself.
"""

import contextlib
import time

import torch
from greenlet import greenlet

import data
from objectives.replay import THREADS
from search import devices
from search.errors import one_line

CAUSE = 500  # letters of the cause of a failure that are kept
GO_ON, PAUSE, STOP = "go on", "pause", "stop"


class Stop(Exception):
    """Raised by `report` where a training is to end."""


class Trainer:
    """Trains one configuration after another on data that it loads once.

    Args:
        task: the module of a task.
        what: the file that its DATA module prepared, or the arrays that it holds.
        device: one of `devices.DEVICES`, usable.
        digest: that the data must have; None where any will do.

    Raises data.DataError.
    """

    def __init__(self, task, what, device="cpu", digest=None):
        torch.set_num_threads(THREADS)
        torch.optim.SGD([torch.zeros(1)])  # the first optimizer imports for seconds: on no trial's time
        arrays = what if isinstance(what, dict) else data.read(what)
        if digest is not None and (found := data.digest(arrays)) != digest:
            raise data.DataError(f"{what} has changed: its digest is {found}, the study's {digest}")
        self.task = task
        self.splits = task.DATA.load(arrays, "train"), task.DATA.load(arrays, "validation")
        self.device = device
        self._paused = {}  # number -> Training
        self._placed = contextlib.nullcontext()
        if device != "cpu":  # not entered for "cpu", which tensors are on anyway: it costs time at each call
            self.splits = tuple(devices.moved(split, device) for split in self.splits)
            self._placed = torch.device(device)  # within it, what a task makes is on the device too

    def train(self, config, reported):
        """Train a configuration; after each epoch ask `reported(entry)` whether to go on.

        Returns its score on the validation data and that score's standard error. Raises Stop
        where `reported` said STOP.
        """
        clock, last = time.perf_counter(), 0

        def report(epoch, metrics):
            nonlocal clock, last
            now = time.perf_counter()
            if type(epoch) is not int or epoch <= last:
                raise ValueError(f"report of epoch {epoch!r} after epoch {last}")
            last = epoch
            entry = {"epoch": epoch, **self._plain(metrics), "seconds": now - clock, "time": time.time()}
            if reported(entry) == STOP:
                raise Stop
            clock = time.perf_counter()

        with self._placed:
            model = self.task.train(config, *self.splits, report)
            value, standard_error = self.task.score(model, self.splits[1])
        return float(value), float(standard_error)

    def _plain(self, metrics):
        """What a task reports, as plain numbers and text. Raises ValueError, TypeError."""
        needed = {"train_loss", "validation_loss", f"validation_{self.task.METRIC}"}
        if missing := needed - metrics.keys():
            raise ValueError(f"a report lacks {', '.join(sorted(missing))}")
        return {name: _plain(name, value, name not in needed) for name, value in metrics.items()}

    def go_on(self, number, config, reported):
        """Train a trial, from where it was paused if it was, until it ends or is to pause.

        Returns how that ended: ("finished", score), ("failed", cause), ("paused", None) or ("stopped", None).
        """
        training = self._paused.pop(number, None) or Training(self, config)
        try:
            score = training.go_on(reported)
        except Stop:
            return "stopped", None
        except Exception as error:
            return "failed", one_line(error, CAUSE)
        if score is None:
            self._paused[number] = training
            return "paused", None
        return "finished", score

    def drop(self, number):
        """Forget a trial that is paused."""
        self._paused.pop(number, None)


class Training:
    """A training that can pause. It then waits inside `report`, which is all that the task's code sees of it.

    It runs in a greenlet: a function that another can leave and come back to. What a task draws at
    random comes from torch's generators, so their state is put back when the training goes on.
    """

    def __init__(self, trainer, config):
        self._greenlet = greenlet(lambda: trainer.train(config, self._ask))
        self._device = trainer.device
        self._generators = None  # their state at the pause

    def go_on(self, reported):
        """Train until it ends or `reported(entry)` says PAUSE. Returns the score, or None at a pause."""
        self._reported = reported
        if self._generators is not None:
            devices.set_generators(self._device, self._generators)
        return self._greenlet.switch()

    def _ask(self, entry):
        verdict = self._reported(entry)
        if verdict == PAUSE:
            self._generators = devices.generators(self._device)
            self._greenlet.parent.switch(None)
        return verdict


def _plain(name, value, may_be_text):
    """A metric as a number, or as text where it may be."""
    if isinstance(value, (int, float)) or (may_be_text and isinstance(value, str)):
        return value
    try:
        return value.item() + 0.0  # of numpy or torch, and a number
    except (AttributeError, ValueError, RuntimeError, TypeError):
        raise TypeError(f"the report's {name!r} is of type {type(value).__name__}, not a number") from None
