"""Which configuration wins: one that is proved on fresh seeds, and not the luckiest score.

A configuration is confirmed once it was trained on CONFIRMING fresh seeds. The winner is the smallest
confirmed network whose expected loss, against the best of all configurations, is below the meaningful
difference. The estimates are those of `search.strategy.estimates.posterior`, as everywhere.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from scipy.special import ndtr

from search.errors import NoWinner
from search.strategy.allocation import CONFIDENCE, CONFIRMING, Contender, losses
from search.strategy.estimates.levels import Estimate, Scale
from search.strategy.estimates.posterior import Posterior
from search.study.trial import Trial, TrialState
from search.study.view import StudyView

REPLICATES = 5  # fresh seeds of a configuration, at most
MAX_CONTENDERS = 12  # configurations, besides the confirmed ones, that may still win
N_CHEAPEST = 3  # configurations that reach a threshold, which may win by training fast
HOPELESS = 0.025  # the probability of being as good as the best, below which a candidate is behind


@dataclass(frozen=True)
class Candidate:
    """A configuration that may win, and what is known of it."""

    trial: Trial  # the one that tried it first
    scores: tuple[float, ...]  # of its completed fresh seeds, in order
    seconds: float  # that a training of it takes, on average
    known: Estimate  # of its level
    scale: Scale
    loss: float = 0.0  # of naming it, expected, as a difference of levels
    unsound: str = ""  # why it cannot win, whatever its scores
    behind: bool = False  # probably worse than the best

    @property
    def confirmed(self) -> bool:
        """Whether it was trained on enough fresh seeds."""
        return len(self.scores) >= CONFIRMING and not self.unsound

    @property
    def mean(self) -> float:
        """The estimate of its score over seeds."""
        return self.scale.score(self.known.mean)

    @property
    def standard_error(self) -> float:
        """The standard error of `mean`."""
        return self.scale.error(self.known.mean, self.known.deviation)

    @property
    def first_score(self) -> float:
        """The score of its first training."""
        assert self.trial.score is not None
        return self.trial.score

    @property
    def optimism(self) -> float:
        """By how much the first score was better than the estimate; negative if it was worse."""
        return self.scale.sign * (self.first_score - self.mean)

    @property
    def tolerance(self) -> float | None:
        """How much worse than the first score another seed may well be; None if that is not known.

        That is two standard deviations below the estimate.
        """
        if not self.confirmed:
            return None
        seeds = self.scale.error(self.known.mean, self.known.seed_deviation)
        return max(0.0, self.optimism) + 2 * seeds


def choose(study: StudyView, posterior: Posterior | None = None) -> Candidate:
    """The winner: of the confirmed candidates, else the best estimate. Raises NoWinner.

    Args:
        posterior: that of the study, if it is known.
    """
    posterior = posterior or Posterior.of(study)
    few = candidates(study, posterior)
    if won := simplest(few, posterior.difference(study.task)):
        return won
    sound = [each for each in few if not each.unsound]
    if not sound:
        raise NoWinner(f"study {study.name!r} has no completed trial")
    return max(sound, key=lambda each: (each.known.mean, -each.trial.size, -each.trial.number))


def cheapest(study: StudyView, threshold: float) -> Candidate:
    """The confirmed configuration that trains fastest and reaches a threshold with CONFIDENCE.

    Raises NoWinner.
    """
    confirmed = [each for each in candidates(study) if each.confirmed]
    sure = [each for each in confirmed if _clears(each, threshold) >= CONFIDENCE]
    if sure:
        return min(sure, key=lambda each: (each.seconds, each.trial.number))
    if not confirmed:
        raise NoWinner(f"study {study.name!r} has no confirmed configuration: make search with CONFIRM=")
    best = max(confirmed, key=lambda each: _clears(each, threshold))
    nearest = f"trial {best.trial.number} (mean {best.mean:.4g}) does with {_clears(best, threshold):.0%}"
    raise NoWinner(
        f"no confirmed configuration of study {study.name!r} clears {threshold:g} with {CONFIDENCE:.0%}: "
        f"{nearest}"
    )


def _clears(candidate: Candidate, threshold: float) -> float:
    return chance(candidate.known, candidate.scale, threshold, candidate.trial.standard_error or 0.0)


def chance(known: Estimate, scale: Scale, threshold: float, sampling_error: float) -> float:
    """The probability that a training on a new seed reaches a threshold on new data.

    Args:
        sampling_error: the standard error of a score through the choice of the validation data.
    """
    if scale.relative and threshold <= 0:
        return 0.0
    sampling = sampling_error / scale.score(known.mean) if scale.relative else sampling_error
    margin = known.mean - scale.level(threshold)
    deviation = math.hypot(known.deviation, known.seed_deviation, sampling)
    return float(margin >= 0) if deviation == 0 else float(ndtr(margin / deviation))


def contenders(
    posterior: Posterior,
    full: Callable[[int], float],
    threshold: float | None = None,
    sampling_error: Callable[[int], float] = lambda number: 0.0,
) -> list[Contender]:
    """The sound configurations that may still win.

    Args:
        full: gives the seconds of a training of a configuration.
        threshold: the score that is to be reached: the cheapest that reach it are contenders too.
        sampling_error: gives the standard error of a configuration's score: see `chance`.
    """
    unsound = posterior.unsound.keys()
    numbers = {*posterior.leaders(MAX_CONTENDERS, unsound)}
    numbers |= {each for each in posterior.replicated() - unsound if posterior.n_fresh(each)}
    if threshold is not None:
        level = posterior.scale.level(threshold)
        completed = posterior.completed().items()
        reach = [each for each, known in completed if known.mean >= level and each not in unsound]
        numbers |= {*heapq.nsmallest(N_CHEAPEST, reach, key=full)}
    estimates = {number: posterior.of_completed(number) for number in numbers}

    def reaches(number: int) -> float:
        if threshold is None:
            return 0.0
        return chance(estimates[number], posterior.scale, threshold, sampling_error(number))

    return [
        Contender(
            number=number,
            estimate=estimates[number],
            full=full(number),
            n_fresh=posterior.n_fresh(number),
            n_training=posterior.n_training(number),
            chance=reaches(number),
        )
        for number in sorted(numbers)
    ]


def candidates(study: StudyView, posterior: Posterior | None = None) -> list[Candidate]:
    """The configurations that may win, and those that were trained again, the best estimate first."""
    posterior = posterior or Posterior.of(study)
    numbers = {*posterior.leaders(MAX_CONTENDERS), *posterior.replicated()}
    fresh: dict[int, list[Trial]] = {number: [] for number in numbers}
    for trial in study.trials():
        if trial.replicate_of in fresh and trial.state == TrialState.COMPLETED and not trial.void:
            fresh[trial.replicate_of].append(trial)
    found = [_candidate(study.trial(number), fresh[number], posterior) for number in numbers]
    return _judged(sorted(found, key=lambda each: (-each.known.mean, each.trial.number)))


def _candidate(trial: Trial, fresh: list[Trial], posterior: Posterior) -> Candidate:
    fresh.sort(key=lambda each: each.replicate or 0)
    failed = posterior.unsound.get(trial.number)
    return Candidate(
        trial=trial,
        scores=tuple(each.score for each in fresh if each.score is not None),
        seconds=sum(each.seconds for each in [trial, *fresh]) / (1 + len(fresh)),
        known=posterior.of_completed(trial.number),
        scale=posterior.scale,
        unsound="" if failed is None else f"failed on a fresh seed (trial {failed})",
    )


def _judged(few: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with their expected losses, and which of them are probably behind the best."""
    sound = [each for each in few if not each.unsound]
    expected = losses(
        [Contender(each.trial.number, each.known, each.seconds, len(each.scores)) for each in sound]
    )
    best = max((each for each in sound if each.confirmed), key=lambda each: each.known.mean, default=None)

    def behind(each: Candidate) -> bool:
        if best is None or best is each:
            return False
        apart = best.known.mean - each.known.mean
        return bool(ndtr(-apart / math.hypot(best.known.deviation, each.known.deviation)) < HOPELESS)

    return [
        replace(each, loss=expected.get(each.trial.number, math.inf), behind=behind(each)) for each in few
    ]


def simplest(few: Iterable[Candidate], difference: float) -> Candidate | None:
    """The smallest confirmed candidate whose expected loss is below a difference of levels.

    Where no loss is, it is the one with the smallest loss; None if none is confirmed.
    """
    confirmed = [each for each in few if each.confirmed]
    if not confirmed:
        return None
    least = min(each.loss for each in confirmed)
    equals = [each for each in confirmed if each.loss <= max(least, difference)]
    return min(equals, key=lambda each: (each.trial.size, each.seconds, each.trial.number))
