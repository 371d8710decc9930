"""What is known of each configuration: its final score over seeds, as a normal distribution.

The estimate uses every epoch of every seed so far:

- A completed training gives a score. It is the configuration's mean plus the noise of its seed.
- An unfinished training is extrapolated by a line from the level at its last epoch to the final level. The
  line is fitted to the trainings that were completed; the scatter about it becomes uncertainty.
- The mean of a completed configuration is shrunk towards those of the others (empirical Bayes). So the
  luckiest of many first scores does no harm.
- Each configuration has a seed variance of its own, shrunk towards the typical one (inverse gamma). So an
  unstable network makes no other look uncertain.

Scores are compared as levels, of which more is better: a score itself, or minus the logarithm of a loss, as
losses differ by orders of magnitude.

Source: Efron and Morris, Data Analysis Using Stein's Estimator, 1975; Gelman et al., Bayesian Data
Analysis, chapter 5.
"""

import heapq
import itertools
import math
import statistics
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import chi2

from search.strategy.levels import TINY, Line, Pair, Scale
from search.study.trial import Trial, TrialState
from search.study.view import StudyView
from search.tasks import Task

PRIOR_SEEDS = 4  # degrees of freedom of what is assumed of a seed variance
EXTRAPOLATED = (TrialState.RUNNING, TrialState.PRUNED, TrialState.INTERRUPTED)
FAILED_SEEDS = (TrialState.DIVERGED, TrialState.FAILED)


@dataclass(frozen=True)
class Estimate:
    """A configuration's final level over seeds; more is better: see `Scale`."""

    mean: float
    deviation: float  # the standard deviation of what is not known of the mean
    seed_deviation: float  # how far one training spreads about the mean
    n_seeds: int  # completed trainings, the first included


def _mean(estimate: Estimate) -> float:
    return estimate.mean


class Posterior:
    """The estimates of all configurations of a study.

    A configuration is known by the number of the trial that tried it first. Trials are taken in one by one,
    and again whenever they change.

    Args:
        sign: the factor by which a higher score is a better one.
        score_name: the name under which an epoch has the metric that compares trials.
    """

    def __init__(self, sign: int, score_name: str) -> None:
        self._sign, self._score_name = sign, score_name
        self._reached: dict[int, int] = {}  # unfinished trial -> its last epoch
        self._curves: dict[int, dict[int, float]] = {}  # trial -> epoch -> score
        self._scores: dict[int, dict[int, float]] = {}  # configuration -> trial -> score
        self._errors: dict[int, float] = {}  # completed trial -> standard error of its score
        self._lowest = math.inf  # score so far
        self._of_params: dict[tuple[Any, ...], int] = {}  # hyperparameters -> configuration
        self._configurations: dict[int, int] = {}  # trial -> configuration
        self._seeds: dict[int, dict[int, TrialState]] = {}  # configuration -> replicate -> how far it is
        self._lines: dict[int, Line | None] = {}  # epoch -> the extrapolation from there on
        self.unsound: dict[int, int] = {}  # configuration -> a trial in which it failed on a fresh seed

    @classmethod
    def of(cls, view: StudyView) -> "Posterior":
        """The posterior of a study as it is now."""
        posterior = cls(view.sign, view.description.score_name)
        for trial in view.trials():
            posterior.observe(trial)
        return posterior

    def observe(self, trial: Trial) -> None:
        """Take in what is known of a trial now."""
        if trial.void:
            return
        first = trial.number if trial.replicate_of is None else trial.replicate_of
        configuration = self._configurations.setdefault(trial.number, self._configurations.get(first, first))
        if trial.replicate_of is not None:
            self._observe_replicate(trial, configuration)
        elif trial.state == TrialState.COMPLETED:
            self._reached.pop(trial.number, None)
            params = tuple(sorted(trial.params.items()))
            self._configurations[trial.number] = self._of_params.setdefault(params, trial.number)
            self._complete(trial, self._configurations[trial.number])
        elif trial.state in EXTRAPOLATED and trial.curve:
            curve = self._curves.setdefault(trial.number, {})
            for entry in trial.curve[len(curve) :]:
                curve[entry["epoch"]] = entry[self._score_name]
                self._see(entry[self._score_name])
            if trial.epochs != self._reached.get(trial.number):
                self._reached[trial.number] = trial.epochs
                self._lines = {epoch: line for epoch, line in self._lines.items() if epoch >= trial.epochs}
        else:  # it diverged or failed: it has no final score
            self._reached.pop(trial.number, None)

    def _observe_replicate(self, trial: Trial, configuration: int) -> None:
        assert trial.replicate is not None
        if configuration not in self._scores:
            return  # the first trial of the configuration is void
        seeds = self._seeds.setdefault(configuration, {})
        seeds[trial.replicate] = trial.state
        if trial.state == TrialState.INTERRUPTED:
            del seeds[trial.replicate]
        if trial.state == TrialState.COMPLETED:
            self._complete(trial, configuration)
        elif trial.state in FAILED_SEEDS:
            self.unsound[configuration] = trial.number

    def _complete(self, trial: Trial, configuration: int) -> None:
        assert trial.score is not None
        self._scores.setdefault(configuration, {})[trial.number] = trial.score
        self._errors[trial.number] = trial.standard_error or 0.0
        self._curves[trial.number] = {entry["epoch"]: entry[self._score_name] for entry in trial.curve}
        self._see(trial.score)
        self._stale()

    def _see(self, score: float) -> None:
        if score < 0 <= self._lowest:  # ratios mean nothing from now on
            self._stale()
        self._lowest = min(self._lowest, score)

    def _stale(self) -> None:
        """Forget what is computed from completed trainings."""
        for name in ("scale", "_completed", "typical_seed_variance", "_sampling_variance", "_prior"):
            self.__dict__.pop(name, None)
        self._lines.clear()

    # What is read

    @cached_property
    def scale(self) -> Scale:
        """How scores are compared."""
        return Scale(self._sign, self._sign < 0 and self._lowest >= 0)

    def estimate(self, configuration: int) -> Estimate | None:
        """The estimate of a configuration; None as long as nothing can be said of it."""
        if configuration in self._scores:
            return self._completed[configuration]
        if configuration not in self._reached:
            return None
        epoch = self._reached[configuration]
        return self.extrapolate(epoch, [self._curves[configuration][epoch]])[0]

    def by_trial(self) -> dict[int, Estimate]:
        """The estimates of the trials' configurations: by the numbers of those trials that have one."""
        found = {trial: self.estimate(each) for trial, each in self._configurations.items()}
        return {trial: estimate for trial, estimate in found.items() if estimate}

    def completed(self) -> Mapping[int, Estimate]:
        """The estimates of the configurations that have a score."""
        return self._completed

    def extrapolate(self, epoch: int, scores: Iterable[float]) -> list[Estimate | None]:
        """Estimates of configurations of which one training had these scores after an epoch."""
        line, levels = self._line(epoch), self.scale.levels(scores)
        if line is None:
            return [None] * len(levels)
        spread = math.sqrt(self.typical_seed_variance)
        means, deviations = line.predict(levels)
        return [
            Estimate(float(mean), float(deviation), spread, 0)
            for mean, deviation in zip(means, deviations, strict=True)
        ]

    def best(self, count: int, without: Collection[int]) -> list[Estimate]:
        """The best estimates, among them the `count` best ones.

        Args:
            without: configurations that are left out.
        """
        completed = self._completed.keys() - set(without)
        best = heapq.nlargest(count, (self._completed[number] for number in completed), key=_mean)
        on_the_way: dict[int, list[float]] = {}
        for number, epoch in self._reached.items():
            if number not in without:
                on_the_way.setdefault(epoch, []).append(self._curves[number][epoch])
        for epoch, scores in on_the_way.items():
            ahead = heapq.nlargest(count, scores, key=self.scale.level)  # a better one never ends worse
            best += [each for each in self.extrapolate(epoch, ahead) if each]
        return best

    def n_fresh(self, configuration: int) -> int:
        """The number of completed fresh seeds of a configuration."""
        return list(self._seeds.get(configuration, {}).values()).count(TrialState.COMPLETED)

    def n_training(self, configuration: int) -> int:
        """The number of fresh seeds of a configuration that train now."""
        return list(self._seeds.get(configuration, {}).values()).count(TrialState.RUNNING)

    def replicated(self) -> set[int]:
        """The configurations that were trained on fresh seeds."""
        return set(self._seeds)

    def next_seed(self, configuration: int) -> int:
        """The number of the next fresh seed of a configuration, from 1."""
        begun = self._seeds.get(configuration, {})
        return next(number for number in itertools.count(1) if number not in begun)

    def spread(self) -> float:
        """The standard deviation of completed configurations; 0 as long as there are too few."""
        return math.sqrt(self._prior[1]) if len(self._scores) >= 3 else 0.0

    def difference(self, task: Task) -> float:
        """The difference of levels that means something.

        It is the task's MEANINGFUL_DIFFERENCE: of scores, or of losses a fraction. Without one it is half the
        standard deviation of a score, over seeds and over validation data.
        """
        stated = getattr(task, "MEANINGFUL_DIFFERENCE", None)
        if stated is None:
            return math.sqrt(self.typical_seed_variance + self._sampling_variance) / 2
        return math.log1p(stated) if self.scale.relative else float(stated)

    # How it is computed

    @cached_property
    def typical_seed_variance(self) -> float:
        """The variance of a level over the seeds of one configuration: the median over configurations.

        The sampling error of a score counts as PRIOR_SEEDS seeds. It is all that is known at first.
        """
        variances, freedom = [], 0
        for scores in self._scores.values():
            if (own := len(scores) - 1) > 0:
                median = chi2.ppf(0.5, own) / own  # of a variance that is estimated from so few
                variances.append(float(np.var(self.scale.levels(scores.values()), ddof=1)) / median)
                freedom += own
        known = statistics.median(variances) if variances else 0.0
        variance = (freedom * known + PRIOR_SEEDS * self._sampling_variance) / (freedom + PRIOR_SEEDS)
        return float(max(variance, TINY**2))

    @cached_property
    def _sampling_variance(self) -> float:
        """The variance of a level through the choice of the validation data."""
        errors = [
            self._errors[number] / (max(score, TINY) if self.scale.relative else 1)
            for scores in self._scores.values()
            for number, score in scores.items()
        ]
        return statistics.median(errors) ** 2 if errors else 0.0

    @cached_property
    def _prior(self) -> tuple[float, float]:
        """The mean and variance of the means of completed configurations, by their quartiles."""
        levels = [self.scale.levels(scores.values()).mean() for scores in self._scores.values()]
        noise = self.typical_seed_variance * statistics.fmean(1 / len(each) for each in self._scores.values())
        low, middle, high = np.quantile(levels, (0.25, 0.5, 0.75))
        spread = ((high - low) / 1.349) ** 2  # a normal distribution has 1.349 deviations between them
        return float(middle), float(max(spread - noise, spread / 4))

    @cached_property
    def _completed(self) -> dict[int, Estimate]:
        typical = self.typical_seed_variance
        middle, spread = self._prior if self._scores else (0.0, 0.0)
        estimates = {}
        for configuration, scores in self._scores.items():
            levels, n = self.scale.levels(scores.values()), len(scores)
            squares = float(((levels - levels.mean()) ** 2).sum())
            variance = (PRIOR_SEEDS * typical + squares) / (PRIOR_SEEDS + n - 1)
            if len(self._scores) < 3:  # too few to say what configurations are like
                mean, uncertain = float(levels.mean()), variance / n
            else:
                weight = spread / (spread + variance / n) if spread else 0.0
                mean = middle + weight * (float(levels.mean()) - middle)
                uncertain = weight * variance / n
            estimates[configuration] = Estimate(mean, math.sqrt(uncertain), math.sqrt(variance), n)
        return estimates

    def _line(self, epoch: int) -> Line | None:
        """The extrapolation from an epoch on; None as long as no training shows it.

        It is fitted to the completed configurations, and to the trials that came farther than this epoch:
        their own extrapolations stand for their final levels.
        """
        if epoch not in self._lines:
            pairs = [pair for scores in self._scores.values() if (pair := self._pair(epoch, scores))]
            farther: dict[int, list[int]] = {}
            for number, reached in self._reached.items():
                if reached > epoch and epoch in self._curves[number]:
                    farther.setdefault(reached, []).append(number)
            for reached, trials in farther.items():
                if pairs and (line := self._line(reached)):
                    levels = self.scale.levels(self._curves[number][epoch] for number in trials)
                    ahead = self.scale.levels(self._curves[number][reached] for number in trials)
                    finals, deviations = line.predict(ahead)
                    pairs += map(Pair, levels.tolist(), finals.tolist(), (deviations**2).tolist())
            self._lines[epoch] = Line.fit(pairs, self.typical_seed_variance) if pairs else None
        return self._lines[epoch]

    def _pair(self, epoch: int, scores: Mapping[int, float]) -> Pair | None:
        """The mean level after an epoch, and the mean final level, over a configuration's seeds."""
        seeds = [number for number in scores if epoch in self._curves[number]]
        if not seeds:
            return None
        on_the_way = self.scale.levels(self._curves[number][epoch] for number in seeds)
        finals = self.scale.levels(scores[number] for number in seeds)
        return Pair(float(on_the_way.mean()), float(finals.mean()), 0.0)
