"""What the next seconds of a trainer are worth, and when a search has found what it can.

A free trainer does one of three things: it draws a new configuration and trains it to the first rung,
resumes a paused trial, or trains a contender on a fresh seed. Each is worth the amount by which it is
expected to improve the answer. The one with the largest expected gain per second is next:

- A resumed trial gains its expected improvement over the best configuration that is known. It costs the
  rest of its training, and its confirmation.
- A draw gains what its like gained so far. It costs its first epochs, and the rest only where that pays.
  This is Pandora's box: its rate is the one at which opening boxes breaks even.
- A fresh seed gains the knowledge gradient: by how much the choice among contenders is expected to improve.

The answer is the best configuration with at least CONFIRMING fresh seeds. The search is over once as much
time again is expected to gain less than the meaningful difference.

Source: Jones et al., Efficient Global Optimization, 1998 (expected improvement); Frazier et al., The
Knowledge-Gradient Policy, 2009; Weitzman, Optimal Search for the Best Alternative, 1979 (Pandora's box).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm

from search.strategy.estimates.levels import Estimate, Levels

CONFIRMING = 2  # fresh seeds that confirm a configuration
CONFIDENCE = 0.95  # the probability with which a threshold is to be reached
N_LIKE = 24  # recent draws that tell what the next one is worth
MIN_LIKE = 4  # draws without which that is not known
HALVINGS = 40  # of an interval in which a rate is sought
TAIL = 4  # the best draws, which show how much better others may be
INSTANT = 1e-9  # seconds of a training that takes no time by its own clock
GRID = 200  # levels at which an expected maximum is integrated


class Option(NamedTuple):
    """A piece of work for a trainer."""

    kind: Literal["draw", "resume", "replicate"]
    number: int | None  # the paused trial, or the configuration that gets another seed
    rate: float  # expected gain of a level, per second


@dataclass(frozen=True)
class Begun:
    """A configuration that is trained in part: its estimate, and what it costs to know more."""

    number: int
    estimate: Estimate
    rest: float  # seconds until its training ends
    full: float  # seconds of a whole training


@dataclass(frozen=True)
class Contender:
    """A configuration that has a score."""

    number: int
    estimate: Estimate
    full: float  # seconds of a training
    n_fresh: int  # completed fresh seeds
    n_training: int = 0  # fresh seeds that train now
    chance: float = 0.0  # that it reaches the threshold of the search, if there is one

    @property
    def confirmed(self) -> bool:
        """Whether it was trained on enough fresh seeds."""
        return self.n_fresh >= CONFIRMING

    @property
    def surely_reaches(self) -> bool:
        """Whether it is confirmed that it reaches the threshold of the search."""
        return self.confirmed and self.chance >= CONFIDENCE


@dataclass(frozen=True)
class Situation:
    """What is known when a trainer is free.

    Args:
        contenders: the sound configurations that have a score.
        paused: the trials that could resume.
        recent: the latest draws, each as it was at its first rung.
        draws: the best draws so far, each as it is known now.
        n_draws: the number of all draws so far.
        draw_seconds: until a draw reaches its first rung.
        may_draw: whether another configuration may be drawn.
        max_fresh: fresh seeds that a configuration gets at most.
        seconds_left: until the search must end.
        jobs: trainers.
    """

    contenders: Sequence[Contender]
    paused: Sequence[Begun] = ()
    recent: Sequence[Begun] = ()
    draws: Sequence[Estimate] = ()
    n_draws: int = 0
    draw_seconds: float = 0.0
    may_draw: bool = True
    max_fresh: int = 5
    seconds_left: float = math.inf
    jobs: int = 1
    spread: float = field(default=0.0)  # standard deviation of completed configurations

    @property
    def known(self) -> float:
        """The level of the best configuration that has a score, confirmed or not."""
        return max((each.estimate.mean for each in self.contenders), default=-math.inf)

    @property
    def answer(self) -> float:
        """The level of the best confirmed configuration; without one, a poor level instead."""
        confirmed = [each.estimate.mean for each in self.contenders if each.confirmed]
        if confirmed:
            return max(confirmed)
        seeds = max((each.estimate.seed_deviation for each in self.contenders), default=0.0)
        return self.known - max(self.spread, 2 * seeds)


def next_work(now: Situation) -> Option | None:
    """The work that gains most per second; None where nothing can end in the time that is left."""
    if urgent := _reach_threshold(now) or _last_chance_to_confirm(now):
        return urgent
    options = [*_draws(now), *_resumptions(now), *_replicates(now)]
    return max(options, key=lambda option: option.rate, default=None)


def improvement(mean: Levels, deviation: Levels, best: float) -> Levels:
    """The expected excess of a normal variable over `best`, counted as 0 where it is below."""
    deviation = np.maximum(deviation, 1e-300)
    z = (mean - best) / deviation
    excess: Levels = np.maximum(deviation * (norm.pdf(z) + z * ndtr(z)), 0.0)
    return excess


def _moments(estimates: Sequence[Estimate]) -> tuple[Levels, Levels]:
    """Means and deviations, as arrays."""
    return (
        np.array([each.mean for each in estimates]),
        np.array([each.deviation for each in estimates]),
    )


def _confirmation(begun: Begun) -> float:
    return CONFIRMING * begun.full


def _draws(now: Situation) -> list[Option]:
    if not now.may_draw:
        return []
    if len(now.recent) < MIN_LIKE or not now.contenders:
        return [Option("draw", None, math.inf)]
    wait = now.draw_seconds + float(np.median([each.rest + each.full for each in now.recent]))
    if wait > now.seconds_left:
        return []
    return [Option("draw", None, _draw_rate(now.recent, now.known, now.draw_seconds))]


def _draw_rate(recent: Sequence[Begun], best: float, draw_seconds: float) -> float:
    """The rate at which opening boxes breaks even: each costs a draw, and its rest only if that pays."""
    gains = improvement(*_moments([each.estimate for each in recent]), best)
    costs = np.array([each.rest + _confirmation(each) for each in recent])
    low, high = 0.0, float(gains.max() / max(draw_seconds, INSTANT))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if np.maximum(gains - middle * costs, 0.0).mean() > middle * draw_seconds:
            low = middle
        else:
            high = middle
    return low


def _resumptions(now: Situation) -> list[Option]:
    paused = [each for each in now.paused if each.rest <= now.seconds_left]
    if not paused:
        return []
    best = now.known if now.contenders else min(each.estimate.mean for each in paused)
    gains = improvement(*_moments([each.estimate for each in paused]), best)
    return [
        Option("resume", each.number, float(gain) / max(each.rest + _confirmation(each), INSTANT))
        for each, gain in zip(paused, gains, strict=True)
    ]


def _replicates(now: Situation) -> list[Option]:
    return [
        Option("replicate", each.number, _knowledge_gradient(now, each))
        for each in now.contenders
        if _may_replicate(now, each)
    ]


def _may_replicate(now: Situation, each: Contender) -> bool:
    wanted = min(CONFIRMING, now.max_fresh) if not each.confirmed else each.n_fresh + 1
    return each.n_fresh + each.n_training < min(wanted, now.max_fresh) and each.full <= now.seconds_left


def _knowledge_gradient(now: Situation, each: Contender) -> float:
    """The expected gain per second of more seeds for a contender: one, or as many as confirm it."""
    seeds = 1 if each.confirmed else max(1, CONFIRMING - each.n_fresh)
    known, noise = each.estimate.deviation**2, each.estimate.seed_deviation**2 / seeds
    learned = math.sqrt(known * known / (known + noise)) if known else 0.0
    rivals = [other.estimate.mean for other in now.contenders if other.confirmed and other is not each]
    rival = max(rivals, default=now.answer)
    mean = each.estimate.mean
    gain = float(improvement(np.array(mean), np.array(learned), rival))
    if each.confirmed:  # it may be the answer already: only a change of mind gains anything
        gain -= max(mean - rival, 0.0)
    return max(gain, 0.0) / max(seeds * each.full, INSTANT)


def _reach_threshold(now: Situation) -> Option | None:
    """Another seed for the contender that trains fastest, of those that probably reach the threshold."""
    probable = [each for each in now.contenders if each.chance >= 0.5 and _may_replicate(now, each)]
    if not probable or any(each.surely_reaches for each in now.contenders):
        return None
    cheapest = min(probable, key=lambda each: (each.full, each.number))
    return Option("replicate", cheapest.number, math.inf)


def _last_chance_to_confirm(now: Situation) -> Option | None:
    """The best contender, where it is unconfirmed and the time left is just enough to confirm it."""
    if not now.max_fresh or not math.isfinite(now.seconds_left):
        return None
    for each in sorted(now.contenders, key=lambda each: -each.estimate.mean)[:3]:
        if each.confirmed:
            return None
        rounds = math.ceil((CONFIRMING - each.n_fresh) / now.jobs)
        if rounds * each.full <= now.seconds_left:
            late = now.seconds_left < 1.5 * rounds * each.full + now.draw_seconds
            if late and _may_replicate(now, each):
                return Option("replicate", each.number, math.inf)
            return None
    return None


# When to stop


class Outlook(NamedTuple):
    """What as much time again promises."""

    gain: float  # of the answer's level, expected
    odds: float  # the probability that no configuration turns up that is better by the difference


def outlook(now: Situation, difference: float) -> Outlook | None:
    """What as many draws again, and all that is paused, promise; None as long as that is not known.

    Each further draw is worth what one of the draws so far is worth, as far as that is known now.
    """
    if len(now.draws) < MIN_LIKE or not now.contenders:
        return None
    means, deviations = _moments(now.draws)
    deviations = np.hypot(deviations, _tail(means))
    paused_means, paused_deviations = _moments([each.estimate for each in now.paused])
    top = float(
        max((means + 5 * deviations).max(), (paused_means + 5 * paused_deviations).max(initial=-np.inf))
    )
    best = now.known

    def below(levels: Levels) -> Levels:
        """The probability that everything that turns up is below a level."""
        above = ndtr((means - levels[:, None]) / deviations).sum(axis=1) / now.n_draws
        paused = ndtr((levels[:, None] - paused_means) / paused_deviations).prod(axis=1)
        return np.asarray((1 - above) ** (now.n_draws if now.may_draw else 0) * paused)

    odds = float(below(np.array([best + difference]))[0])
    if top <= best:
        return Outlook(0.0, odds)
    levels = np.linspace(best, top, GRID)
    return Outlook(float(np.trapezoid(1 - below(levels), levels)), odds)


def _tail(means: Levels) -> float:
    """How much better the next best draw may be, from how far the best few draws are apart.

    So far nothing was better than the best, but as many draws again are as likely to hold the best of all.
    The best TAIL values of an exponential tail of this scale would be as far apart (Renyi, 1953).
    """
    best = np.sort(means)[::-1][:TAIL]
    return float(best[0] - best[-1]) / sum(1 / rank for rank in range(1, len(best)))


def losses(contenders: Sequence[Contender]) -> Mapping[int, float]:
    """The expected loss of naming each contender: how far the best of them is above it, on average."""
    if not contenders:
        return {}
    means, deviations = _moments([each.estimate for each in contenders])
    draws = means + deviations * _standard_normal(len(contenders))
    return dict(
        zip(
            [each.number for each in contenders],
            (draws.max(axis=1, keepdims=True) - draws).mean(axis=0).tolist(),
            strict=True,
        )
    )


def _standard_normal(columns: int) -> Levels:
    """The same draws each time, so that equal studies have equal winners."""
    half = np.random.default_rng(0).standard_normal((500, columns))
    return np.vstack([half, -half])
