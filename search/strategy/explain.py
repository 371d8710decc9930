"""A search in words: why a configuration was tried, why it ended, its score, and why the search ended."""

import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from search.strategy.allocation import CONFIDENCE, Situation
from search.strategy.draws.sampler import N_BEST
from search.strategy.winner import Candidate
from search.study.study import Proposal
from search.study.trial import Trial, TrialState
from search.study.view import StudyDescription

if TYPE_CHECKING:  # they use the sentences
    from search.strategy.assessment import Assessment, Limits


TRAINED = (TrialState.RUNNING, TrialState.COMPLETED, TrialState.PRUNED)
EXPLOIT_RADIUS = 0.2  # of a range: a draw that is nearer in each hyperparameter is said to exploit


def why_proposed(completed: Sequence[Trial], drawn: optuna.Trial, proposal: Proposal, start: str) -> str:
    """Why a configuration is tried, in words.

    Args:
        completed: the trials that have a score, the best first.
        drawn: Optuna's trial, whose hyperparameters are drawn.
        start: why, if the draw is one of the study's first, which are fixed; else "".
    """
    if proposal.replicate_of is not None:
        return f"replicate {proposal.replicate} of trial {proposal.replicate_of}, on a fresh seed"
    if proposal.retry_of is not None:
        return f"retry of trial {proposal.retry_of}"
    if proposal.enqueued is not None:
        return "enqueued by another program"
    if start:
        return start
    params, distributions = drawn.params, drawn.distributions  # Optuna copies them each time
    if not drawn.relative_params or not params:
        return "drawn at random"
    if not completed:
        return "TPE: from first epochs alone, as no trial has a score yet"
    best = completed[: min(N_BEST, max(1, math.ceil(len(completed) / 10)))]
    apart = {trial.number: _apart(trial.params, params, distributions) for trial in best}
    nearest = min(best, key=lambda trial: statistics.fmean(apart[trial.number].values()))
    name, farthest = max(apart[nearest.number].items(), key=lambda item: item[1])
    change = f"{name} {_shown(nearest.params.get(name, 'none'))} to {_shown(params[name])}"
    if farthest > EXPLOIT_RADIUS:
        return f"TPE: exploring, away from trial {nearest.number} ({change})"
    return f"TPE: exploiting, near trial {nearest.number}" + (f" ({change})" if farthest else "")


def _apart(
    one: Mapping[str, Any], other: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
) -> dict[str, float]:
    """The distance of two configurations in each hyperparameter, as a fraction of its range.

    If `one` lacks a hyperparameter, the distance is 1.
    """
    apart = {}
    for name, ranges in distributions.items():
        if name not in one:
            apart[name] = 1.0
        elif not isinstance(ranges, FloatDistribution | IntDistribution):
            apart[name] = float(one[name] != other[name])
        else:
            low, high, a, b = (
                math.log(value) if ranges.log else value
                for value in (ranges.low, ranges.high, one[name], other[name])
            )
            apart[name] = abs(a - b) / ((high - low) or 1)
    return apart


def why_diverged(trial: Trial, others: Iterable[Trial], ranges: Mapping[str, BaseDistribution]) -> str:
    """The probable cause of a loss that is no longer finite, in words; "" if nothing stands out.

    It is the learning rate, unless a network of similar size trained well with a higher one.

    Args:
        others: the other trials of the study.
        ranges: the ranges of its hyperparameters.
    """
    name = "learning_rate"
    range_, rate = ranges.get(name), trial.params.get(name)
    if rate is None or not isinstance(range_, FloatDistribution) or not range_.log:
        return ""
    similar = [each for each in others if each.counts and name in each.params and _is_similar(each, trial)]
    well = [each.params[name] for each in similar if each.curve and each.state in TRAINED]
    if max(well, default=0.0) >= rate or (not well and rate < math.sqrt(range_.low * range_.high)):
        return ""
    lowest = min(
        (each for each in similar if each.state == TrialState.DIVERGED),
        key=lambda each: each.params[name],
        default=trial,
    )
    shape = [f"{other} {_shown(value)}" for other, value in trial.params.items() if other != name]
    blame = f": {name} {_shown(rate)} is probably too high for {', '.join(shape)}"
    if lowest.params[name] >= rate:
        return blame
    return (
        f"{blame}; networks of its size diverge from {_shown(lowest.params[name])} on (trial {lowest.number})"
    )


def _is_similar(one: Trial, other: Trial) -> bool:
    """Whether two networks differ in size by at most a factor of 2."""
    return other.size / 2 <= one.size <= 2 * other.size


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def score_line(candidate: Candidate, about: StudyDescription) -> str:
    """A configuration's estimate over seeds, its uncertainty, and how its first score misled."""
    mean = f"{about.metric} {candidate.mean:.4g} ± {candidate.standard_error:.2g}"
    first = f"first score {candidate.first_score:.4g}, {optimism(candidate, about)}"
    n = candidate.known.n_seeds
    return f"{mean} (trial {candidate.trial.number}, {n} seed{'s' if n > 1 else ''}; {first})"


def optimism(candidate: Candidate, about: StudyDescription) -> str:
    """By how much the first score was better than the estimate: "optimistic by 1.2 points"."""
    size = abs(candidate.optimism)
    amount = f"{100 * size:.2g} points" if about.metric == "accuracy" else f"{size:.2g}"
    if size <= candidate.standard_error:
        return f"as good as the estimate, to {amount}"
    return f"{'optimistic' if candidate.optimism > 0 else 'pessimistic'} by {amount}"


def why_stopped(known: "Assessment", now: Situation, limits: "Limits", seconds: float, passed: float) -> str:
    """Which limit ended a search, or that it ended by itself."""
    if passed >= seconds:
        return "at TIMEOUT="
    if reached := limit_reached(known, now, limits):
        return f"as {reached}"
    if known.is_over(now, limits, 0) and not known.paused:  # a killed search left those to be given up
        return "by itself"
    return "as TIMEOUT= leaves no time for more"


def limit_reached(known: "Assessment", now: Situation, limits: "Limits") -> str:
    """Which limit a study has reached, other than that of time; "" if none."""
    if any(each.surely_reaches for each in now.contenders):
        return f"BAR={limits.threshold:g} is reached with {CONFIDENCE:.0%}"
    return "" if now.may_draw else f"TRIALS={limits.trials} is reached"


def odds(known: "Assessment", now: Situation) -> str:
    """The odds that as much time again would find nothing that is better by what matters."""
    outlook = known.outlook(dataclasses.replace(now, may_draw=True))  # a higher TRIALS= allows draws
    if outlook is None:
        return "Too few trials tell the odds"
    scale, metric = known.knowledge.posterior.scale, known.study.description.metric
    chance = "over 99%" if outlook.odds > 0.99 else f"{outlook.odds:.0%}"
    better = f"better by more than {scale.describe(known.difference, metric)}"
    return f"{chance}: as much time again finds no configuration in the ranges that is {better}"
