"""What the methods of the real runs share: the work, what is handed over, and processes that train."""

import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import optuna

from search import tasks
from search.trainers.trainer import Stop, Trainer
from tests.bench import record


@dataclass(frozen=True)
class Work:
    """A search that is to be made."""

    task: str
    source: str  # of its data
    seconds: float  # of all cores together
    cores: int
    seed: int

    @property
    def module(self):
        return tasks.find(self.task)

    @property
    def steps(self):
        """Reports of a whole training."""
        return len(record.read(self.task)[0]["curve"])


class Handed:
    """What a search would hand over: the trial whose last score is the best. Kept as it changes.

    `changes` holds pairs of core-seconds and a configuration, a dict. It begins with the task's defaults.
    """

    def __init__(self, work):
        self._work = work
        self._sign = 1 if work.module.DIRECTION == "maximize" else -1
        self._last = {}  # trial -> its last score, so that more is better, and its configuration
        self.changes = [(0.0, tasks.baseline(work.module))]
        self.begin(time.time())

    def begin(self, now):
        """Start the clock."""
        self.begun = now
        self.until = now + self._work.seconds / self._work.cores

    def heard(self, trial, score, params, at=None):
        """A trial has this score now, or had it at some time."""
        if math.isfinite(score):
            self._last[trial] = self._sign * score, params
            self.best(max(self._last.values(), key=lambda last: last[0])[1], at)

    def best(self, params, at=None):
        """From now on this would be handed over."""
        seconds = ((at or time.time()) - self.begun) * self._work.cores
        if params != self.changes[-1][1] and seconds <= self._work.seconds:
            self.changes.append((seconds, params))


# Training in processes of our own


@cache
def trainer(task, source):
    """The one trainer of this process."""
    module = tasks.find(task)
    return Trainer(module, module.DATA.prepare(source))


def pool(work):
    """Processes that are ready to train, one a core."""
    opened = ProcessPoolExecutor(work.cores, get_context("spawn"), _warm, (work,))
    list(opened.map(time.sleep, [1] * work.cores))  # the sleep sees to it that all of them start
    return opened


def _warm(work):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trainer(work.task, work.source)


def train(work, params, seed, reported):
    """Train a configuration; after each report ask `reported(step, score)` whether to go on.

    Returns the last score; nan where it diverged.
    """
    module, last = work.module, math.nan
    count = 0

    def heard(entry):
        nonlocal last, count
        count += 1
        last = entry[f"validation_{module.METRIC}"]
        return math.isfinite(last) and reported(count, last)

    try:
        return trainer(work.task, work.source).train(module.Config(**params, seed=seed), heard)[0]
    except Stop:
        return last
