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

A `Trainer` is what all plugs have in the trainer itself; it also trains outside a search. Its parts:

    training    one training, in a thread of its own, which pauses and goes on
    received    checks and converts what a task hands over: reports, a score, an exception
    isolation   keeps the state of the process that a task may change apart for each training
    splits      gives each training data of its own
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

import data
from objectives.replay import THREADS
from search.errors import TrialbookError
from search.tasks import device
from search.trainers.module_globals import Globals
from search.trainers.splits import Split, Splits
from search.trainers.training import CAUSE, GO_ON, PAUSE, STOP, Message, Stop, Training

__all__ = ["CAUSE", "GO_ON", "PAUSE", "STOP", "Stop", "Trainer"]

Score = tuple[float, float]  # a score and its standard error


class Trainer:
    """Trains one configuration after another on data that it loads once.

    Whatever a training changes in its data, its modes or its process, no other training sees.

    Args:
        task: the module of a task.
        source: the file that its DATA module prepared, or the arrays that it holds.
        device: one of `devices.DEVICES`, usable.
        digest: that the data must have; None where any will do.

    Raises data.DataError.
    """

    def __init__(
        self, task: ModuleType, source: Path | str | dict, device: str = "cpu", digest: str | None = None
    ) -> None:
        torch.set_num_threads(THREADS)
        torch.optim.SGD([torch.zeros(1)])  # the first optimizer imports for seconds: on no trial's time
        arrays = source if isinstance(source, dict) else data.read(source)
        if digest is not None and (found := data.digest(arrays)) != digest:
            raise data.DataError(f"{source} has changed: its digest is {found}, the study's {digest}")
        self.task = task
        self.device = device
        splits = task.DATA.load(arrays, "train"), task.DATA.load(arrays, "validation")
        self._splits = Splits(*(self._moved(split) for split in splits))
        self._globals = Globals()
        self._paused: dict[int, Training] = {}  # by the trial's number
        self._hanging: list[Training] = []

    @property
    def splits(self) -> list[Split]:
        """The training and the validation data, as one training gets them."""
        return self._splits.private()

    @property
    def is_spoiled(self) -> bool:
        """Whether code of a training that was to end still runs here, and may disturb others."""
        return any(training.hangs for training in self._hanging)

    def train(self, config: object, reported: Callable[[dict], str]) -> Score:
        """Train a configuration; after each epoch ask `reported(entry)` whether to go on.

        Returns its score on the validation data and that score's standard error. Raises Stop
        where `reported` said STOP, TrialbookError where the training failed.
        """
        return self._scores(config, reported)[0]

    def test(self, config: object, reported: Callable[[dict], str], split: Split) -> tuple[Score, Score]:
        """Train as `train` does. Returns the score on the validation data, and that on another split."""
        return self._scores(config, reported, Splits(self._moved(split)))

    def _scores(self, config: object, reported: Callable[[dict], str], *more: Splits) -> tuple[Score, ...]:
        training = Training(self.task, config, self.device, self._splits, self._globals, more)
        how, content = training.advance(reported)
        if how == "stopped":
            raise Stop
        if how == "failed":
            raise TrialbookError(f"the training failed: {content}") from training.error
        return content

    def advance(self, number: int, config: object, reported: Callable[[dict], str]) -> Message:
        """Train a trial, from where it was paused if it was, until it ends or is to pause.

        Returns how that ended: ("finished", score), ("failed", cause), ("paused", None) or ("stopped", None).
        """
        training = self._paused.pop(number, None)
        training = training or Training(self.task, config, self.device, self._splits, self._globals)
        how, content = training.advance(reported)
        training.error = None  # and with it what the frames of its traceback hold
        if how == "paused":
            self._paused[number] = training
        elif training.hangs:
            self._hanging.append(training)
        return how, content[0] if how == "finished" else content

    def drop(self, number: int) -> None:
        """End the training of a trial that is paused."""
        if training := self._paused.pop(number, None):
            training.drop()
            if training.hangs:
                self._hanging.append(training)

    def _moved(self, split: Split) -> Split:
        return split if self.device == "cpu" else device.moved(split, self.device)
