"""A short training of a task's defaults, for the author of the task. Nothing is written."""

import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from search.errors import TaskError, TrialbookError
from search.tasks import name_of
from search.trainers import GO_ON, STOP, Stop, Trainer

SECONDS = 5.0  # after so many, the training ends with its next report


@dataclass(frozen=True)
class Rehearsal:
    """What came of it."""

    reports: list[dict]  # one for each epoch that was reported
    score: tuple[float, float] | None  # with its standard error; None where the training was ended before
    seconds: float


def rehearse(task: ModuleType, arrays: dict, seconds: float = SECONDS) -> Rehearsal:
    """Train a task's defaults, for so many seconds or to the end. Raises TaskError where that fails."""
    began, reports = time.monotonic(), []

    def reported(entry: dict) -> Any:
        reports.append(entry)
        return STOP if time.monotonic() - began > seconds else GO_ON

    try:
        score = Trainer(task, arrays).train(task.Config(), reported)
    except Stop:
        score = None
    except TrialbookError as error:
        raise TaskError(f"task {name_of(task)!r}: {error}") from None
    return Rehearsal(reports, score, time.monotonic() - began)
