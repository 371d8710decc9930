"""What a search trains next: a new configuration, a paused trial, or a replicate of a finalist."""

import math
from functools import cached_property
from typing import Any

from search import tasks
from search.strategy import explain, sampler, warm_start
from search.strategy.halving import REDUCTION_FACTOR, SuccessiveHalving
from search.study.study import Proposal, Study
from search.study.trial import Trial, TrialState

TINY = 1e-12  # a loss that is as good as none
LEARNS_FROM = (TrialState.RUNNING, TrialState.COMPLETED, TrialState.PRUNED)


class Strategy:
    """The decisions of a search of one study.

    Args:
        study: opened to be searched. Its trials start, pause and end through this object.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._observed: dict[int, int] = {}  # trial -> its epochs that the rungs know
        study.on_change, study.on_void = self._take_in, self._start_over

    # What is trained next

    def ask(self) -> Trial:
        """Start the next trial: one that runs, or one that ended because its draw gave no configuration.

        Trials that another program enqueued come after the study's own first draws.
        """
        history = self.study.tried()
        draw, earlier = history.next_draw()
        is_start = draw < len(self._starts)
        fixed = earlier.params if earlier else self._starts[draw] if is_start else {}
        enqueued = None if is_start or earlier else min(history.waiting, default=None)
        levels = self._halving.observations()
        running = history.training.difference(levels, self._halving.paused)
        seen = sampler.select_observations(levels, history.rejected, running)
        completed = history.completed
        proposal = Proposal(
            sampler=sampler.sampler(self._seed("sampler", draw), fixed, draw),
            training_seed=self._seed("training", draw),
            draw=draw,
            retry_of=earlier.number if earlier else None,
            enqueued=enqueued,
            levels={number: levels[number] for number in seen if number in levels},
            others=[number for number in seen if number not in levels],
            explain=lambda drawn: explain.why_proposed(completed, drawn, proposal, is_start),
        )
        return self.study.start(proposal)

    def replicate(self, trial: Trial, replicate: int) -> Trial:
        """Start to train a trial's configuration again, on a fresh seed: a trial that runs."""
        seed = self._seed("repeat", replicate)
        proposal = Proposal(
            sampler=sampler.sampler(seed, trial.params, None),
            training_seed=seed,
            replicate_of=trial.number,
            replicate=replicate,
            explain=lambda drawn: explain.why_proposed([], drawn, proposal, False),
        )
        return self.study.start(proposal)

    def resume_next(self, force: bool = False) -> Trial | None:
        """Resume the paused trial whose turn it is, or with `force` the best; None if there is none."""
        number = self._halving.best_paused() if force else self._halving.next_promotion()
        if number is None:
            return None
        trial = self.study.resume(number)
        self._halving.resume(number)
        return trial

    # What became of it

    def report(self, number: int, entry: dict[str, Any]) -> bool:
        """Write an epoch of a running trial. Returns whether the trial is to pause.

        Raises TrialLost; ValueError if the epoch could not be read again.
        """
        trial = self.study.report(number, entry)
        reached_rung = self._observe(trial)
        return reached_rung and trial.draw != 0  # all else is compared with the baseline

    def pause(self, number: int) -> Trial:
        """Let a running trial wait. Returns the trial. Raises TrialLost."""
        trial = self.study.pause(number)
        self._halving.pause(number)
        return trial

    def tell(
        self,
        number: int,
        state: TrialState,
        reason: str,
        score: tuple[float | None, float | None] = (None, None),
    ) -> Trial:
        """End a trial for good. Returns the trial. Raises TrialLost."""
        trial = self.study.tell(number, state, reason, score)
        self._observe(trial)
        return trial

    @property
    def paused(self) -> list[int]:
        """The numbers of the paused trials, sorted."""
        return self._halving.paused

    def overflow(self) -> int | None:
        """A trial that waits in vain: see `SuccessiveHalving.overflow`."""
        return self._halving.overflow()

    def why_behind(self, number: int) -> str:
        """Why a paused trial is given up, in words."""
        entry, (rank, among) = self.study.trial(number).curve[-1], self._halving.rank_at_rung(number)
        value = entry[self.study.description.score_name]
        resumes = f"{rank} of {among} there; one in {REDUCTION_FACTOR} goes on"
        return f"at epoch {entry['epoch']}: {value:.4g}, {resumes}"

    # Inside

    def _seed(self, purpose: str, number: int) -> int:
        return sampler.derive_seed(self.study.description.seed, purpose, number)

    @cached_property
    def _starts(self) -> list[dict[str, Any]]:
        """What the first draws try: the task's defaults, and what won other tasks."""
        return [tasks.baseline(self.study.task), *warm_start.starts(self.study.task)]

    @cached_property
    def _halving(self) -> SuccessiveHalving:
        """The rungs of the study, with all that happened so far."""
        rungs = self.__dict__["_halving"] = SuccessiveHalving(self.study.task.Config().epochs)
        for trial in self.study.history():
            self._observe(trial)
        return rungs

    def _start_over(self) -> None:
        """Forget the rungs: other trials count than before."""
        self.__dict__.pop("_halving", None)
        self._observed.clear()

    def _take_in(self, trial: Trial) -> None:
        """Take in a trial that another coordinator changed."""
        self._observe(trial)

    def _observe(self, trial: Trial) -> bool:
        """Take in how far a trial is, or how it ended. Returns whether it reached a rung."""
        rungs, number, reached = self._halving, trial.number, False
        if trial.counts and trial.state in LEARNS_FROM:
            for entry in trial.curve:
                known = self._observed.get(number, 0)
                if entry["epoch"] > known:
                    level = self._level(entry[self.study.description.score_name])
                    reached |= rungs.report(number, known, entry["epoch"], level)
                    self._observed[number] = entry["epoch"]
        if trial.paused and trial.counts and self.study.owns(number):
            rungs.pause(number)
        if not trial.ended:
            return reached
        rungs.resume(number)
        if trial.state not in (TrialState.COMPLETED, TrialState.PRUNED):
            rungs.forget(number)
        elif trial.score is not None and trial.counts:
            rungs.finish(number, self._level(trial.score))
        return reached

    def _level(self, value: float) -> float:
        """A score, or one on the way, as it is compared: more is better. Losses count by their logarithms."""
        return value if self.study.sign > 0 else -math.asinh(value / TINY)
