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
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search import tasks

MARGIN_ERRORS = 2  # of a table: a good quality is within so many errors of the best one
NEAR = 20  # recorded trainings, from whose deviations one is drawn
CONFIRMED, FRESH = 3, 3  # configurations that a peer confirms, and on how many fresh seeds each
BEST = 3  # one configuration in so many is among the best, of which a table says its error


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
    configurations (Matern 5/2, a length scale for each hyperparameter, fitted to the mean levels at the end)
    says what is to be expected there at each report, and how long that takes. A mean over few seeds counts
    less than one over many.

    How one training deviates from what is expected, all along its curve, is drawn from the recorded trainings
    near by of configurations that have several seeds: from their deviations about the mean of those seeds.

    Args:
        task: its module.
        lines: as `record.py` writes them.
        margin: how much worse than the best a good level may be; by default MARGIN_ERRORS times the
            table's own error, so that noise of the table makes no configuration good or bad.
    """

    def __init__(self, task, lines, margin=None):
        self.task = task
        self.digest = hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:12]
        self._ranges = tasks.ranges(task)
        self.epochs = [epoch for epoch, _, _ in max((line["curve"] for line in lines), key=len)]
        self.steps = len(self.epochs)  # reports of a whole training
        seeds = {}  # number of a configuration -> its lines
        for row, line in enumerate(lines):
            seeds.setdefault(line["number"], []).append(row)
        self.configs = [
            {name: lines[row]["config"][name] for name in self._ranges} for row, *_ in seeds.values()
        ]
        self._points_CD = np.array([self._point(config) for config in self.configs])
        self._fit_levels(self._levels(lines), list(seeds.values()))
        first = [lines[row]["curve"] for row, *_ in seeds.values()]
        self._fit_seconds(np.array([_seconds(curve, self.steps) for curve in first]))
        self.best = max(map(self.quality, self.configs))  # of what is recorded
        self.margin = MARGIN_ERRORS * self.error if margin is None else margin

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
        similar_R = self._kernel(self._point(config)[None], self._points_RD)[0]
        near = np.argsort(-similar_R, kind="stable")[:NEAR]
        drawn = random.Random(f"{seed} {sorted(config.items())}").choice(near)
        levels = self._expected(config) + self._deviations_RS[drawn]
        until = np.maximum.accumulate(self._taken(config))
        steps = zip(self.epochs, levels, np.diff(until, prepend=0.0))
        return [Report(n, epoch, self.score(level), took) for n, (epoch, level, took) in enumerate(steps, 1)]

    def seconds(self, config):
        """How long a whole training of a configuration takes."""
        return float(self._taken(config).max())

    def _levels(self, lines):
        """What was recorded (lines, steps); a training that diverged has the worst from there on."""
        levels_LS = np.full((len(lines), self.steps), np.nan)
        for row, line in zip(levels_LS, lines):
            scores = [score for _, score, _ in line["curve"] if score is not None]
            row[: len(scores)] = [self.level(score) for score in scores]
        return np.where(np.isnan(levels_LS), np.nanmin(levels_LS, 0), levels_LS)

    def _fit_levels(self, levels_LS, seeds):
        """Fit what is to be expected, and keep how trainings deviate from it.

        Args:
            seeds: the rows of each configuration.
        """
        means_CS = np.array([levels_LS[rows].mean(0) for rows in seeds])
        self._mean_S, self._spread_S = means_CS.mean(0), means_CS.std(0) + 1e-9
        scaled_CS = (means_CS - self._mean_S) / self._spread_S
        n_C = np.array([len(rows) for rows in seeds])
        repeated = [c for c, n in enumerate(n_C) if n > 1]
        # The mean of n seeds is nearer to each of them than the truth is: by the square root of (n - 1) / n.
        away = [(levels_LS[seeds[c]] - means_CS[c]) * math.sqrt(n_C[c] / (n_C[c] - 1)) for c in repeated]
        noise = np.mean([(each[:, -1] ** 2).mean() for each in away]) if repeated else 0.0  # a variance
        noise_C = noise / n_C
        process, inverse_CC = _fit(self._points_CD, scaled_CS[:, -1], noise_C / self._spread_S[-1] ** 2)
        self._kernel, self._weights_CS = process.kernel_.k1, inverse_CC @ scaled_CS
        left_out_C = self._weights_CS[:, -1] / np.diag(inverse_CC) * self._spread_S[-1]
        good_C = np.argsort(-means_CS[:, -1])[: max(2, len(seeds) // BEST)]
        # Of a quality among the best, each left out in turn: what its own seeds are off is no error of that.
        squared = (left_out_C[good_C] ** 2).mean() - noise_C[good_C].mean()
        self.error, self.seed_deviation = math.sqrt(max(squared, 0.0)), math.sqrt(noise)
        if repeated:
            self._points_RD = np.repeat(self._points_CD[repeated], n_C[repeated], axis=0)
            self._deviations_RS = np.concatenate(away)
        else:  # nothing tells what a seed does: all that is not foretold
            smooth_CS = self._kernel(self._points_CD, self._points_CD) @ self._weights_CS
            self._points_RD = self._points_CD
            self._deviations_RS = (scaled_CS - smooth_CS) * self._spread_S

    def _fit_seconds(self, seconds_CS):
        logarithms_CS = np.log(seconds_CS)
        self._mean_log_S = logarithms_CS.mean(0)
        process, inverse_CC = _fit(self._points_CD, logarithms_CS[:, -1] - self._mean_log_S[-1], 1e-10)
        self._seconds_kernel = process.kernel_.k1
        self._seconds_weights_CS = inverse_CC @ (logarithms_CS - self._mean_log_S)

    def _expected(self, config):
        similar_C = self._kernel(self._point(config)[None], self._points_CD)[0]
        return similar_C @ self._weights_CS * self._spread_S + self._mean_S

    def _taken(self, config):
        similar_C = self._seconds_kernel(self._point(config)[None], self._points_CD)[0]
        return np.exp(similar_C @ self._seconds_weights_CS + self._mean_log_S)

    def _point(self, config):
        return np.array([_share(ranges, config[name]) for name, ranges in self._ranges.items()])


class Core:
    """One trainer, one search and so many simulated seconds.

    `handed` holds pairs of seconds and quality: what the search would hand over, as it changes. It begins
    with the task's defaults, which all methods try first, and which a search hands over that has found
    nothing yet. `confirmed` is the same of answers that are proved on fresh seeds.
    """

    def __init__(self, table, seed, budget):
        self.table, self.task, self.seed, self.budget = table, table.task, seed, budget
        self.clock = 0.0
        default = 0.0, table.quality(tasks.baseline(self.task))
        self.handed, self.confirmed = [default], [default]
        self._top = []

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
        """From now on the search would hand this configuration over, which it has confirmed itself."""
        _add(self.handed, self.clock, self.table.quality(config))
        _add(self.confirmed, self.clock, self.table.quality(config))

    def hand_over_best(self, configs):
        """From now on the search would hand over the first of these configurations, unconfirmed.

        Had it been planned to end now, it would have trained the first CONFIRMED again, on FRESH seeds each,
        and handed over that with the best mean once this had taken its time.
        """
        _add(self.handed, self.clock, self.table.quality(configs[0]))
        top = configs[:CONFIRMED]
        if top == self._top:
            return
        self._top = top
        until = self.clock + FRESH * sum(map(self.table.seconds, top))
        if until < self.budget:
            self.confirmed = [
                each for each in self.confirmed if each[0] < until
            ]  # the later answer is better
            _add(self.confirmed, until, self.table.quality(max(top, key=self._mean)))

    def _mean(self, config):
        """The mean level of a configuration at the end, over fresh seeds."""
        seeds = range(1, FRESH + 1)
        curves = [self.table.curve(config, f"{self.seed} fresh {seed}") for seed in seeds]
        return sum(self.table.level(curve[-1].score) for curve in curves)


def _add(handed, seconds, quality):
    if len(handed) == 1 or quality != handed[-1][1]:
        handed.append((seconds, quality))


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


def _fit(points_CD, targets_C, noise_C):
    """A Gaussian process of targets that have noise, a variance, and the inverse of its kernel's matrix."""
    lengths = np.ones(points_CD.shape[1])
    kernel = ConstantKernel() * Matern(lengths, (0.05, 20), nu=2.5) + WhiteKernel(0.05, (1e-4, 1))
    process = GaussianProcessRegressor(kernel, alpha=noise_C + 1e-10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a length scale at its bound is as good as beyond
        process.fit(points_CD, targets_C)
    matrix_CC = process.kernel_(points_CD) + np.diag(np.broadcast_to(noise_C, len(targets_C)))
    return process, np.linalg.inv(matrix_CC)


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
