"""What the replay searches: a table of recorded learning curves, on one core whose clock is simulated.

A configuration is answered by the nearest recorded one: its curve, and the seconds that this took.

    score     as the task has it
    level     the same so that more is better and differences count: an accuracy itself, and of a loss
              minus its binary logarithm
    quality   of a recorded configuration: the mean level at the end over all its recorded seeds
"""

import hashlib
import json
import math
import random
import statistics
from typing import NamedTuple

import numpy as np

from search import tasks

MARGINS = {"maximize": 0.005, "minimize": 1.0}  # half a point of accuracy, a factor two of loss


class Over(Exception):
    """Raised where the seconds of a core are spent."""


class Report(NamedTuple):
    """What a training says at the end of a step."""

    step: int  # which report this is, from 1
    epoch: int
    score: float  # nan where the training diverged, which ends it
    seconds: float  # since the report before


class Table:
    """The recorded configurations of a task.

    Args:
        task: its module.
        lines: as `record.py` writes them.
        margin: how much worse than the best a good level may be; by default as MARGINS has it.
    """

    def __init__(self, task, lines, margin=None):
        self.task = task
        self.digest = hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:12]
        self.steps = max(len(line["curve"]) for line in lines)  # reports of a whole training
        self._ranges = tasks.ranges(task)
        recorded = {}
        for line in lines:
            recorded.setdefault(line["number"], []).append(line)
        first = [each[0]["config"] for each in recorded.values()]
        self.configs = [{name: config[name] for name in self._ranges} for config in first]
        self.curves = [[_reports(line["curve"]) for line in each] for each in recorded.values()]
        self._points = np.array([self._point(config) for config in self.configs])
        self.baseline = self.nearest(tasks.baseline(task))
        worst = min(self.level(curve[-1].score) for each in self.curves for curve in each if _ended(curve))
        self.qualities = [
            statistics.fmean(self.level(curve[-1].score) if _ended(curve) else worst for curve in each)
            for each in self.curves
        ]
        self.margin = MARGINS[task.DIRECTION] if margin is None else margin

    def level(self, score):
        """A score so that more is better."""
        return score if self.task.DIRECTION == "maximize" else -math.log2(score)

    def nearest(self, config):
        """Which of the recorded configurations is nearest in the cube of all ranges."""
        return int(((self._points - self._point(config)) ** 2).sum(1).argmin())

    def is_good(self, number):
        """Whether a configuration is as good as the best that is recorded, but for the margin."""
        return self.qualities[number] >= max(self.qualities) - self.margin

    def _point(self, config):
        return np.array([_share(ranges, config[name]) for name, ranges in self._ranges.items()])


class Core:
    """One trainer, one search and so many simulated seconds.

    What the search would hand over is kept as it changes: `handed` holds pairs of seconds and the number
    of a recorded configuration. It begins with the task's defaults, which all methods try first, and which
    a search hands over that has found nothing yet.
    """

    def __init__(self, table, seed, budget):
        self.table, self.task, self.seed, self.budget = table, table.task, seed, budget
        self.clock = 0.0
        self.handed = [(0.0, table.baseline)]

    @property
    def over(self):
        return self.clock >= self.budget

    def training(self, config):
        """Begin to train a configuration, a dict. Its recorded seed is drawn once a search."""
        number = self.table.nearest(config)
        curve = random.Random(f"{self.seed} {number}").choice(self.table.curves[number])
        return Training(self, number, curve)

    def spend(self, seconds):
        """Let time pass. Raises Over."""
        self.clock += seconds
        if self.over:
            raise Over

    def hand_over(self, number):
        """From now on the search would hand this configuration over."""
        if len(self.handed) == 1 or number != self.handed[-1][1]:
            self.handed.append((self.clock, number))


class Training:
    """A training on a core: iterating trains it on, from where it is, and yields its reports."""

    def __init__(self, core, number, curve):
        self.number = number  # of the recorded configuration
        self._core, self._curve = core, curve
        self.step, self.score = 0, math.nan  # the last that was reported

    def __iter__(self):
        return self

    def __next__(self):
        if self.step == len(self._curve):
            raise StopIteration
        report = self._curve[self.step]
        self._core.spend(report.seconds)
        self.step, self.score = report.step, report.score
        return report


def time_to_quality(table, handed):
    """The second from which on what was found is good: inf where at the end it is not."""
    since = math.inf
    for seconds, number in handed[1:]:
        since = min(since, seconds) if table.is_good(number) else math.inf
    return since


def first_good(table, handed):
    """The second at which what was found is good for the first time, be it by luck; inf for never."""
    return next((seconds for seconds, number in handed[1:] if table.is_good(number)), math.inf)


def handed_at(handed, seconds):
    """The number of the configuration that is handed over at a time."""
    return [number for since, number in handed if since <= seconds][-1]


def _reports(curve):
    """A recorded curve, whose seconds are counted from its beginning."""
    before, reports = 0.0, []
    for step, (epoch, score, seconds) in enumerate(curve, 1):
        reports.append(Report(step, epoch, math.nan if score is None else score, seconds - before))
        before = seconds
    return reports


def _ended(curve):
    return not math.isnan(curve[-1].score)


def _share(ranges, value):
    """Where in its range a value is, 0..1. Choices lie in their order."""
    if hasattr(ranges, "choices"):
        return ranges.choices.index(value) / max(1, len(ranges.choices) - 1)
    low, high, value = (math.log(each) if ranges.log else each for each in (ranges.low, ranges.high, value))
    return (value - low) / ((high - low) or 1)
