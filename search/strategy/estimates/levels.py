"""Levels: scores of which more is better. What completed trainings say together; where others will end.

A line leads from a level on the way to the final level. It is fitted to the best of the trainings that came
farther, as those that lead do not gain as the others do.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import chi2, norm

Levels = NDArray[np.float64]

LOCAL, MIN_PAIRS = 0.7, 4  # the best share of trainings that a line is fitted to, and how many at least
ASSUMED_SLOPE = 0.5  # of the final level over that on the way, before trainings show it
GAIN_SCATTER = 0.1  # of a mean gain: the assumed standard deviation of one gain
POOR_SCATTER = 0.3  # of the distance to the lowest known level: what extrapolating below it may miss
TINY = 1e-12  # a loss that is as good as none
PRIOR_SEEDS = 4  # degrees of freedom of what is assumed of a seed variance
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
            percent = 100 * math.expm1(difference)
            return f"{percent:.0f}%" if percent >= 10 else f"{percent:.2g}%"
        return f"{100 * difference:.2g} points" if metric == "accuracy" else f"{difference:.2g}"

    def levels(self, scores: Iterable[float]) -> Levels:
        """The levels of scores, as an array."""
        values = np.asarray(list(scores), dtype=float)
        return self.sign * (np.log(np.maximum(values, TINY)) if self.relative else values)


class Moments(NamedTuple):
    """The levels of one configuration's trainings, in short."""

    n: int
    mean: float
    squares: float  # of the differences from the mean, their sum

    @classmethod
    def of(cls, levels: Levels) -> "Moments":
        """The moments of some levels."""
        mean = float(levels.mean())
        return cls(len(levels), mean, float(((levels - mean) ** 2).sum()))


@dataclass(frozen=True)
class Estimate:
    """A configuration's final level over seeds; more is better: see `Scale`."""

    mean: float
    deviation: float  # the standard deviation of what is not known of the mean
    seed_deviation: float  # how far one training spreads about the mean
    n_seeds: int  # completed trainings, the first included


class Shrinkage:
    """What the completed configurations say together, and so of each one: empirical Bayes.

    A mean is pulled towards the typical one by as much as the noise of its seeds explains. A bad mean is
    moved by two standard errors at most, as the typical ones say little of it.

    Args:
        moments: those of each configuration.
        sampling_variance: of a level, through the choice of the validation data.
    """

    def __init__(self, moments: Sequence[Moments], sampling_variance: float) -> None:
        flat = np.fromiter(itertools.chain.from_iterable(moments), dtype=float)
        self._n, self._means, self._squares = flat.reshape(-1, 3).T
        self._sampling_variance = sampling_variance

    @cached_property
    def seed_variance(self) -> float:
        """The variance of a level over the seeds of one configuration: the median over configurations.

        The sampling error of a score counts as PRIOR_SEEDS seeds. It is all that is known at first.
        """
        repeated = self._n > 1
        freedom = self._n[repeated] - 1
        # The median of a variance that is estimated from so few is less than the variance.
        ratios = self._squares[repeated] / chi2.ppf(0.5, freedom)
        known, weight = float(np.median(ratios)) if ratios.size else 0.0, float(freedom.sum())
        variance = (weight * known + PRIOR_SEEDS * self._sampling_variance) / (weight + PRIOR_SEEDS)
        return max(variance, TINY**2)

    @cached_property
    def prior(self) -> tuple[float, float]:
        """The mean and variance of the means of configurations, by their quartiles."""
        low, middle, high = np.quantile(self._means, (0.25, 0.5, 0.75))
        spread = ((high - low) / 1.349) ** 2  # a normal distribution has 1.349 deviations between them
        noise = self.seed_variance * float((1 / self._n).mean())
        return float(middle), float(max(spread - noise, spread / 4))

    @cached_property
    def _results(self) -> Levels:
        """The estimates: a row for each field, and a column for each configuration."""
        variances = (PRIOR_SEEDS * self.seed_variance + self._squares) / (PRIOR_SEEDS + self._n - 1)
        errors = variances / self._n  # squared, of the means
        means, weights = self._means, np.ones_like(self._means)
        if len(means) >= 3:  # fewer do not say what configurations are like
            middle, spread = self.prior
            weights = spread / (spread + errors) if spread else 0 * weights
            shrunk = middle + weights * (means - middle)
            means = np.where(means < middle, np.minimum(shrunk, means + 2 * np.sqrt(errors)), shrunk)
        return np.array([means, np.sqrt(weights * errors), np.sqrt(variances), self._n])

    @property
    def means(self) -> Levels:
        """The mean of each estimate."""
        means: Levels = self._results[0]
        return means

    def estimate(self, row: int) -> Estimate:
        """The estimate of a configuration, by its place among the moments."""
        mean, deviation, spread, n = self._results[:, row].tolist()
        return Estimate(mean, deviation, spread, int(n))


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
