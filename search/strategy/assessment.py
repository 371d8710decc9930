"""What the trials of a study amount to now: the leaders, and what more time promises."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from search.strategy import allocation, winner
from search.strategy.allocation import Begun, Outlook, Situation
from search.strategy.draws.first_draws import warm_starts
from search.strategy.knowledge import Knowledge
from search.study.stored import StoredStudy

MIN_COMPLETED = 3  # configurations that are trained to the end, if so many are drawn
N_DRAWS = 64  # the best draws so far, which tell what others may be worth
MIN_DRAWS = 25  # without which a search does not stop by itself: fewer say too little of the ranges


@dataclass(frozen=True)
class Limits:
    """How far a search goes, and how it begins.

    Args:
        trials: of the study in total, those of earlier searches included.
        replicates: fresh seeds of a configuration, at most; 0 leaves the answer unconfirmed.
        threshold: the score that the answer is to reach; the search is over once one surely does.
        stops: whether the search stops by itself once more time promises too little.
        in_stages: whether the first draws follow the course's order: see `draws.first_draws.Stages`.
        requested_only: whether nothing is trained but what people requested: see `search.study.requests`.
        jobs: trainers.
    """

    trials: float = math.inf
    replicates: int = 0
    threshold: float | None = None
    stops: bool = False
    in_stages: bool = False
    requested_only: bool = False
    jobs: int = 1


class Assessment:
    """What is known of a study, and what more time promises. Nothing here writes.

    Args:
        study: to read, or to search.
    """

    def __init__(self, study: StoredStudy) -> None:
        self.study = study

    @cached_property
    def knowledge(self) -> Knowledge:
        """What all trials taught so far."""
        return Knowledge(self.study)

    @property
    def paused(self) -> list[int]:
        """The numbers of the paused trials, sorted."""
        return self.knowledge.rungs.paused

    def situation(self, limits: Limits, seconds_left: float = math.inf) -> Situation:
        """What is known now, as `allocation` weighs it."""
        posterior, costs = self.knowledge.posterior, self.knowledge.costs
        attempts = self.study.tried().attempts  # the fixed ones tell nothing of further draws
        starts = {attempts[draw].number for draw in range(1 + len(self._warm_starts)) if draw in attempts}
        own = {trial.number for draw, trial in attempts.items() if draw < 0}
        recent = costs.recent_draws()
        first = [self.study.trial(number).curve for number in recent]
        name, rung = self.study.description.score_name, costs.first_rung
        scores = [next(entry[name] for entry in curve if entry["epoch"] >= rung) for curve in first]
        like = zip(recent, posterior.extrapolate(rung, scores), strict=True)
        paused = [(number, posterior.estimate(number)) for number in self.paused]
        return Situation(
            contenders=winner.contenders(posterior, costs.full, limits.threshold, self._sampling_error),
            paused=[self._begun(number, each) for number, each in paused if each],
            recent=[self._begun(number, each, True) for number, each in like if each],
            draws=posterior.best(N_DRAWS, starts | own),
            n_draws=costs.n_draws() - len(starts),
            draw_seconds=costs.draw(),
            may_draw=self.study.n_started() < limits.trials,
            max_fresh=limits.replicates,
            seconds_left=seconds_left,
            jobs=limits.jobs,
            spread=posterior.spread(),
        )

    def is_over(self, now: Situation, limits: Limits, n_running: int) -> bool:
        """Whether nothing more is worth its time."""
        if limits.requested_only:
            return True
        if not now.may_draw and self._n_ending(n_running) < MIN_COMPLETED and self.paused:
            return False
        if limits.replicates and not self._is_settled(now, limits):
            return False
        if limits.stops and any(each.surely_reaches for each in now.contenders):
            return True
        if now.may_draw and (not limits.stops or now.n_draws < MIN_DRAWS):
            return False
        outlook = self.outlook(now)
        return not now.paused if outlook is None else outlook.gain < self.difference

    @property
    def difference(self) -> float:
        """The difference of levels that means something: see `Posterior.difference`."""
        return self.knowledge.posterior.difference(self.study.task)

    def outlook(self, now: Situation) -> Outlook | None:
        """What as much time again promises."""
        return allocation.outlook(now, self.difference)

    def _is_settled(self, now: Situation, limits: Limits) -> bool:
        """Whether the answer is confirmed, and no more seeds could change it by much."""
        if not now.contenders:
            return not (now.may_draw or now.paused)
        losses = allocation.losses(now.contenders)
        waiting = [
            each
            for each in now.contenders
            if each.n_fresh + each.n_training < min(limits.replicates, allocation.CONFIRMING)
            or (each.confirmed and each.n_fresh + each.n_training < limits.replicates)
        ]
        confirmed = [losses[each.number] for each in now.contenders if each.confirmed]
        if confirmed and min(confirmed) < self.difference:
            return True
        return not waiting

    def _sampling_error(self, number: int) -> float:
        return self.study.trial(number).standard_error or 0.0

    def _n_ending(self, n_running: int) -> int:
        return len(self.study.tried().completed) + n_running

    def _begun(self, number: int, estimate: Any, at_first_rung: bool = False) -> Begun:
        costs, epochs = self.knowledge.costs, self.study.trial(number).config["epochs"]
        full = costs.full(number)
        rest = full * max(0.0, 1 - costs.first_rung / epochs) if at_first_rung else costs.rest(number)
        return Begun(number, estimate, rest, full)

    @cached_property
    def _warm_starts(self) -> list[dict[str, Any]]:
        """What won other tasks."""
        return warm_starts(self.study.task)
