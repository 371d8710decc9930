"""What the trials of a study teach: the rungs that they reached, their estimates, and their costs."""

import statistics
from collections import deque

from search.strategy.estimates.posterior import Posterior
from search.strategy.halving import SuccessiveHalving
from search.study.stored import StoredStudy
from search.study.trial import Trial, TrialState

N_RECENT_DRAWS = 24  # that tell what the next draw costs and gains
LEARNS_FROM = (TrialState.RUNNING, TrialState.COMPLETED, TrialState.PRUNED)


class Knowledge:
    """The rungs, the posterior and the costs of a study, with all that happened so far."""

    def __init__(self, study: StoredStudy) -> None:
        self._study = study
        self._observed: dict[int, int] = {}  # trial -> its epochs that the rungs know
        warm_up = getattr(study.task, "WARM_UP", 0)
        self.rungs = SuccessiveHalving(study.task.Config().epochs, warm_up)
        self.posterior = Posterior(study.sign, study.description.score_name)
        self.costs = Costs(self.rungs.ends[0] if self.rungs.ends else 0)
        for trial in study.trials():
            self.observe(trial)

    def observe(self, trial: Trial) -> bool:
        """Take in how far a trial is, or how it ended. Returns whether it reached a rung."""
        self.posterior.observe(trial)
        self.costs.observe(trial)
        return trial.counts and self._observe_rungs(trial)

    def _observe_rungs(self, trial: Trial) -> bool:
        rungs, number, reached = self.rungs, trial.number, False
        if trial.state in LEARNS_FROM:
            for entry in trial.curve:
                known = self._observed.get(number, 0)
                if entry["epoch"] > known:
                    level = self._level(entry[self._study.description.score_name])
                    reached |= rungs.report(number, known, entry["epoch"], level)
                    self._observed[number] = entry["epoch"]
        if trial.paused and self._study.owns(number):
            rungs.pause(number)
        if not trial.ended:
            return reached
        rungs.resume(number)
        if trial.state not in (TrialState.COMPLETED, TrialState.PRUNED):
            rungs.forget(number)
        elif trial.score is not None:
            rungs.finish(number, self._level(trial.score))
        return reached

    def _level(self, score: float) -> float:
        """A score as the rungs order it: more is better."""
        return self._study.sign * score


class Costs:
    """The seconds that trainings of one study took.

    Args:
        first_rung: the epoch at which a drawn configuration pauses for the first time; 0 if it never does.
    """

    def __init__(self, first_rung: int) -> None:
        self.first_rung = first_rung
        self._trained: dict[int, tuple[float, float]] = {}  # trial -> seconds, share of its epochs
        self._until_rung: dict[int, float] = {}  # draw's trial -> seconds to its first rung, or to its end
        self._draws: deque[int] = deque(maxlen=N_RECENT_DRAWS)  # those that came to their first rung

    def observe(self, trial: Trial) -> None:
        """Take in how far a trial is. It may be taken in again."""
        if not trial.curve:
            return
        number = trial.number
        self._trained[number] = trial.seconds, trial.epochs / trial.config["epochs"]
        if trial.replicate_of is not None or trial.is_own or number in self._until_rung:
            return
        until = self.first_rung or trial.config["epochs"]
        if trial.epochs >= until:
            entries = (entry for entry in trial.curve if entry["epoch"] <= until)
            self._until_rung[number] = sum(entry["seconds"] for entry in entries)
            self._draws.append(number)
        elif trial.ended and trial.state != TrialState.INTERRUPTED:
            self._until_rung[number] = trial.seconds

    def full(self, number: int) -> float:
        """Seconds of a whole training of a trial's configuration."""
        seconds, share = self._trained[number]
        return seconds / share

    def rest(self, number: int) -> float:
        """Seconds until the training of a trial ends."""
        seconds, share = self._trained[number]
        return seconds / share * max(0.0, 1 - share)

    def recent_draws(self) -> list[int]:
        """The latest trials that came to their first rung."""
        return list(self._draws)

    def draw(self) -> float:
        """Seconds that bring a draw to its first rung, those of draws that ended before included."""
        if not self._draws:
            return 0.0
        recent = [seconds for number, seconds in self._until_rung.items() if number >= self._draws[0]]
        return statistics.fmean(recent) * len(recent) / len(self._draws)

    def total(self) -> float:
        """Seconds of all trainings together."""
        return sum(seconds for seconds, _ in self._trained.values())

    def n_draws(self) -> int:
        """The number of draws whose first epochs were trained."""
        return len(self._until_rung)
