"""What is known of each configuration: its final score over seeds, as a normal distribution.

The estimate uses every epoch of every seed so far:

- A completed training gives a score. It is the configuration's mean plus the noise of its seed.
- An unfinished training is extrapolated by a line from the level at its last epoch to the final level. The
  line is fitted to the trainings that were completed; the scatter about it becomes uncertainty.
- The mean of a completed configuration is shrunk towards those of the others (empirical Bayes). So the
  luckiest of many first scores does no harm. A bad one is moved by two standard errors at most.
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
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from search.strategy.estimates.levels import TINY, Estimate, Line, Moments, Pair, Scale, Shrinkage
from search.study.trial import Trial, TrialState
from search.study.view import StudyView
from search.tasks import Task

MAX_PAIRS = 256  # examples that an extrapolation is fitted to, at most, besides unfinished ones
EXTRAPOLATED = (TrialState.RUNNING, TrialState.PRUNED, TrialState.INTERRUPTED)
FAILED_SEEDS = (TrialState.DIVERGED, TrialState.FAILED)


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
        self._finals: dict[int, tuple[float, float]] = {}  # completed trial -> score, standard error
        self._moments: dict[int, Moments] = {}  # configuration -> of its levels; none while the scale is new
        self._lowest = math.inf  # score so far
        self._of_params: dict[tuple[Any, ...], int] = {}  # hyperparameters -> configuration
        self._configurations: dict[int, int] = {}  # trial -> configuration
        self._seeds: dict[int, dict[int, TrialState]] = {}  # configuration -> replicate -> how far it is
        self._rows: dict[int, int] = {}  # configuration -> its place among those that have a score
        self._pairs: dict[int, dict[int, Pair]] = {}  # epoch -> configuration -> an example from there on
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
        self._curves[trial.number] = {entry["epoch"]: entry[self._score_name] for entry in trial.curve}
        self._see(trial.score)
        self._finals[trial.number] = trial.score, trial.standard_error or 0.0
        self._rows.setdefault(configuration, len(self._rows))
        self._moments[configuration] = self._moments_of(configuration)
        for epoch, pairs in self._pairs.items():
            if pair := self._pair(epoch, configuration):
                pairs[configuration] = pair
            self._shorten(pairs)
        self._stale()

    def _see(self, score: float) -> None:
        is_first, self._lowest = score < 0 <= self._lowest, min(self._lowest, score)
        if is_first:  # ratios mean nothing from now on
            self.__dict__.pop("scale", None)
            self._pairs.clear()
            self._moments = {each: self._moments_of(each) for each in self._moments}
            self._stale()

    def _stale(self) -> None:
        """Forget what is computed from all completed trainings."""
        self.__dict__.pop("_shrinkage", None)
        self.__dict__.pop("_completed", None)
        self._lines.clear()

    # What is read

    @cached_property
    def scale(self) -> Scale:
        """How scores are compared."""
        return Scale(self._sign, self._sign < 0 and self._lowest >= 0)

    def estimate(self, configuration: int) -> Estimate | None:
        """The estimate of a configuration; None as long as nothing can be said of it."""
        if configuration in self._rows:
            return self.of_completed(configuration)
        if configuration not in self._reached:
            return None
        epoch = self._reached[configuration]
        return self.extrapolate(epoch, [self._curves[configuration][epoch]])[0]

    def by_trial(self) -> dict[int, Estimate]:
        """The estimates of the trials' configurations: by the numbers of those trials that have one."""
        found = {trial: self.estimate(each) for trial, each in self._configurations.items()}
        return {trial: estimate for trial, estimate in found.items() if estimate}

    def of_completed(self, configuration: int) -> Estimate:
        """The estimate of a configuration that has a score."""
        return self._shrinkage.estimate(self._rows[configuration])

    def completed(self) -> Mapping[int, Estimate]:
        """The estimates of the configurations that have a score."""
        return self._completed

    def leaders(self, count: int, without: Collection[int] = ()) -> list[int]:
        """The configurations with the best estimates, of those that have a score; the best first."""
        best = np.argsort(-self._shrinkage.means, kind="stable")[: count + len(without)]
        numbers = list(self._rows)
        return [numbers[row] for row in best if numbers[row] not in without][:count]

    def extrapolate(self, epoch: int, scores: Iterable[float]) -> list[Estimate | None]:
        """Estimates of configurations of which one training had these scores after an epoch."""
        line, levels = self._line(epoch), self.scale.levels(scores)
        if line is None:
            return [None] * len(levels)
        spread = math.sqrt(self.seed_variance)
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
        best = [self.of_completed(each) for each in self.leaders(count, without)]
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

    @property
    def seed_variance(self) -> float:
        """The variance of a level over the seeds of a typical configuration."""
        return self._shrinkage.seed_variance

    def spread(self) -> float:
        """The standard deviation of completed configurations; 0 as long as there are too few."""
        return math.sqrt(self._shrinkage.prior[1]) if len(self._scores) >= 3 else 0.0

    def difference(self, task: Task) -> float:
        """The difference of levels that means something.

        It is the task's MEANINGFUL_DIFFERENCE: of scores, or of losses a fraction. Without one it is as much
        as the seed makes: the standard deviation of one configuration's score.
        """
        stated = getattr(task, "MEANINGFUL_DIFFERENCE", None)
        if stated is None:
            return math.sqrt(self.seed_variance)
        return math.log1p(stated) if self.scale.relative else float(stated)

    # How it is computed

    def _moments_of(self, configuration: int) -> Moments:
        return Moments.of(self.scale.levels(self._scores[configuration].values()))

    @cached_property
    def _shrinkage(self) -> Shrinkage:
        relative, finals = self.scale.relative, self._finals.values()
        # The logarithm of a loss whose error is larger than itself says no more than a factor.
        errors = [min(1.0, error / max(score, TINY)) if relative else error for score, error in finals]
        return Shrinkage(list(self._moments.values()), float(np.median(errors)) ** 2 if errors else 0.0)

    @cached_property
    def _completed(self) -> dict[int, Estimate]:
        return {each: self._shrinkage.estimate(row) for each, row in self._rows.items()}

    def _line(self, epoch: int) -> Line | None:
        """The extrapolation from an epoch on; None as long as no training shows it.

        It is fitted to the best of the completed configurations, and to the trials that came farther than
        this epoch: their own extrapolations stand for their final levels.
        """
        if epoch not in self._lines:
            pairs = list(self._examples(epoch).values())
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
            self._lines[epoch] = Line.fit(pairs, self.seed_variance) if pairs else None
        return self._lines[epoch]

    def _examples(self, epoch: int) -> dict[int, Pair]:
        """How completed configurations went on from an epoch."""
        if epoch not in self._pairs:
            pairs = ((each, self._pair(epoch, each)) for each in self._scores)
            self._pairs[epoch] = {each: pair for each, pair in pairs if pair}
            self._shorten(self._pairs[epoch])
        return self._pairs[epoch]

    @staticmethod
    def _shorten(pairs: dict[int, Pair]) -> None:
        """Leave out the worst of too many examples."""
        if len(pairs) > 2 * MAX_PAIRS:
            for configuration in heapq.nsmallest(len(pairs) - MAX_PAIRS, pairs, key=pairs.__getitem__):
                del pairs[configuration]

    def _pair(self, epoch: int, configuration: int) -> Pair | None:
        """The mean level after an epoch, and the mean final level, over a configuration's seeds."""
        scores = self._scores[configuration]
        seeds = [number for number in scores if epoch in self._curves[number]]
        if not seeds:
            return None
        on_the_way = self.scale.levels(self._curves[number][epoch] for number in seeds)
        finals = self.scale.levels(scores[number] for number in seeds)
        return Pair(float(on_the_way.mean()), float(finals.mean()), 0.0)
