"""Which configuration wins: the best of the finalists that were trained again, not the luckiest score.

The best few configurations of a search, the finalists, are trained on fresh seeds, in turn. One is dropped as
soon as it is clearly worse. The winner is the simplest of the others whose mean is within one standard error
of the best mean (the one-standard-error rule: Breiman et al., Classification and Regression Trees, 1984).
The score that made it a finalist does not enter its mean, because it was chosen for being high.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scipy.special import stdtr, stdtrit  # Student's t: its distribution, and that function's inverse

from search.errors import NoWinner
from search.study.trial import Trial, TrialState
from search.study.view import StudyView

REPLICATES = 5  # fresh seeds for each finalist, at most
MIN_FINALISTS, MAX_FINALISTS = 3, 5
CONFIDENCE = 0.95  # the probability with which a threshold is to be reached


@dataclass(frozen=True)
class Candidate:
    """A configuration that may win, and what its replicates say of it."""

    trial: Trial  # the one that made it a finalist
    scores: tuple[float, ...]  # of its completed replicates, in order
    seconds: float  # that a training of it takes, on average
    sign: int  # the factor by which a higher score is a better one
    relative: bool = False  # compared by ratios: see `judged`
    standard_error: float | None = None  # of the mean, from the spread of all candidates: see `judged`
    unsound: str = ""  # why it cannot win, whatever its scores
    behind: bool = False  # clearly worse than the best

    @property
    def confirmed(self) -> bool:
        """Whether there are enough replicates to say how far they spread."""
        return len(self.scores) > 1 and not self.unsound

    @property
    def mean(self) -> float:
        """The mean score of its replicates."""
        return statistics.fmean(self.scores)

    @property
    def estimate(self) -> tuple[float, float | None]:
        """The best estimate of its score, and the standard error: the mean, or else the first score."""
        if self.confirmed:
            return self.mean, self.standard_error
        return self.first_score, self.trial.standard_error

    @property
    def first_score(self) -> float:
        """The score that made it a finalist."""
        assert self.trial.score is not None
        return self.trial.score

    @property
    def levels(self) -> list[float]:
        """Its scores as they are compared: more is better."""
        return [self.sign * (math.log(score) if self.relative else score) for score in self.scores]

    @property
    def level(self) -> tuple[float, float]:
        """The mean of its levels, and that mean's standard error; of a confirmed candidate."""
        assert self.standard_error is not None
        return statistics.fmean(self.levels), self.standard_error / (self.mean if self.relative else 1)

    @property
    def optimism(self) -> float:
        """By how much the first score was better than the mean; negative if it was worse."""
        return self.sign * (self.first_score - self.mean)

    @property
    def tolerance(self) -> float | None:
        """How much worse than the first score another seed may well be; None if that is not known.

        That is two standard deviations below the mean.
        """
        if not self.confirmed or self.standard_error is None:
            return None
        return max(0.0, self.optimism) + 2 * self.standard_error * math.sqrt(len(self.scores))


def choose(study: StudyView) -> Candidate:
    """The winner: of the confirmed candidates, else the best single score. Raises NoWinner."""
    return simplest(candidates(study)) or _candidate(study, study.best(), [])


def cheapest(study: StudyView, threshold: float) -> Candidate:
    """The configuration that trains fastest and reaches a threshold on a new seed, with CONFIDENCE.

    That is judged by its replicates. Raises NoWinner.
    """
    confirmed = [each for each in candidates(study) if each.confirmed]
    chances = {each.trial.number: chance(confirmed, each, threshold) for each in confirmed}
    sure = [each for each in confirmed if chances[each.trial.number] >= CONFIDENCE]
    if sure:
        return min(sure, key=lambda each: (each.seconds, each.trial.number))
    if not confirmed:
        raise NoWinner(f"study {study.name!r} has no confirmed configuration: make search with CONFIRM=")
    best = max(confirmed, key=lambda each: chances[each.trial.number])
    nearest = f"trial {best.trial.number} (mean {best.mean:.4g}) does with {chances[best.trial.number]:.0%}"
    raise NoWinner(
        f"no confirmed configuration of study {study.name!r} clears {threshold:g} with {CONFIDENCE:.0%}: "
        f"{nearest}"
    )


def chance(confirmed: Sequence[Candidate], candidate: Candidate, threshold: float) -> float:
    """The probability that a training of a candidate on a new seed reaches a threshold.

    Args:
        confirmed: the candidates whose spread tells that.
    """
    if candidate.relative and threshold <= 0:
        return 0.0
    variance, freedom = spread(confirmed)
    level = math.log(threshold) if candidate.relative else threshold
    margin = candidate.level[0] - candidate.sign * level
    deviation = math.sqrt(variance * (1 + 1 / len(candidate.scores)))
    return float(margin >= 0) if deviation == 0 else float(stdtr(freedom, margin / deviation))


def next_replicate(
    study: StudyView, replicates: int, threshold: float | None = None
) -> tuple[Trial, int] | None:
    """The trial to train again next, and the number of its fresh seed; None once the order is clear."""
    judged_finalists = candidates(study, finalists(study, threshold))
    started: dict[int, set[int]] = {each.trial.number: set() for each in judged_finalists}
    for trial in study.trials():
        if trial.replicate_of in started and not trial.void and trial.state != TrialState.INTERRUPTED:
            assert trial.replicate is not None
            started[trial.replicate_of].add(trial.replicate)
    return following(judged_finalists, started, replicates)


def following(
    judged_finalists: Sequence[Candidate], started: Mapping[int, set[int]], replicates: int
) -> tuple[Trial, int] | None:
    """The trial and the replicate that come next, as one finalist after another has its turn.

    Args:
        judged_finalists: the best first score first.
        started: trial number -> the replicates of it that have started.
        replicates: how many there are to be. A single finalist has no order left to find: two are enough.
    """
    left = [each for each in judged_finalists if not each.unsound and not each.behind]
    wanted = replicates if len(left) > 1 else min(2, replicates)
    waiting = [each.trial for each in left if len(started[each.trial.number]) < wanted]
    if not waiting:
        return None
    turn = min(waiting, key=lambda trial: len(started[trial.number]))
    return turn, min(set(range(1, wanted + 1)) - started[turn.number])


def finalists(study: StudyView, threshold: float | None = None) -> list[Trial]:
    """The trials whose configurations are worth training again, the best first.

    There are more than MIN_FINALISTS if scores cannot be told apart from the best: if they are less than
    the standard error of a difference behind. With a threshold, the MIN_FINALISTS cheapest trials whose
    scores reach it are finalists too.
    """
    distinct = {tuple(trial.params.items()): trial for trial in reversed(study.completed())}
    trials = sorted(distinct.values(), key=study.sort_key)
    close = [trial for trial in trials if _is_close(trial, trials[0])]
    best = trials[: min(max(MIN_FINALISTS, len(close)), MAX_FINALISTS)]
    if threshold is None:
        return best
    reach = [trial for trial in trials if study.sign * ((trial.score or 0.0) - threshold) >= 0]
    cheap = sorted(reach, key=lambda trial: trial.seconds)[:MIN_FINALISTS]
    return best + [trial for trial in cheap if trial not in best]


def _is_close(trial: Trial, best: Trial) -> bool:
    """Whether a score is less than the standard error of a difference behind the best."""
    assert trial.score is not None and best.score is not None and best.standard_error is not None
    return abs(trial.score - best.score) <= math.sqrt(2) * best.standard_error


def candidates(study: StudyView, trials: Iterable[Trial] = ()) -> list[Candidate]:
    """The configurations that were trained again, and those of `trials`, the best first score first."""
    replicates: dict[int, list[Trial]] = {trial.number: [] for trial in trials}
    for trial in study.trials():
        if trial.replicate_of is not None and not trial.void:
            replicates.setdefault(trial.replicate_of, []).append(trial)
    first = sorted((trial for trial in study.completed() if trial.number in replicates), key=study.sort_key)
    return judged([_candidate(study, trial, replicates[trial.number]) for trial in first])


def _candidate(study: StudyView, trial: Trial, replicates: Sequence[Trial]) -> Candidate:
    ended = [each for each in replicates if each.state in (TrialState.DIVERGED, TrialState.FAILED)]
    completed = [each for each in replicates if each.state == TrialState.COMPLETED]
    completed.sort(key=lambda each: each.replicate or 0)
    return Candidate(
        trial=trial,
        scores=tuple(each.score for each in completed if each.score is not None),
        seconds=statistics.fmean(each.seconds for each in [trial, *completed]),
        sign=study.sign,
        unsound=f"{ended[0].state} on a fresh seed (trial {ended[0].number})" if ended else "",
    )


def judged(few: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with their standard errors, and which of them are clearly behind the best.

    Few replicates tell little of how one configuration spreads, so all candidates tell it together. Losses
    spread in proportion to their size, which may differ by orders of magnitude. So if all scores are
    positive and lower is better, they are compared by their logarithms.
    """
    relative = all(each.sign < 0 and min(each.scores, default=1) > 0 for each in few)
    few = [replace(each, relative=relative) for each in few]
    variance, freedom = spread(few)
    few = [replace(each, standard_error=_error(each, variance)) for each in few]
    confirmed = [each for each in few if each.confirmed]
    if not confirmed:
        return list(few)
    best = max(confirmed, key=lambda each: each.level[0])

    def behind(each: Candidate) -> bool:
        (high, high_error), (low, low_error) = best.level, each.level
        return bool(high - low > stdtrit(freedom, 0.975) * math.hypot(high_error, low_error))

    return [replace(each, behind=each.confirmed and behind(each)) for each in few]


def _error(candidate: Candidate, variance: float) -> float | None:
    """The standard error of a mean, from the variance of levels."""
    if not candidate.confirmed:
        return None
    return math.sqrt(variance / len(candidate.scores)) * (candidate.mean if candidate.relative else 1)


def spread(few: Sequence[Candidate]) -> tuple[float, int]:
    """The variance of a level within configurations, pooled; its degrees of freedom, at least 1."""
    groups = [each.levels for each in few if len(each.scores) > 1]
    freedom = sum(len(levels) - 1 for levels in groups)
    squares = sum(statistics.variance(levels) * (len(levels) - 1) for levels in groups)
    return squares / max(1, freedom), max(1, freedom)


def simplest(few: Sequence[Candidate]) -> Candidate | None:
    """The simplest candidate within one standard error of the best mean; None if none is confirmed."""
    left = [each for each in few if each.confirmed and not each.behind]
    if not left:
        return None
    best, error = max(each.level for each in left)
    equals = [each for each in left if each.level[0] >= best - error]
    return min(equals, key=lambda each: (each.trial.size, each.seconds, each.trial.number))
