"""What a search trains next: a new configuration, a paused trial, or a contender on a fresh seed."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

from search import tasks
from search.strategy import allocation, explain
from search.strategy.assessment import MIN_COMPLETED, Assessment, Limits
from search.strategy.draws import sampler
from search.strategy.draws.first_draws import Stages
from search.strategy.draws.grouping import N_DRAWS, WORTH_DRAWING, WORTH_GROUPING, Gains, shape
from search.strategy.halving import REDUCTION_FACTOR
from search.study.requests import OwnTrial
from search.study.study import Proposal, Study
from search.study.trial import Trial, TrialState


class Plan(NamedTuple):
    """The next draw, before it is drawn."""

    draw: int
    earlier: Trial | None  # the interrupted trial that it retries
    fixed: Mapping[str, Any]  # hyperparameters that are not sampled
    why: str  # the reason for those values; "" if none is fixed
    enqueued: int | None = None  # the trial that it starts, if another program enqueued one


class Strategy(Assessment):
    """The decisions of a search of one study.

    Args:
        study: opened to be searched. Its trials start, pause and end through this object.
    """

    study: Study

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        study.on_change, study.on_void = self._take_in, self._start_over
        self._gains = Gains()

    # What is trained next

    def next_trials(self, limits: Limits, seconds_left: float, n_running: int) -> list[Trial]:
        """Start or resume the trial that gains most per second; [] if the search is over.

        Beside a new one start others of its shape, if those train faster together.
        """
        trial = self.next_trial(limits, seconds_left, n_running)
        if trial is None:
            return []
        if trial.ended or trial.curve:
            return [trial]
        if trial.replicate_of is None:
            return [trial, *self._more_draws(trial, limits)]
        return [trial, *self._more_seeds(trial.replicate_of, limits, seconds_left)]

    def next_trial(self, limits: Limits, seconds_left: float, n_running: int) -> Trial | None:
        """Start or resume the trial that gains most per second; None if the search is over.

        Args:
            n_running: trials that train now.
        """
        now = self.situation(limits, seconds_left)
        if self.is_over(now, limits, n_running):
            return None
        rungs = self.knowledge.rungs
        must_resume = not now.may_draw and self._n_ending(n_running) < MIN_COMPLETED
        promoted = rungs.best_paused() if must_resume else rungs.next_promotion()
        if promoted is not None:
            return self.resume(promoted)
        match allocation.next_work(now):
            case ("draw", _, _):
                return self.ask(limits.in_stages)
            case ("resume", int(number), _):
                return self.resume(number)
            case ("replicate", int(number), _):
                seed = self.knowledge.posterior.next_seed(number)
                return self.replicate(self.study.trial(number), seed)
        return None

    def ask(self, in_stages: bool = False) -> Trial:
        """Start the next trial: one that runs, or one that ended because its draw gave no configuration.

        Trials that another program enqueued come after the study's own first draws.
        """
        return self._start(self._plan(in_stages))

    def try_own(self, own: OwnTrial) -> Trial:
        """Start a person's own configuration. It takes the place of no draw of the study."""
        draw = own.earlier.draw if own.earlier else -1 - self.study.tried().n_own
        assert draw is not None
        proposal = Proposal(
            sampler=sampler.sampler(self._seed("sampler", draw), own.params, None),
            training_seed=self._seed("training", draw),
            draw=draw,
            retry_of=own.earlier.number if own.earlier else None,
            request=own.request,
            explain=lambda drawn: own.why,
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
            explain=lambda drawn: explain.why_proposed([], drawn, proposal, ""),
        )
        started = self.study.start(proposal)
        self._observe(started)
        return started

    def resume(self, number: int) -> Trial:
        """Resume a paused trial."""
        trial = self.study.resume(number)
        self.knowledge.rungs.resume(number)
        return trial

    # What became of it

    def report(self, number: int, entry: dict[str, Any]) -> bool:
        """Write an epoch of a running trial. Returns whether the trial is to pause.

        Raises TrialLost; ValueError if the epoch could not be read again.
        """
        trial = self.study.report(number, entry)
        reached_rung = self._observe(trial)
        return reached_rung and trial.draw != 0 and not trial.is_own  # all else is compared with the baseline

    def pause(self, number: int) -> Trial:
        """Let a running trial wait. Returns the trial. Raises TrialLost."""
        trial = self.study.pause(number)
        self.knowledge.rungs.pause(number)
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

    def overflow(self) -> int | None:
        """A trial that waits in vain: see `SuccessiveHalving.overflow`."""
        return self.knowledge.rungs.overflow()

    def why_behind(self, number: int) -> str:
        """Why a paused trial is given up, in words."""
        entry, (rank, among) = self.study.trial(number).curve[-1], self.knowledge.rungs.rank_at_rung(number)
        value = entry[self.study.description.score_name]
        resumes = f"{rank} of {among} there; one in {REDUCTION_FACTOR} goes on"
        return f"at epoch {entry['epoch']}: {value:.4g}, {resumes}"

    def measured(self, number: int, gain: float) -> None:
        """Take in how many times as fast networks like that of a trial train together."""
        trial = self.study.trial(number)
        configuration = number if trial.replicate_of is None else trial.replicate_of
        self._gains.take(configuration, trial.params, gain)

    # Inside

    def _plan(self, in_stages: bool) -> Plan:
        """What the next draw is."""
        history = self.study.tried()
        draw, earlier = history.next_draw()
        if earlier:
            return Plan(draw, earlier, earlier.params, "")
        fixed, why = self._first_draw(draw, in_stages)
        return Plan(draw, None, fixed, why, None if fixed else min(history.waiting, default=None))

    def _start(self, plan: Plan) -> Trial:
        """Start the trial of a draw."""
        history = self.study.tried()
        levels = self.knowledge.rungs.observations()
        running = history.training.difference(levels, self.paused)
        seen = sampler.select_observations(levels, history.rejected, running)
        completed = history.completed
        proposal = Proposal(
            sampler=sampler.sampler(self._seed("sampler", plan.draw), plan.fixed, plan.draw),
            training_seed=self._seed("training", plan.draw),
            draw=plan.draw,
            retry_of=plan.earlier.number if plan.earlier else None,
            enqueued=plan.enqueued,
            levels={number: levels[number] for number in seen if number in levels},
            others=[number for number in seen if number not in levels],
            explain=lambda drawn: explain.why_proposed(completed, drawn, proposal, plan.why),
        )
        return self.study.start(proposal)

    def _more_draws(self, first: Trial, limits: Limits) -> list[Trial]:
        """Start more draws beside one that just started: of its shape, each at its own learning rate.

        Those of the course's order are to be trained anyway. Others take the place of draws of other shapes,
        and so must gain more.
        """
        gain, own_shape = self._gains.of_draws(first.params), shape(first.params)
        if own_shape == first.params:  # it has no learning rate
            return []
        more: list[Trial] = []
        while self.study.n_started() < limits.trials:
            plan = self._plan(limits.in_stages)
            is_free = not plan.fixed and plan.enqueued is None
            if is_free:
                why = f"of the shape of trial {first.number}: they train together"
                plan = plan._replace(fixed=own_shape, why=why)
                pays = gain >= WORTH_DRAWING and len(more) < N_DRAWS - 1
            else:
                pays = gain >= WORTH_GROUPING
            if plan.earlier or shape(plan.fixed) != own_shape or not pays:
                break
            more.append(self._start(plan))
        return more

    def _more_seeds(self, number: int, limits: Limits, seconds_left: float) -> list[Trial]:
        """Start more fresh seeds of a configuration, beside one that just started.

        Together they take no longer than the seeds that it needs would take one after the other.
        """
        gain = self._gains.of_seeds(number)
        if gain < WORTH_GROUPING:
            return []
        contenders = self.situation(limits, seconds_left).contenders
        contender = next((each for each in contenders if each.number == number), None)
        if contender is None:
            return []
        needed = max(1, allocation.CONFIRMING - contender.n_fresh - contender.n_training + 1)
        room = limits.replicates - contender.n_fresh - contender.n_training
        in_time = gain * min(needed, seconds_left / max(contender.full, allocation.INSTANT))
        more = max(0, min(room, int(in_time) - 1))
        trial, posterior = self.study.trial(number), self.knowledge.posterior
        return [self.replicate(trial, posterior.next_seed(number)) for _ in range(more)]

    def _seed(self, purpose: str, number: int) -> int:
        return sampler.derive_seed(self.study.description.seed, purpose, number)

    def _first_draw(self, draw: int, in_stages: bool) -> tuple[dict[str, Any], str]:
        """The hyperparameters of one of the first draws, and why they are tried; ({}, "") for later ones."""
        if draw == 0:
            return tasks.baseline(self.study.task), "baseline: the task's defaults"
        if draw <= len(self._warm_starts):
            return self._warm_starts[draw - 1], "warm start: the winner of another task"
        step = draw - 1 - len(self._warm_starts)
        if not in_stages or step >= len(self._stages):
            return {}, ""
        return self._stages.params(step, self._best_shallow()), self._stages.describe(step)

    def _best_shallow(self) -> Mapping[str, Any] | None:
        """The hyperparameters of the shallow configuration with the best estimate so far."""
        posterior = self.knowledge.posterior
        estimates = [
            (estimate.mean, -trial.number, trial.params)
            for trial in self.study.trials()
            if trial.counts
            and self._stages.is_shallow(trial.params)
            and (estimate := posterior.estimate(trial.number))
        ]
        return max(estimates)[2] if estimates else None

    @cached_property
    def _stages(self) -> Stages:
        """The course's order, which the draws after the first ones follow."""
        return Stages(tasks.baseline(self.study.task), tasks.ranges(self.study.task))

    def _start_over(self) -> None:
        """Forget what is known: other trials count than before."""
        self.__dict__.pop("knowledge", None)

    def _take_in(self, trial: Trial) -> None:
        """Take in a trial that another coordinator changed."""
        self._observe(trial)

    def _observe(self, trial: Trial) -> bool:
        """Take in how far a trial is, or how it ended. Returns whether it reached a rung."""
        return self.knowledge.observe(trial)
