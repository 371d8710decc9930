"""The vocabulary between a trainer and its coordinator: plain data. Nothing here imports torch."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Literal

MAX_CAUSE = 500  # letters of the cause of a failure that are kept

Config = Mapping[str, Any]  # the fields of a task's Config, as plain values
Entry = dict[str, Any]  # one epoch: its number, seconds and time, and metrics, which are numbers or texts
Score = tuple[float, float]  # a score and its standard error


class Verdict(StrEnum):
    """The answer to the report of an epoch. Its values travel to other processes and machines."""

    GO_ON = "go on"
    PAUSE = "pause"
    STOP = "stop"


GO_ON, PAUSE, STOP = Verdict.GO_ON, Verdict.PAUSE, Verdict.STOP

OnReport = Callable[[Entry], Verdict]
OnReportOf = Callable[[int, Entry], Verdict]  # with the number of the trial
OnGainOf = Callable[[int, float], object]  # with that number, too

Failed = tuple[Literal["failed"], str]  # with its cause, in one line
Paused = tuple[Literal["paused"], None]
Stopped = tuple[Literal["stopped"], None]
Outcome = tuple[Literal["finished"], Score] | Failed | Paused | Stopped
