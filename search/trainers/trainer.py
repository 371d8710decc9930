"""Train one configuration after another on data that are loaded once."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch

import data
from objectives.replay import THREADS
from search.errors import TrialbookError
from search.tasks import Task, device, isolation
from search.trainers.groups.descent import Taken
from search.trainers.groups.together import Together, gain, shape_of
from search.trainers.messages import (
    GO_ON,
    PAUSE,
    STOP,
    Config,
    Entry,
    OnGainOf,
    OnReport,
    OnReportOf,
    Outcome,
    Score,
    Verdict,
)
from search.trainers.module_globals import Globals, OwnGlobals
from search.trainers.splits import Split, Splits
from search.trainers.training import Stop, Training

__all__ = ["GO_ON", "PAUSE", "STOP", "Entry", "Stop", "Trainer", "Verdict"]

Arrays = Mapping[str, numpy.ndarray[Any, Any]]


class Trainer:
    """Trains one configuration after another on data that it loads once.

    A training may change its data, its modes and its process: no other training sees that.

    Args:
        task: the module of a task.
        source: the file that its DATA module prepared, or the arrays that it holds.
        device: one of `device.DEVICES`, usable.
        digest: that the data must have; None where any will do.

    Raises data.DataError.
    """

    def __init__(
        self, task: Task, source: Path | str | Arrays, device: str = "cpu", digest: str | None = None
    ) -> None:
        torch.set_num_threads(THREADS)
        torch.optim.SGD([torch.zeros(1)])  # the first optimizer imports for seconds: on no trial's time
        arrays = source if isinstance(source, Mapping) else data.read(source)
        if digest is not None and (found := data.digest(arrays)) != digest:
            name = "the data" if arrays is source else source
            raise data.DataError(f"{name} has changed: its digest is {found}, the study's {digest}")
        self.task = task
        self.device = device
        splits = task.DATA.load(arrays, "train"), task.DATA.load(arrays, "validation")
        self._splits = Splits(*(self._moved(split) for split in splits))
        self._globals = Globals()
        self._paused: dict[int, Training] = {}  # by the trial's number
        self._hanging: list[Training] = []
        self._is_first = True  # whether nothing was trained here yet
        self._gains: dict[Hashable, float] = {}  # by the shape of a network and its batches

    @property
    def splits(self) -> list[Split]:
        """The training and the validation data, as one training gets them."""
        return self._splits.private()

    @property
    def is_spoiled(self) -> bool:
        """Whether a training that was told to end still runs here, and may disturb others."""
        return any(training.hangs for training in self._hanging)

    def train(self, config: object, on_report: OnReport) -> Score:
        """Train a Config of the task; ask `on_report(entry)` after each epoch whether to go on.

        Returns its score on the validation data and that score's standard error. Raises Stop where
        `on_report` returned STOP, TrialbookError where the training failed.
        """
        return self._scores(config, on_report)[0]

    def test(self, config: object, on_report: OnReport, split: Split) -> tuple[Score, Score]:
        """Train as `train` does. Returns the score on the validation data, and that on another split."""
        validation, other = self._scores(config, on_report, Splits(self._moved(split)))
        return validation, other

    def _scores(self, config: object, on_report: OnReport, *more: Splits) -> tuple[Score, ...]:
        training = Training(self.task, lambda: config, self.device, self._splits, self._globals, more)
        outcome = training.advance(on_report)
        if outcome[0] == "finished":
            return outcome[1]
        if outcome[0] == "failed":
            raise TrialbookError(f"the training failed: {outcome[1]}") from training.error
        raise Stop

    def advance(self, number: int, config: Config, on_report: OnReport) -> Outcome:
        """Train a trial until it ends or pauses; where it was paused, resume it.

        Returns ("finished", score), ("failed", cause), ("paused", None) or ("stopped", None).
        """
        ((_, outcome),) = self.advance_together({number: config}, lambda _, entry: on_report(entry))
        return outcome

    def _begun(self, number: int, config: Config) -> Training:
        """The training of a trial: the one that was paused, or a new one."""
        return self._paused.pop(number, None) or self._training(config)

    def _kept(self, number: int, training: Training, outcome: Any) -> Outcome:
        """Keep a training that is paused, or hangs. Returns the outcome for the coordinator."""
        training.error = None  # and with it what the frames of its traceback hold
        if outcome[0] == "paused":
            self._paused[number] = training
        elif training.hangs:
            self._hanging.append(training)
        return ("finished", outcome[1][0]) if outcome[0] == "finished" else outcome

    def advance_together(
        self, configs: Mapping[int, Config], on_report: OnReportOf, on_gain: OnGainOf = lambda _, gain: None
    ) -> Iterator[tuple[int, Outcome]]:
        """Train trials side by side. Yields the number of each that ends or pauses, and its outcome.

        Networks of one shape take their steps as a group, if they can form one.

        Args:
            on_gain: is told how many times as fast networks like that of a trial learn in a group, about: of
                the first trial here before its first step, of those that form no group, and of others when
                they finish.
        """
        trainings = {number: self._begun(number, config) for number, config in configs.items()}
        together, taken = Together(), dict[int, Taken]()
        try:
            while trainings:
                descents = {}
                for number, training in list(trainings.items()):
                    outcome = training.advance_to_descent(partial(on_report, number), taken.get(number))
                    if outcome[0] == "finished" or self._is_first:
                        self._is_first = False
                        on_gain(number, self._gain(training))
                    if outcome[0] == "descent":
                        descents[number] = outcome[1]
                    else:
                        del trainings[number]
                        yield number, self._kept(number, training, outcome)
                if descents:
                    with trainings[min(descents)].active():  # the code of the task finds what it set there
                        taken = together.take(descents)
                    if not taken and len(descents) > 1:
                        for number in descents:
                            self._keep_apart(trainings[number], partial(on_gain, number))
        finally:  # an error of `on_report`, say, ends them all
            for training in trainings.values():
                training.drop()

    def _gain(self, training: Training) -> float:
        """How many times as fast networks like that of a training learn in a group; 1.0 if in none."""
        if training.sample is None:
            return 1.0
        shape = shape_of(*training.sample)
        if shape not in self._gains:
            with isolation.State(self.device), OwnGlobals(self._globals):  # no training sees what it changes
                self._gains[shape] = gain(*training.sample)
        return self._gains[shape]

    def _keep_apart(self, training: Training, on_gain: Callable[[float], object]) -> None:
        """Remember, and tell once, that a network of this shape formed no group, whatever copies of it do."""
        if training.sample and self._gains.get(shape := shape_of(*training.sample)) != 1.0:
            self._gains[shape] = 1.0
            on_gain(1.0)

    def drop(self, number: int) -> None:
        """End the training of a paused trial."""
        if training := self._paused.pop(number, None):
            training.drop()
            if training.hangs:
                self._hanging.append(training)

    def close(self) -> None:
        """End the trainings of all paused trials."""
        for number in list(self._paused):
            self.drop(number)

    def _training(self, config: Config) -> Training:
        values = dict(config)
        return Training(
            self.task, lambda: self.task.Config(**values), self.device, self._splits, self._globals
        )

    def _moved(self, split: Split) -> Split:
        return split if self.device == "cpu" else device.moved(split, self.device)
