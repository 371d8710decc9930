"""Which configuration wins: not the luckiest single score, but the best of the few that were trained again.

The best few configurations of a search are trained on fresh seeds, in turn, and one is dropped as
soon as it is clearly worse. Of those that are left the winner is the simplest whose mean is within
one standard error of the best mean (the one-standard-error rule: Breiman et al., Classification and
Regression Trees, 1984). The score that made it one of the few does not enter its mean: it was chosen
for being high.
"""

import math
import statistics
from dataclasses import dataclass, replace

from scipy.special import stdtr, stdtrit  # Student's t: its distribution, and that function's inverse

import data
from search.errors import NoWinner, TrialbookError
from search.study.trial import Trial

REPEATS = 5  # fresh seeds at the most, for each of the few
FEW, MANY = 3, 5  # configurations that are trained again, at the least and at the most
SURE = 0.95  # how probable a bar is to be cleared


@dataclass(frozen=True)
class Standing:
    """A configuration, and what its repeats say of it."""

    trial: Trial  # the one that made it one of the few
    scores: tuple  # of its completed repeats, in order
    seconds: float  # that a training of it takes, on average
    sign: int  # by which a score is multiplied so that more is better
    relative: bool = False  # compared by ratios: see `judged`
    standard_error: float | None = None  # of the mean, from how all the few spread; see `judged`
    unsound: str = ""  # why it cannot win, whatever its scores
    behind: bool = False  # clearly worse than the best

    @property
    def confirmed(self):
        """Whether there are repeats enough to say how far they spread."""
        return len(self.scores) > 1 and not self.unsound

    @property
    def mean(self):
        """Of its repeats."""
        return statistics.fmean(self.scores)

    @property
    def known(self):
        """The best that is known of its score, and the standard error: the mean, or the first score."""
        if self.confirmed:
            return self.mean, self.standard_error
        return self.trial.score, self.trial.standard_error

    @property
    def levels(self):
        """Its scores as they are compared: more is better."""
        return [self.sign * (math.log(score) if self.relative else score) for score in self.scores]

    @property
    def level(self):
        """The mean of its levels, and that mean's standard error."""
        return statistics.fmean(self.levels), self.standard_error / (self.mean if self.relative else 1)

    @property
    def luck(self):
        """By how much the first score was better than the mean; negative where it was worse."""
        return self.sign * (self.trial.score - self.mean)

    @property
    def tolerance(self):
        """How much worse than the first score another seed may well be: two standard deviations below the
        mean. None where that is not known.
        """
        if not self.confirmed:
            return None
        return max(0.0, self.luck) + 2 * self.standard_error * math.sqrt(len(self.scores))


def choose(study):
    """The winner: of the confirmed ones, else the best single score. Raises NoWinner."""
    return chosen(standings(study)) or _standing(study, study.best(), [])


def look(study, standing):
    """Train the winner once more and score it on the test data. The study counts the look.

    Returns the score, its standard error, and how many looks there were. Raises NoWinner where it is
    not confirmed: until then the test data stay closed. Raises StudyConflict where the code has changed
    since; TrialbookError where the training fails, or does not repeat the trial's.
    """
    trial, task = standing.trial, study.task
    if not standing.confirmed:
        raise NoWinner(f"the winner of study {study.name!r} is unconfirmed: its test data stay closed")
    from search.study import fingerprint
    from search.trainers.trainer import GO_ON, Trainer

    fingerprint.require_same_code(study, trial)
    test = task.DATA.load(data.read(study.data_path), "test")
    config = task.Config(**trial.config)
    (value, _), score = Trainer(task, study.data_path).test(config, lambda entry: GO_ON, test)
    if abs(value - trial.score) > task.TOLERANCE:
        raise TrialbookError(f"trial {trial.number} scored {trial.score:.5g}, trained again {value:.5g}")
    return *score, study.looked(trial, score)


def cheapest(study, bar):
    """The configuration that trains fastest and, on a new seed, is at least as good as `bar`.

    That is to be SURE, judged by its repeats. Raises NoWinner.
    """
    confirmed = [each for each in standings(study) if each.confirmed]
    chances = {each.trial.number: chance(confirmed, each, bar) for each in confirmed}
    sure = [each for each in confirmed if chances[each.trial.number] >= SURE]
    if sure:
        return min(sure, key=lambda each: (each.seconds, each.trial.number))
    if not confirmed:
        raise NoWinner(f"study {study.name!r} has no confirmed configuration: make search with CONFIRM=")
    best = max(confirmed, key=lambda each: chances[each.trial.number])
    nearest = f"trial {best.trial.number} (mean {best.mean:.4g}) does with {chances[best.trial.number]:.0%}"
    raise NoWinner(
        f"no confirmed configuration of study {study.name!r} clears {bar:g} with {SURE:.0%}: {nearest}"
    )


def chance(confirmed, standing, bar):
    """How probable it is that a training of a configuration on a new seed is at least as good as `bar`."""
    if standing.relative and bar <= 0:
        return 0.0
    variance, freedom = spread(confirmed)
    margin = standing.level[0] - standing.sign * (math.log(bar) if standing.relative else bar)
    deviation = math.sqrt(variance * (1 + 1 / len(standing.scores)))
    return float(margin >= 0) if deviation == 0 else float(stdtr(freedom, margin / deviation))


def next_repeat(study, repeats, bar=None):
    """The trial that is to be trained again next, and on which fresh seed; None where the order is clear."""
    few = standings(study, candidates(study, bar))
    begun = {each.trial.number: set() for each in few}
    for trial in study.trials():
        if trial.confirms in begun and not trial.crossed and trial.state != "interrupted":
            begun[trial.confirms].add(trial.repeat)
    return following(few, begun, repeats)


def following(few, begun, repeats):
    """The trial and the repeat that come next, as one trial of `few` after another has its turn.

    Args:
        few: the standings, the best first score first.
        begun: which repeats of each have begun, a set for each trial's number.
        repeats: how many there are to be. One that is alone has no order left to find: two are enough.
    """
    left = [each for each in few if not each.unsound and not each.behind]
    wanted = repeats if len(left) > 1 else min(2, repeats)
    waiting = [each.trial for each in left if len(begun[each.trial.number]) < wanted]
    if not waiting:
        return None
    turn = min(waiting, key=lambda trial: len(begun[trial.number]))
    return turn, min(set(range(1, wanted + 1)) - begun[turn.number])


def candidates(study, bar=None):
    """The trials whose configurations are worth training again: the best few, the best first.

    More than FEW where their scores cannot be told apart from the best: where they are less than the
    standard error of a difference behind. With a bar, also the FEW cheapest whose scores clear it.
    """
    distinct = {tuple(trial.params.items()): trial for trial in reversed(study.completed())}
    trials = sorted(distinct.values(), key=study.rank)
    close = [
        trial
        for trial in trials
        if abs(trial.score - trials[0].score) <= math.sqrt(2) * trials[0].standard_error
    ]
    best = trials[: min(max(FEW, len(close)), MANY)]
    clear = [trial for trial in trials if bar is not None and study.sign * (trial.score - bar) >= 0]
    cheap = sorted(clear, key=lambda trial: trial.seconds)[:FEW]
    return best + [trial for trial in cheap if trial not in best]


def standings(study, trials=()):
    """How the configurations stand that were trained again, and those of `trials`: by first score."""
    again = {trial.number: [] for trial in trials}
    for trial in study.trials():
        if trial.confirms is not None and not trial.crossed:
            again.setdefault(trial.confirms, []).append(trial)
    first = sorted((trial for trial in study.completed() if trial.number in again), key=study.rank)
    return judged([_standing(study, trial, again[trial.number]) for trial in first])


def _standing(study, trial, repeats):
    ended = [each for each in repeats if each.state in ("diverged", "failed")]
    completed = sorted((each for each in repeats if each.state == "completed"), key=lambda each: each.repeat)
    return Standing(
        trial=trial,
        scores=tuple(each.score for each in completed),
        seconds=statistics.fmean(each.seconds for each in [trial, *completed]),
        sign=study.sign,
        unsound=f"{ended[0].state} on a fresh seed (trial {ended[0].number})" if ended else "",
    )


def judged(few):
    """Standings with their standard errors, and who is clearly behind the best.

    Few repeats tell little of how one configuration spreads, so all tell it together. Losses spread in
    proportion to their size, which may differ by orders of magnitude: where all scores are positive and
    lower is better they are compared by their logarithms.
    """
    relative = all(each.sign < 0 and min(each.scores, default=1) > 0 for each in few)
    few = [replace(each, relative=relative) for each in few]
    variance, freedom = spread(few)
    few = [replace(each, standard_error=_error(each, variance)) for each in few]
    confirmed = [each for each in few if each.confirmed]
    if not confirmed:
        return few
    best = max(confirmed, key=lambda each: each.level[0])

    def behind(each):
        (high, high_error), (low, low_error) = best.level, each.level
        return high - low > stdtrit(freedom, 0.975) * math.hypot(high_error, low_error)

    return [replace(each, behind=each.confirmed and behind(each)) for each in few]


def _error(standing, variance):
    """The standard error of a mean, from the variance of levels."""
    if not standing.confirmed:
        return None
    return math.sqrt(variance / len(standing.scores)) * (standing.mean if standing.relative else 1)


def spread(few):
    """The variance of a level within configurations, of all together; its degrees of freedom, at least 1."""
    groups = [each.levels for each in few if len(each.scores) > 1]
    freedom = sum(len(levels) - 1 for levels in groups)
    squares = sum(statistics.variance(levels) * (len(levels) - 1) for levels in groups)
    return squares / max(1, freedom), max(1, freedom)


def chosen(few):
    """Of standings, the simplest within one standard error of the best mean; None if none is confirmed."""
    left = [each for each in few if each.confirmed and not each.behind]
    if not left:
        return None
    best, error = max(each.level for each in left)
    equals = [each for each in left if each.level[0] >= best - error]
    return min(equals, key=lambda each: (each.trial.size, each.seconds, each.trial.number))
