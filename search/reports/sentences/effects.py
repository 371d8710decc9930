"""How each hyperparameter mattered: which of its values lead, which lag, and which diverge."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from optuna.distributions import BaseDistribution
from scipy import stats

from search.reports.evidence import (
    MIN_ESTIMATES,
    SIGNIFICANCE,
    Evidence,
    Point,
    Sentence,
    in_order,
    is_number,
    percent,
    plural,
)

MAX_GROUPS = 6  # up to so many different values are groups of their own; more are cut into so many
MIN_GROUP = 3  # trials of a group that a range is cut into
POOLED = 4  # trials that stand for the groups together, in the variance of each
LEARNING_RATE, BATCH_SIZE = "learning_rate", "batch_size"  # as tasks call them


@dataclass(frozen=True)
class Group:
    """Trials with similar values of a hyperparameter, and the mean of their estimates."""

    points: Sequence[Point]
    mean: float  # level; minus infinity if all diverged
    error: float  # the standard error of the mean
    variance: float  # of one trial about the mean, the uncertainty of its estimate included

    @classmethod
    def of(cls, evidence: Evidence, points: Sequence[Point], pooled: float | None = None) -> "Group":
        """Points as a group. Its variance is shrunk to that of all groups, if that is given."""
        known = [point for point in points if not point.diverged]
        if not known:
            return cls(points, -math.inf, math.inf, 0.0)
        weights = numpy.array(evidence.weights(known))
        levels, deviations = numpy.array([(point.level, point.deviation) for point in known]).T
        mean = float(numpy.average(levels, weights=weights))
        variance = float(numpy.average((levels - mean) ** 2 + deviations**2, weights=weights))
        if pooled is not None:
            variance = (POOLED * pooled + len(known) * variance) / (POOLED + len(known))
        n = float(weights.sum() ** 2 / (weights @ weights))
        return cls(points, mean, math.sqrt(variance / n), variance)

    @property
    def n_diverged(self) -> int:
        """The number of trials that diverged."""
        return sum(point.diverged for point in self.points)

    @property
    def n_estimated(self) -> int:
        """The number of the other trials."""
        return len(self.points) - self.n_diverged


def groups(points: Sequence[Point], name: str, distribution: BaseDistribution) -> list[list[Point]]:
    """Points grouped by their value of a hyperparameter, the lowest values first.

    The range of many numbers is cut into equal parts. A part with few trials joins its smaller neighbour.
    """
    points = [point for point in points if name in point.trial.params]
    values = {point.trial.params[name] for point in points}
    if len(values) <= MAX_GROUPS or not all(map(is_number, values)):
        return [[point for point in points if point.trial.params[name] == each] for each in in_order(values)]
    scale = math.log if getattr(distribution, "log", False) else float
    low, high = scale(min(values)), scale(max(values))
    grouped: list[list[Point]] = [[] for _ in range(MAX_GROUPS)]
    for point in points:
        share = (scale(point.trial.params[name]) - low) / (high - low)
        grouped[min(int(share * MAX_GROUPS), MAX_GROUPS - 1)].append(point)
    while len(grouped) > 1 and len(least := min(grouped, key=len)) < MIN_GROUP:
        index = grouped.index(least)
        beside = [each for each in (index - 1, index + 1) if 0 <= each < len(grouped)]
        first, second = sorted((index, min(beside, key=lambda each: len(grouped[each]))))
        grouped[first : second + 1] = [grouped[first] + grouped[second]]
    return grouped


def label(group: Sequence[Point], name: str) -> str:
    """The values of a group: "10 to 25", "3"."""
    values = in_order({point.trial.params[name] for point in group})
    first, last = (
        f"{each:.2g}" if isinstance(each, float) else str(each) for each in (values[0], values[-1])
    )
    return first if first == last else f"{first} to {last}"


def summarized(evidence: Evidence, name: str) -> list[Group]:
    """The groups of a hyperparameter with their means. Each variance is shrunk to that of all groups."""
    alone = [
        Group.of(evidence, points) for points in groups(evidence.points, name, evidence.study.ranges()[name])
    ]
    freedom = sum(group.n_estimated - 1 for group in alone if group.n_estimated)
    pooled = sum(group.n_estimated * group.variance for group in alone) / max(1, freedom)
    return [Group.of(evidence, group.points, pooled) for group in alone]


def effect(evidence: Evidence, name: str) -> Sentence:
    """Which values of a hyperparameter lead and which lag, and how often chance alone does as much.

    Chance: by the rank test of Kruskal and Wallis, for as many tests as there are hyperparameters
    (Bonferroni).
    """
    found = summarized(evidence, name)
    if not found:
        return Sentence(name, "no trial has it.")
    if len(found) < 2:
        return Sentence(name, f"only {label(found[0].points, name)} was tried.")
    ranks = dict(zip((point.trial.number for point in evidence.points), evidence.ranks, strict=True))
    group_ranks = [[ranks[point.trial.number] for point in group.points] for group in found]
    probability = 1.0 if len(set(sum(group_ranks, []))) < 2 else float(stats.kruskal(*group_ranks).pvalue)
    probability = min(1.0, probability * len(evidence.study.ranges()))
    chance = f"Chance alone does as much in {percent(probability)} of searches."
    leads, lags = leading(evidence, found)
    best, worst = max(found, key=_mean), min(found, key=_mean)
    if probability <= SIGNIFICANCE and best.mean - worst.mean <= evidence.difference:
        least = evidence.gap(evidence.difference)
        return Sentence(name, f"no difference: the means of its values differ by less than {least}. {chance}")
    if probability > SIGNIFICANCE or not lags:
        verdict = "not sure" if probability < 0.5 else "no visible effect"
        results = [f"{label(group.points, name)} {_result(evidence, group)}" for group in (best, worst)]
        return Sentence(name, f"{verdict}: best {results[0]}, worst {results[1]}. {chance}")
    parts = [f"{_subject(group, name, 'lead')} {_result(evidence, group)}" for group in leads]
    parts += [f"{_subject(group, name, _failure(group))} {_result(evidence, group)}" for group in lags]
    return Sentence(name, f"it matters: {'; '.join(parts)}. {chance}")


def _mean(group: Group) -> float:
    return group.mean


def leading(evidence: Evidence, found: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """The groups that lead, and those that lag. Neighbours are joined; others are too close to call.

    A group leads if it is as good as the best, by the standard error of their difference. It lags if it is
    worse by two of them and by the meaningful difference, or if half of it diverged.
    """
    best = max(found, key=lambda group: (group.mean - group.error, group.mean))

    def place(group: Group) -> str:
        behind, error = best.mean - group.mean, math.hypot(best.error, group.error)
        if behind > max(2 * error, evidence.difference) or 2 * group.n_diverged >= len(group.points):
            return "lags"
        return "leads" if behind <= max(error, evidence.difference) else ""

    joined: dict[str, list[Group]] = {"leads": [], "lags": [], "": []}
    for kind, run in itertools.groupby(found, place):
        first, *rest = run
        points = [point for group in (first, *rest) for point in group.points]
        joined[kind].append(Group.of(evidence, points) if rest else first)
    return joined["leads"], joined["lags"]


def _subject(group: Group, name: str, verb: str) -> str:
    """A group as a subject with its verb: "0.0008 to 0.003 lead", "2 lags"."""
    values = label(group.points, name)
    return f"{values} {verb}" if " to " in values else f"{values} {verb.replace(' or', 's or')}s"


def _failure(group: Group) -> str:
    """How a group is worse than the best."""
    if not group.n_diverged:
        return "lag"
    return "diverge or lag" if group.n_estimated else "diverge"


def _result(evidence: Evidence, group: Group) -> str:
    """The mean estimate of a group, and the number of trials behind it."""
    texts = [plural(len(group.points), "trial")]
    if group.n_estimated:
        result = evidence.result(group.mean, group.error, digits=3)
        texts.insert(0, f"{evidence.study.description.metric} {result}")
    if group.n_diverged:
        texts.append(f"{group.n_diverged} of them diverged")
    return f"({', '.join(texts)})"


def rate_and_batch(evidence: Evidence) -> Sentence | None:
    """Whether larger batches need other learning rates, from the better half of the trials."""
    tried = [
        point for point in evidence.estimated if {LEARNING_RATE, BATCH_SIZE} <= point.trial.params.keys()
    ]
    if not tried:
        return None
    better = sorted(tried, key=lambda point: -point.level)[: math.ceil(len(tried) / 2)]
    rates, sizes = ([point.trial.params[name] for point in better] for name in (LEARNING_RATE, BATCH_SIZE))
    about, among = f"{LEARNING_RATE} against {BATCH_SIZE}", f"among the better {len(better)} of {len(tried)}"
    if len(better) < MIN_ESTIMATES or len(set(rates)) < 2 or len(set(sizes)) < 2:
        return Sentence(about, f"{among} too few differ to tell.")
    rank = float(stats.spearmanr(sizes, rates).statistic)
    low, high = (
        math.tanh(math.atanh(rank * 0.999) + side * 1.96 * 1.03 / (len(better) - 3) ** 0.5)
        for side in (-1, 1)
    )
    text = f"rank correlation {rank:.2f} (95%: {low:.2f} to {high:.2f}) {among}: "
    if low <= 0 <= high:
        text += "too little to tell whether larger batches need other learning rates."
    else:
        text += f"larger batches went with {'higher' if rank > 0 else 'lower'} learning rates."
    return Sentence(about, text)
