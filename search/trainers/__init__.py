"""Where training runs is a plug: `inline` in this process, `processes` on this machine.

A plug has

    free                      how many trials could start now
    start(number, config)     train a configuration
    listen(ear, seconds)      hear what happened, for so long at most, and tell `ear`:
                              ear.reported(number, entry) -> whether to go on
                              ear.finished(number, score)
                              ear.failed(number, cause)

and is a context manager, which stops all that still trains at its end.

This file is what all plugs do in the trainer itself.
"""

import contextlib
import time

import torch

import data
from objectives.replay import THREADS
from search import devices


class Stop(Exception):
    """Raised by `report` where a training is to end."""


class Trainer:
    """Trains one configuration after another on data that it loads once.

    Args:
        task: the module of a task.
        data_path: the file that its DATA module prepared.
        device: one of `devices.DEVICES`, usable.
    """

    def __init__(self, task, data_path, device="cpu"):
        torch.set_num_threads(THREADS)
        torch.optim.SGD([torch.zeros(1)])  # the first optimizer imports for seconds: on no trial's time
        arrays = data.read(data_path)
        self.task = task
        self.splits = task.DATA.load(arrays, "train"), task.DATA.load(arrays, "validation")
        self._placed = contextlib.nullcontext()
        if device != "cpu":  # not entered for "cpu", which tensors are on anyway: it costs time at each call
            self.splits = tuple(devices.moved(split, device) for split in self.splits)
            self._placed = torch.device(device)  # within it, what a task makes is on the device too

    def train(self, config, reported):
        """Train a configuration; after each epoch ask `reported(entry)` whether to go on.

        Returns its score on the validation data and that score's standard error. Raises Stop
        where `reported` said no.
        """
        clock = time.perf_counter()

        def report(epoch, metrics):
            nonlocal clock
            now = time.perf_counter()
            entry = {"epoch": epoch, **metrics, "seconds": now - clock, "time": time.time()}
            if not reported(entry):
                raise Stop
            clock = time.perf_counter()

        with self._placed:
            model = self.task.train(config, *self.splits, report)
            value, standard_error = self.task.score(model, self.splits[1])
        return float(value), float(standard_error)


def cause_of(error):
    """An exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
