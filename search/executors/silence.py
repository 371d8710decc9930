"""Trainers that say nothing for so long that they hang."""

import statistics
import time
from collections.abc import Callable, Sequence, Set
from typing import Protocol

from search.trainers.messages import Config, Entry

HANGS = 10  # times the usual duration of an epoch: a trainer that is silent for longer hangs
MIN_SILENCE, FIRST_SILENCE = 60.0, 600.0  # seconds that are always allowed; while no epoch is known at all


class Trial(Protocol):
    """What is known of a trial: its epochs so far, and its Config."""

    @property
    def curve(self) -> Sequence[Entry]: ...

    @property
    def config(self) -> Config: ...


class Silence:
    """How long nothing was heard of each trial that trains."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}  # since the trial was heard
        self._looked = time.monotonic()
        self._longest = 0.0  # epoch so far, in seconds

    def heard(self, number: int, entry: Entry) -> None:
        """Take in that a trial reported an epoch."""
        self._seconds.pop(number, None)
        self._longest = max(self._longest, entry["seconds"])

    def hanging(self, training: Set[int], trial_of: Callable[[int], Trial]) -> list[int]:
        """The numbers of the trials that train in silence for far longer than an epoch takes."""
        # A machine that slept, or a process that was stopped, is no silence of a trainer.
        passed, self._looked = min(time.monotonic() - self._looked, 1.0), time.monotonic()
        self._seconds = {number: self._seconds.get(number, 0.0) + passed for number in training}
        silent = [number for number in training if self._seconds[number] > MIN_SILENCE]
        return [number for number in silent if self._seconds[number] > self._patience(trial_of(number))]

    def _patience(self, trial: Trial) -> float:
        """The seconds for which a trial may train in silence."""
        took = [entry["seconds"] for entry in trial.curve]
        if trial.curve and trial.curve[-1]["epoch"] == trial.config.get("epochs"):
            expected = sum(took)  # it is being scored, which can take as long as all of that
        else:
            expected = statistics.median(took) if took else self._longest
        return HANGS * expected if expected else FIRST_SILENCE
