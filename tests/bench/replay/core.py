"""What the replay searches: a table of recorded learning curves, on one core whose clock is simulated.

score     as the task has it
level     the same so that more is better and differences count: an accuracy itself, and of a loss
          minus its binary logarithm
quality   of a configuration: the level at the end that is to be expected of it, over all seeds
"""

import hashlib
import json
import math
import random
from typing import NamedTuple

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search import tasks

MARGINS = {"maximize": 0.005, "minimize": 1.0}  # half a point of accuracy, a factor two of loss
NEAR = 20  # recorded trainings, from whose deviations one is drawn


class Over(Exception):
    """Raised where the seconds of a core are spent."""


class Report(NamedTuple):
    """What a training says at the end of a step."""

    step: int  # which report this is, from 1
    epoch: int
    score: float
    seconds: float  # since the report before


class Table:
    """The recorded learning curves of a task, and what lies between them.

    What is recorded are a few hundred points; a search asks for others. A Gaussian process over the
    configurations (Matern 5/2, a length scale for each hyperparameter, fitted to the levels at the end)
    says what is to be expected there at each report, and how long that takes. How one training deviates
    from what is expected, all along its curve, is drawn from those that are recorded near by.

    Args:
        task: its module.
        lines: as `record.py` writes them.
        margin: how much worse than the best a good level may be; by default as MARGINS has it.
    """

    def __init__(self, task, lines, margin=None):
        self.task = task
        self.digest = hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:12]
        self.margin = MARGINS[task.DIRECTION] if margin is None else margin
        self._ranges = tasks.ranges(task)
        self.epochs = [epoch for epoch, _, _ in max((line["curve"] for line in lines), key=len)]
        self.steps = len(self.epochs)  # reports of a whole training
        self.configs = [{name: line["config"][name] for name in self._ranges} for line in lines]
        self._points_LD = np.array([self._point(config) for config in self.configs])
        self._fit_levels(self._levels(lines))
        self._fit_seconds(np.array([_seconds(line["curve"], self.steps) for line in lines]))
        self.best = max(map(self.quality, self.configs))  # of what is recorded

    def level(self, score):
        """A score so that more is better."""
        return score if self.task.DIRECTION == "maximize" else -math.log2(score)

    def score(self, level):
        """The score of a level."""
        return level if self.task.DIRECTION == "maximize" else 2**-level

    def quality(self, config):
        """The level at the end that is to be expected of a configuration."""
        return float(self._expected(config)[-1])

    def is_good(self, quality):
        """Whether this is as good as the best that is recorded, but for the margin."""
        return quality >= self.best - self.margin

    def curve(self, config, seed):
        """The reports of a training of a configuration."""
        similar_L = self._kernel(self._point(config)[None], self._points_LD)[0]
        near = np.argsort(-similar_L, kind="stable")[:NEAR]
        drawn = random.Random(f"{seed} {sorted(config.items())}").choice(near)
        levels = self._expected(config) + self._deviations_LS[drawn]
        until = np.maximum.accumulate(self._taken(config))
        steps = zip(self.epochs, levels, np.diff(until, prepend=0.0))
        return [Report(n, epoch, self.score(level), took) for n, (epoch, level, took) in enumerate(steps, 1)]

    def _levels(self, lines):
        """What was recorded (lines, steps); a training that diverged has the worst from there on."""
        levels_LS = np.full((len(lines), self.steps), np.nan)
        for row, line in zip(levels_LS, lines):
            scores = [score for _, score, _ in line["curve"] if score is not None]
            row[: len(scores)] = [self.level(score) for score in scores]
        return np.where(np.isnan(levels_LS), np.nanmin(levels_LS, 0), levels_LS)

    def _fit_levels(self, levels_LS):
        self._mean_S, self._spread_S = levels_LS.mean(0), levels_LS.std(0) + 1e-9
        scaled_LS = (levels_LS - self._mean_S) / self._spread_S
        process, inverse_LL = _fit(self._points_LD, scaled_LS[:, -1])
        self._kernel, self._weights_LS = process.kernel_.k1, inverse_LL @ scaled_LS
        smooth_LS = self._kernel(self._points_LD, self._points_LD) @ self._weights_LS
        self._deviations_LS = (scaled_LS - smooth_LS) * self._spread_S
        left_out_L = self._weights_LS[:, -1] / np.diag(inverse_LL) * self._spread_S[-1]
        self.error = float(np.sqrt(np.mean(left_out_L**2)))  # of a level at the end, each left out in turn

    def _fit_seconds(self, seconds_LS):
        logarithms_LS = np.log(seconds_LS)
        self._mean_log_S = logarithms_LS.mean(0)
        process, inverse_LL = _fit(self._points_LD, logarithms_LS[:, -1] - self._mean_log_S[-1])
        self._seconds_kernel = process.kernel_.k1
        self._seconds_weights_LS = inverse_LL @ (logarithms_LS - self._mean_log_S)

    def _expected(self, config):
        similar_L = self._kernel(self._point(config)[None], self._points_LD)[0]
        return similar_L @ self._weights_LS * self._spread_S + self._mean_S

    def _taken(self, config):
        similar_L = self._seconds_kernel(self._point(config)[None], self._points_LD)[0]
        return np.exp(similar_L @ self._seconds_weights_LS + self._mean_log_S)

    def _point(self, config):
        return np.array([_share(ranges, config[name]) for name, ranges in self._ranges.items()])


class Core:
    """One trainer, one search and so many simulated seconds.

    What the search would hand over is kept as it changes: `handed` holds pairs of seconds and quality. It
    begins with the task's defaults, which all methods try first, and which a search hands over that has
    found nothing yet.
    """

    def __init__(self, table, seed, budget):
        self.table, self.task, self.seed, self.budget = table, table.task, seed, budget
        self.clock = 0.0
        self.handed = [(0.0, table.quality(tasks.baseline(self.task)))]

    @property
    def over(self):
        return self.clock >= self.budget

    def training(self, config):
        """Begin to train a configuration, a dict. A search gets one answer to it for each `seed` in it."""
        searched = {name: config[name] for name in self.table.configs[0]}
        return Training(self, searched, f"{self.seed} {config.get('seed')}")

    def spend(self, seconds):
        """Let time pass. Raises Over."""
        self.clock += seconds
        if self.over:
            raise Over

    def hand_over(self, config):
        """From now on the search would hand this configuration over."""
        quality = self.table.quality(config)
        if len(self.handed) == 1 or quality != self.handed[-1][1]:
            self.handed.append((self.clock, quality))


class Training:
    """A training on a core: iterating trains it on, from where it is, and yields its reports."""

    def __init__(self, core, config, seed):
        self.config = config
        self._core, self._curve = core, core.table.curve(config, seed)
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
    for seconds, quality in handed[1:]:
        since = min(since, seconds) if table.is_good(quality) else math.inf
    return since


def first_good(table, handed):
    """The second at which what was found is good for the first time, be it by luck; inf for never."""
    return next((seconds for seconds, quality in handed[1:] if table.is_good(quality)), math.inf)


def handed_at(handed, seconds):
    """The quality of what is handed over at a time."""
    return [quality for since, quality in handed if since <= seconds][-1]


def _fit(points_LD, targets_L):
    """A Gaussian process of targets, and the inverse of its kernel's matrix."""
    lengths = np.ones(points_LD.shape[1])
    kernel = ConstantKernel() * Matern(lengths, (0.05, 20), nu=2.5) + WhiteKernel(0.05, (1e-4, 1))
    process = GaussianProcessRegressor(kernel, random_state=0).fit(points_LD, targets_L)
    return process, np.linalg.inv(process.kernel_(points_LD))


def _seconds(curve, steps):
    """The seconds until each report; those that a training did not come to would have taken as long each."""
    seconds = [seconds for _, _, seconds in curve]
    each = seconds[-1] / len(seconds)
    return seconds + [seconds[-1] + each * (n + 1) for n in range(steps - len(seconds))]


def _share(ranges, value):
    """Where in its range a value is, 0..1. Choices lie in their order."""
    if hasattr(ranges, "choices"):
        return ranges.choices.index(value) / max(1, len(ranges.choices) - 1)
    low, high, value = (math.log(each) if ranges.log else each for each in (ranges.low, ranges.high, value))
    return (value - low) / ((high - low) or 1)
