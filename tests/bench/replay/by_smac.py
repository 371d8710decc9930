"""SMAC: its multi-fidelity facade, Hyperband over a random forest, with its defaults by ask and tell.

It hands over its incumbent. It would confirm the best of those that were trained farthest besides. A
configuration that is promoted goes on from where it was and pays for the further reports alone: SMAC leaves
this to who trains, and it is to the peer's favour.
"""

import logging
import math
import tempfile
from pathlib import Path

import joblib
from ConfigSpace import Categorical, Configuration, ConfigurationSpace, Float, Integer
from optuna.distributions import IntDistribution
from smac import MultiFidelityFacade, Scenario
from smac.runhistory import StatusType, TrialValue

from search import tasks

LIBRARIES = ("smac", "ConfigSpace")
TRIALS = 100_000  # more than there is time for
START = 25  # random configurations: a quarter of the 100 trials that SMAC plans by default


def search(core):
    """Search until the core's time is over, which it says by an exception."""
    space = Space(core.task)
    trainings = {}
    # Its forest grows in threads, which on one core but wait for each other.
    with tempfile.TemporaryDirectory() as folder, joblib.parallel_config(backend="sequential"):
        smac = facade(space, core.seed, core.table.steps, folder)
        while True:
            asked = smac.ask()
            if asked.config not in trainings:
                trainings[asked.config] = core.training(space.config(asked.config))
            smac.tell(asked, _train(trainings[asked.config], asked.budget, space.cost), save=False)
            if (incumbent := smac.intensifier.get_incumbent()) is not None:
                core.hand_over_best(_best(trainings, trainings[incumbent], space.cost))


def _best(trainings, incumbent, cost):
    """The configurations of the incumbent and of the other trainings, the best first of the farthest."""
    others = [each for each in trainings.values() if each is not incumbent and math.isfinite(each.score)]
    others.sort(key=lambda each: (-each.step, cost(each.score)))
    return [each.config for each in (incumbent, *others)]


def _train(training, budget, cost):
    """Train on until so many reports are there. Returns what is to be told."""
    for report in training:
        if report.step >= round(budget):  # Hyperband's budgets are no whole numbers
            break
    return told(training.score, cost)


def told(score, cost):
    """What SMAC is told of a score; nan where the training diverged."""
    if math.isnan(score):
        return TrialValue(cost=math.inf, status=StatusType.CRASHED)
    return TrialValue(cost=cost(score))


class Space:
    """The ranges of a task as SMAC has them: a range in steps is the number of the step."""

    def __init__(self, task):
        self._task, self._ranges = task, tasks.ranges(task)
        self.space = ConfigurationSpace({name: _range(name, each) for name, each in self._ranges.items()})
        self.baseline = Configuration(
            self.space, {name: self._step(name, value) for name, value in tasks.baseline(task).items()}
        )

    def config(self, asked):
        """A configuration of SMAC's in the task's terms."""
        return {name: self._value(name, asked[name]) for name in self._ranges}

    def cost(self, score):
        """What SMAC minimises."""
        return 1 - score if self._task.DIRECTION == "maximize" else score

    def _step(self, name, value):
        ranges = self._ranges[name]
        return (value - ranges.low) // ranges.step if _in_steps(ranges) else value

    def _value(self, name, step):
        """Plain numbers: SMAC's are numpy's, which not all of torch takes."""
        ranges = self._ranges[name]
        if hasattr(ranges, "choices"):
            return ranges.choices[ranges.choices.index(step)]
        return ranges.low + ranges.step * int(step) if _in_steps(ranges) else float(step)


def _in_steps(ranges):
    return isinstance(ranges, IntDistribution)


def _range(name, ranges):
    if hasattr(ranges, "choices"):
        return Categorical(name, list(ranges.choices))
    if _in_steps(ranges):
        return Integer(name, (0, (ranges.high - ranges.low) // ranges.step))
    return Float(name, (ranges.low, ranges.high), log=ranges.log)


def facade(space, seed, steps, folder):
    """SMAC as it is by default, but for a start with the task's defaults and no end."""
    scenario = Scenario(
        space.space,
        output_directory=Path(folder),
        deterministic=True,  # one seed a configuration
        n_trials=TRIALS,
        min_budget=1,
        max_budget=steps,
        seed=seed,
    )
    start = MultiFidelityFacade.get_initial_design(
        scenario, n_configs=START, additional_configs=[space.baseline]
    )
    return MultiFidelityFacade(scenario, initial_design=start, overwrite=True, logging_level=logging.ERROR)


METHODS = {"smac-hyperband": search}
