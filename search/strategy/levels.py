"""Scores as levels, of which more is better, and where an unfinished training will end.

A line leads from a level on the way to the final level. It is fitted to the best of the trainings that came
farther, as those that lead do not gain as the others do.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import norm

Levels = NDArray[np.float64]

LOCAL, MIN_PAIRS = 0.7, 4  # the best share of trainings that a line is fitted to, and how many at least
ASSUMED_SLOPE = 0.5  # of the final level over that on the way, before trainings show it
GAIN_SCATTER = 0.1  # of a mean gain: the assumed standard deviation of one gain
POOR_SCATTER = 0.3  # of the distance to the lowest known level: what extrapolating below it may miss
TINY = 1e-12  # a loss that is as good as none
MAX_LOG_LOSS = 300.0  # of an extrapolated loss


@dataclass(frozen=True)
class Scale:
    """How scores become levels, and levels scores.

    Args:
        sign: the factor by which a higher score is a better one.
        relative: whether ratios count instead of differences: the logarithm of a loss.
    """

    sign: int
    relative: bool

    def level(self, score: float) -> float:
        """The level of a score."""
        return self.sign * (math.log(max(score, TINY)) if self.relative else score)

    def score(self, level: float) -> float:
        """The score of a level."""
        return math.exp(min(self.sign * level, MAX_LOG_LOSS)) if self.relative else self.sign * level

    def error(self, level: float, deviation: float) -> float:
        """The standard error of a score, from that of its level."""
        return self.score(level) * deviation if self.relative else deviation

    def describe(self, difference: float, metric: str) -> str:
        """A difference of levels, as people say it: "0.2 points", "12%"."""
        if self.relative:
            ratio = math.expm1(difference)
            return f"{ratio:.2g}" if difference > 1 else f"{100 * ratio:.2g}%"
        return f"{100 * difference:.2g} points" if metric == "accuracy" else f"{difference:.2g}"

    def levels(self, scores: Iterable[float]) -> Levels:
        """The levels of scores, as an array."""
        values = np.asarray(list(scores), dtype=float)
        return self.sign * (np.log(np.maximum(values, TINY)) if self.relative else values)


class Pair(NamedTuple):
    """A training as an example of how others may go on."""

    level: float  # on the way
    final: float
    variance: float  # what is not known of the final level


@dataclass(frozen=True)
class Line:
    """The final level that a level on the way leads to.

    Args:
        center: the mean level on the way of the trainings that it is fitted to.
        final: the mean of their final levels.
        slope: of the final level, above `lowest`; below it is 1.
        lowest: the lowest level on the way of the trainings.
        deviation: the scatter of what ends above the line, without the noise of a seed.
    """

    center: float
    final: float
    slope: float
    lowest: float
    deviation: float

    @classmethod
    def fit(cls, pairs: Sequence[Pair], seed_variance: float) -> "Line":
        """The line through the best LOCAL of some pairs, and through one that stands for what is assumed.

        That a level is worth ASSUMED_SLOPE of itself at the end is assumed, and that gains scatter by
        GAIN_SCATTER of their mean.
        """
        levels, finals, variances = np.array(pairs, dtype=float).T
        if len(pairs) > MIN_PAIRS:
            best = np.argsort(-levels, kind="stable")[: max(MIN_PAIRS, math.ceil(LOCAL * len(pairs)))]
            levels, finals, variances = levels[best], finals[best], variances[best]
        n, x, y = len(levels), levels - levels.mean(), finals - finals.mean()
        weight = float(x @ x) / n
        slope = max(0.0, (float(x @ y) + ASSUMED_SLOPE * weight) / ((n + 1) * weight)) if weight else 1.0
        assumed = (GAIN_SCATTER * float(finals.mean() - levels.mean())) ** 2
        squares = 2 * float(_squares_above(y - slope * x, np.sqrt(variances)).sum())
        scatter = (squares + assumed) / (max(n - 2, 0) + 1) * (1 + 1 / n)
        variance = max(scatter - seed_variance, scatter / 4)  # a configuration's mean has no noise of a seed
        return cls(
            float(levels.mean()), float(finals.mean()), slope, float(levels.min()), math.sqrt(variance)
        )

    def predict(self, levels: Levels) -> tuple[Levels, Levels]:
        """The final levels, and their standard deviations."""
        below = np.maximum(self.lowest - levels, 0.0)
        means = self.final + self.slope * (np.maximum(levels, self.lowest) - self.center) - below
        return means, np.hypot(self.deviation, POOR_SCATTER * below)


def _squares_above(means: Levels, deviations: Levels) -> Levels:
    """The expected squares of normal variables, counted as 0 where they are negative.

    Many trainings end far below what was expected. Only the others tell how far one may end above it.
    """
    deviations = np.maximum(deviations, TINY)
    z = means / deviations
    squares: Levels = (means**2 + deviations**2) * ndtr(z) + means * deviations * norm.pdf(z)
    return squares.clip(0.0)
