"""The evidence of a study: what each active trial says of its configuration's final score.

Evidence is what the search learned from: neither replicates nor void trials. Each trial becomes a Point: the
estimate of the one posterior, with its standard error. An unfinished trial has one too, a less certain one.
So a trial that was pruned after its first epochs teaches what it can. Scores are compared as levels, of which
more is better: see `search.strategy.estimates.posterior.Scale`.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from scipy import stats

from search.strategy.estimates.posterior import Posterior
from search.study.trial import Trial, TrialState
from search.study.view import StudyView

MIN_TRIALS, MIN_ESTIMATES = 10, 5  # trials, and those with an estimate, before anything is said to matter
SIGNIFICANCE = 0.05  # an effect that chance alone produces more often than this is no effect
VISIBLE = 4.0  # times as far below the best as the median: the levels that a plot shows
LARGE = 0.3  # an error of a logarithm that is told as a factor: "×÷ 1.4"


class Sentence(NamedTuple):
    """A statement, and the subject it is about."""

    about: str
    text: str


@dataclass(frozen=True)
class Point:
    """What a trial says of its configuration's final level."""

    trial: Trial
    level: float  # the estimate; minus infinity if it diverged
    deviation: float  # the standard error of the estimate
    n_seeds: int  # completed trainings behind it; 0 if it is extrapolated

    @property
    def finished(self) -> bool:
        """Whether the trial was trained to the end."""
        return self.n_seeds > 0

    @property
    def diverged(self) -> bool:
        """Whether its loss was no longer finite. Then it has no final level."""
        return self.trial.state == TrialState.DIVERGED

    @property
    def seconds(self) -> float:
        """Seconds of a whole training."""
        trained = self.trial.epochs / self.trial.config["epochs"]
        return self.trial.seconds / trained if trained else self.trial.seconds

    @property
    def state(self) -> str:
        """How far its training came: "finished", "unfinished" or "diverged"."""
        return "diverged" if self.diverged else "finished" if self.finished else "unfinished"


class Evidence:
    """The points of a study, their ranks, and their numbers in words."""

    def __init__(self, study: StudyView) -> None:
        self.study = study
        self.posterior = Posterior.of(study)
        self.scale = self.posterior.scale
        self.difference = self.posterior.difference(study.task)  # of levels; a smaller one is none
        self.points = list(self._points())

    def _points(self) -> Iterator[Point]:
        """Points by number. A second trial of a configuration is part of the first one's estimate."""
        retried = {trial.retry_of for trial in self.study.trials()}
        for trial in self.study.history():
            if trial.number in retried:  # the retry says the same, and more
                continue
            if trial.state == TrialState.DIVERGED:
                yield Point(trial, -math.inf, 0.0, 0)
            elif estimate := self.posterior.estimate(trial.number):
                yield Point(trial, estimate.mean, estimate.deviation, estimate.n_seeds)

    @cached_property
    def estimated(self) -> list[Point]:
        """The points that did not diverge."""
        return [point for point in self.points if not point.diverged]

    @cached_property
    def finished(self) -> list[Point]:
        """The points that were trained to the end, the best first."""
        finished = [point for point in self.points if point.finished]
        return sorted(finished, key=lambda point: (-point.level, point.trial.size, point.trial.number))

    @cached_property
    def ranks(self) -> list[float]:
        """The rank of each point by its estimate: 1 is the best, equal ones share a rank."""
        ranks: list[float] = stats.rankdata([-point.level for point in self.points]).tolist()
        return ranks

    @cached_property
    def best_quarter(self) -> list[Point]:
        """The best quarter of the points, but at least MIN_ESTIMATES. Importance compares it with all."""
        order = sorted(range(len(self.points)), key=lambda index: (self.ranks[index], index))
        count = max(MIN_ESTIMATES, math.ceil(len(self.points) / 4))
        return [self.points[index] for index in order[:count]]

    @cached_property
    def spread(self) -> float:
        """The standard deviation of the estimated levels, by their quartiles."""
        levels = [point.level for point in self.estimated]
        return float(stats.iqr(levels, scale="normal")) if levels else 0.0

    def weights(self, points: Iterable[Point]) -> list[float]:
        """How much each estimate counts in a mean: less, the less certain it is."""
        floor = max(self.spread, self.difference) ** 2 or 1.0
        return [1 / (floor + point.deviation**2) for point in points]

    def too_few(self) -> Sentence | None:
        """A Sentence that says how many trials are missing; None where there are enough."""
        if len(self.points) >= MIN_TRIALS and len(self.estimated) >= MIN_ESTIMATES:
            return None
        needed = f"It takes {MIN_TRIALS} trials, {MIN_ESTIMATES} with an estimate, to tell what mattered"
        there = f"there are {len(self.points)}, {len(self.estimated)} with an estimate and "
        return Sentence("too few trials", f"{needed}; {there}{len(self.finished)} trained to the end.")

    # In plots

    @cached_property
    def floor(self) -> float:
        """The lowest level that a plot shows: outliers would hide the rest. They are drawn there."""
        levels = sorted(point.level for point in self.estimated)
        return max(levels[0], levels[-1] - VISIBLE * (levels[-1] - levels[len(levels) // 2]))

    def shown(self, level: float) -> float:
        """The score at which a level is drawn."""
        return self.scale.score(max(level, self.floor))

    def shade(self, level: float) -> float:
        """The number that colours a level: its score, or the logarithm of its loss."""
        return math.log10(self.shown(level)) if self.scale.relative else self.shown(level)

    # In words

    def result(self, level: float, error: float, digits: int = 4) -> str:
        """A score with its standard error: "0.9031 ± 0.0021", "0.012 ×÷ 1.4"."""
        score = self.scale.score(level)
        if self.scale.relative and error > LARGE:
            return f"{score:.3g} ×÷ {math.exp(error):.2g}"
        return f"{score:.{digits}g} ± {self.scale.error(level, error):.2g}"

    def gap(self, size: float, error: float | None = None) -> str:
        """A difference of levels with its standard error: "0.9 ± 0.2 points", "12% ± 3%"."""
        if self.scale.relative and abs(size) > LARGE:
            text = f"a factor of {math.exp(abs(size)):.2g}"
            return text if error is None else f"{text} ×÷ {math.exp(error):.2g}"
        metric = self.study.description.metric
        text = self.scale.describe(abs(size), metric)
        if error is None:
            return text
        unit = " points" if text.endswith(" points") else ""
        return f"{text.removesuffix(unit)} ± {self.scale.describe(error, metric)}"


def format_value(value: object) -> str:
    """A hyperparameter's value as text; numbers have three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def in_order(values: Iterable[Any]) -> list[Any]:
    """Values of a hyperparameter, sorted: numbers first."""
    return sorted(values, key=lambda value: (0, value) if is_number(value) else (1, str(value)))


def is_number(value: object) -> bool:
    """Whether a value can be put on a scale. True and False can, as 1 and 0."""
    return isinstance(value, int | float)


def percent(share: float) -> str:
    """A share in percent, with one digit after the point where it is small."""
    return "less than 0.1%" if share < 0.001 else f"{share:.1%}" if share < 0.095 else f"{share:.0%}"


def plural(count: int, noun: str) -> str:
    """A number of things: "1 trial", "3 trials"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
