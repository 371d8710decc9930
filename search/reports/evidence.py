"""The evidence of a study: the trials that it rests on, how they rank, and numbers in words.

Evidence is what the search learned from: neither replicates nor void trials. A pruned trial has no
score. It is compared with another trial at the last epoch that both reached.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy
from scipy import stats

from search.study.trial import Trial
from search.study.view import StudyView

MIN_TRIALS, MIN_SCORED = 10, 5  # trials, and those with a score, before a hyperparameter is said to matter
SIGNIFICANCE = 0.05  # an effect that chance alone produces more often than this is no effect
STATES = ("completed", "pruned", "diverged")  # of evidence, the best first


class Sentence(NamedTuple):
    """A statement, and the subject it is about."""

    about: str
    text: str


def tried(study: StudyView) -> list[Trial]:
    """The trials that are evidence: completed, pruned or diverged."""
    return [trial for trial in study.history() if trial.state in STATES]


def ranked(study: StudyView, trials: Sequence[Trial]) -> list[float]:
    """The rank of each trial: 1 is the best, and equal trials share a rank.

    Every two trials are compared by their scores. Where one has no score, they are compared by the metric
    at the last epoch that both reached. A diverged trial loses. Trials rank by comparisons won.
    """
    metric = f"validation_{study.description.metric}"
    longest = max((len(trial.curve) for trial in trials), default=0)
    values = numpy.full((len(trials), longest + 2), -math.inf)  # columns: no epoch, each epoch, the score
    for row, trial in zip(values, trials, strict=True):
        row[1 : len(trial.curve) + 1] = [study.sign * entry[metric] for entry in trial.curve]
        row[0] = -STATES.index(trial.state)
        row[-1] = -math.inf if trial.score is None else study.sign * trial.score
    scored = numpy.array([trial.score is not None for trial in trials])
    reached = numpy.array([0 if trial.state == "diverged" else len(trial.curve) for trial in trials])
    everyone, won = numpy.arange(len(trials)), []
    for number in everyone:
        column = numpy.where(scored & scored[number], longest + 1, numpy.minimum(reached, reached[number]))
        mine, others = values[number, column], values[everyone, column]
        won.append((mine > others).sum() + (mine == others).sum() / 2)
    ranks: list[float] = stats.rankdata(-numpy.array(won)).tolist()
    return ranks


def best_quarter(study: StudyView) -> list[Trial]:
    """The best quarter of the evidence, but at least MIN_SCORED trials. Importance compares it with all."""
    trials = tried(study)
    ordered = sorted(zip(ranked(study, trials), range(len(trials)), trials, strict=True))
    return [trial for *_, trial in ordered[: max(MIN_SCORED, math.ceil(len(trials) / 4))]]


def compares_ratios(study: StudyView) -> bool:
    """Whether scores are compared by their ratios: see `search.strategy.winner.judged`."""
    return bool(study.sign < 0 and all(score_of(trial) > 0 for trial in study.completed()))


def mean_and_error(study: StudyView, trials: Iterable[Trial]) -> str:
    """The mean score of completed trials with its standard error, in words.

    Where scores are compared by their ratios, the mean is geometric and its error is a factor.
    """
    ratios = compares_ratios(study)
    scores = [math.log(score_of(trial)) if ratios else score_of(trial) for trial in trials]
    mean = statistics.fmean(scores)
    text = f"{math.exp(mean) if ratios else mean:.4g}"
    if len(scores) < 2:
        return text
    error = statistics.stdev(scores) / math.sqrt(len(scores))
    return text + (f" ×÷ {math.exp(error):.2g}" if ratios else f" ± {error:.2g}")


def too_few(study: StudyView) -> Sentence | None:
    """A Sentence that says how many trials are missing; None where there are enough."""
    trials, scored = len(tried(study)), len(study.completed())
    if trials >= MIN_TRIALS and scored >= MIN_SCORED:
        return None
    needed = f"It takes {MIN_TRIALS} trials, {MIN_SCORED} of them trained to the end, to tell what mattered"
    return Sentence("too few trials", f"{needed}; there are {trials}, {scored} of them trained to the end.")


def score_of(trial: Trial) -> float:
    """The score of a completed trial."""
    assert trial.score is not None, f"trial {trial.number} has no score"
    return trial.score


def error_of(trial: Trial) -> float:
    """The standard error of a completed trial's score."""
    assert trial.standard_error is not None, f"trial {trial.number} has no score"
    return trial.standard_error


def noise(one: Trial, other: Trial) -> float:
    """The standard error of the difference of two scores."""
    return math.hypot(error_of(one), error_of(other))


def within_noise(one: Trial, other: Trial) -> bool:
    """Whether two scores differ by no more than the standard error of their difference."""
    return abs(score_of(one) - score_of(other)) <= noise(one, other)


# In words


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
