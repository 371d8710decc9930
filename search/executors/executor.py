"""The interfaces between a coordinator and the trainers, wherever those run."""

import os
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from search.trainers.messages import GO_ON, PAUSE, STOP, Config, Entry, Score, Verdict

if TYPE_CHECKING:  # importing it imports torch, which the coordinator's process does not need
    from search.tasks import Task

__all__ = ["GO_ON", "LAST_QUARTER", "PAUSE", "STOP", "Executor", "Listener", "TrainingSource", "Verdict"]


LAST_QUARTER = 0.75  # of its epochs, after which a training is not interrupted any more


class TrainingSource(Protocol):
    """What an executor trains on: a study, or anything that names a task and its data."""

    @property
    def task(self) -> "Task": ...

    @property
    def data_path(self) -> Path:
        """The file that the task's DATA module prepared."""

    @property
    def device(self) -> str:
        """One of `search.tasks.device.DEVICES`."""

    @property
    def digest(self) -> str | None:
        """The digest that the data must have; None where any will do."""


class Listener(Protocol):
    """A coordinator, as an executor tells it of its trials."""

    def reported(self, number: int, entry: Entry) -> Verdict:
        """A trial finished an epoch. After PAUSE or STOP, its trainer is free for another trial."""

    def finished(self, number: int, score: Score) -> None:
        """A trial was trained to its end."""

    def failed(self, number: int, cause: str) -> None:
        """A trial ended with an error, or its trainer ended."""

    def lost(self, number: int, cause: str) -> None:
        """A trial's trainer was lost through no fault of the trial, which is to be tried again.

        Of trials that trained together nobody knows which one ended their trainer: all of them are lost.
        """

    def measured(self, number: int, gain: float) -> None:
        """How many times as fast networks like that of a trial train together, about."""


class Executor(Protocol):
    """Trainers, and the trials that they train. Within a `with` statement; its end stops them all.

    A trial that pauses stays in its trainer. Where that trainer ends meanwhile, the trial is trained from
    its first epoch when it starts again: its reports come twice.
    """

    @property
    def jobs(self) -> int:
        """The number of trainers."""

    @property
    def free(self) -> int:
        """The number of trials that could start now."""

    @property
    def training(self) -> Set[int]:
        """The numbers of the trials that train now, any of which `end` may end."""

    def start(self, number: int, config: Config) -> None:
        """Train a trial, given the plain values of its Config; resume it where it was paused."""

    def start_together(self, configs: Mapping[int, Config]) -> None:
        """Train new trials of one shape side by side in one trainer, given their numbers and Configs."""

    def drop(self, number: int) -> None:
        """Forget a paused trial."""

    def end(self, number: int) -> None:
        """End a training that hangs, and its trainer with all that it trains."""

    def listen(self, listener: Listener, seconds: float) -> None:
        """Wait for at most so many seconds, and tell the listener what happened."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: object) -> None:
        """Stop everything that still trains."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
