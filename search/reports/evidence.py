"""The evidence of a study: which of its trials say something, how they rank, and how to say it.

Evidence are the trials that the search learned from: no repeats, nothing that is crossed out. One that
was pruned has no score, and is compared with another at the last epoch that both reached.
"""

import math
import statistics
from typing import NamedTuple

import numpy
from scipy import stats

TELLING, SCORED = 10, 5  # trials, and how many of them with a score, before anything is said to matter
CHANCE = 0.05  # what chance does more often than this is no lesson


class Sentence(NamedTuple):
    """Something that can be said, and what it is about."""

    about: str
    text: str


def tried(study):
    """The trials that say something of their configurations: they have a score, or were given up."""
    return [trial for trial in study.history() if trial.state in ("completed", "pruned", "diverged")]


def ranked(study, trials):
    """The rank of each trial, 1 for the best; equals share theirs.

    Each two trials are compared: by their scores, else by the metric at the last epoch that both reached,
    and a diverged one loses. They rank by how many comparisons they win.
    """
    metric = f"validation_{study.description.metric}"
    longest = max((len(trial.curve) for trial in trials), default=0)
    values = numpy.full((len(trials), longest + 2), -math.inf)  # an epoch a column; no epoch; the score
    for row, trial in zip(values, trials, strict=True):
        row[1 : len(trial.curve) + 1] = [study.sign * entry[metric] for entry in trial.curve]
        row[0] = -("completed", "pruned", "diverged").index(trial.state)
        row[-1] = -math.inf if trial.score is None else study.sign * trial.score
    scored = numpy.array([trial.score is not None for trial in trials])
    reached = numpy.array([0 if trial.state == "diverged" else len(trial.curve) for trial in trials])
    everyone, won = numpy.arange(len(trials)), []
    for number in everyone:
        where = numpy.where(scored & scored[number], longest + 1, numpy.minimum(reached, reached[number]))
        mine, theirs = values[number, where], values[everyone, where]
        won.append((mine > theirs).sum() + (mine == theirs).sum() / 2)
    return stats.rankdata(-numpy.array(won)).tolist()


def best_few(study):
    """The best trials, those which importance looks at: a quarter of what was tried, but at least SCORED."""
    trials = tried(study)
    ordered = sorted(zip(ranked(study, trials), range(len(trials)), trials, strict=True))
    return [trial for *_, trial in ordered[: max(SCORED, math.ceil(len(trials) / 4))]]


def relative(study):
    """Whether scores are compared by their ratios: see `search.strategy.winner.judged`."""
    return study.sign < 0 and all(trial.score > 0 for trial in study.completed())


def mean_error(study, trials):
    """The mean score of completed trials with its standard error, in words.

    It is the geometric mean where scores are compared by their ratios, and its error then a factor.
    """
    ratios = relative(study)
    scores = [math.log(trial.score) if ratios else trial.score for trial in trials]
    mean = statistics.fmean(scores)
    text = f"{math.exp(mean) if ratios else mean:.4g}"
    if len(scores) < 2:
        return text
    error = statistics.stdev(scores) / math.sqrt(len(scores))
    return text + (f" ×÷ {math.exp(error):.2g}" if ratios else f" ± {error:.2g}")


def too_few(study):
    """Why nothing can be said yet, as a Sentence; None where something can."""
    trials, scored = len(tried(study)), len(study.completed())
    if trials >= TELLING and scored >= SCORED:
        return None
    needed = f"It takes {TELLING} trials, {SCORED} of them trained to the end, to tell what mattered"
    return Sentence("too few trials", f"{needed}; there are {trials}, {scored} of them trained to the end.")


def noise(one, other):
    """The standard error of the difference of two scores."""
    return math.hypot(one.standard_error, other.standard_error)


def within_noise(one, other):
    """Whether two scores are nearer than the standard error of their difference."""
    return abs(one.score - other.score) <= noise(one, other)


# In words


def shown(value):
    """A value as it is said."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def in_order(values):
    """Values of a hyperparameter, sorted: numbers first."""
    number = lambda value: isinstance(value, (int, float))  # noqa: E731
    return sorted(values, key=lambda value: (0, value) if number(value) else (1, str(value)))


def percent(share):
    """A share as people say it."""
    return "less than 0.1%" if share < 0.001 else f"{share:.1%}" if share < 0.095 else f"{share:.0%}"
