"""Ray Tune: asynchronous successive halving with its defaults, of random configurations or Optuna's.

Scheduler and searcher are Ray's own, called as its controller calls them; only the controller, which
starts processes, is left out. It hands over what `get_best_result` chooses by default: the best *last*
result of all trials, of those too that were stopped early or still train. The next best ones are what it
would confirm besides.
"""

import heapq
import itertools
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from search import tasks
from tests.bench.replay.core import CONFIRMED

LIBRARIES = ("ray", "optuna")
METRIC, TIME = "score", "training_iteration"


class RandomSearch:
    """Configurations drawn from Ray's own ranges, the task's defaults first. A searcher as Ray's are."""

    def __init__(self, task, seed):
        self._domains = {name: domain(ranges) for name, ranges in tasks.ranges(task).items()}
        self._first = [tasks.baseline(task)]
        self._random = np.random.RandomState(seed)

    def suggest(self, trial_id):
        if self._first:
            return self._first.pop()
        return {name: each.sample(random_state=self._random) for name, each in self._domains.items()}

    def on_trial_result(self, trial_id, result):
        pass

    def on_trial_complete(self, trial_id, result):
        pass


def domain(ranges):
    """One of Optuna's distributions as Ray has it."""
    if hasattr(ranges, "choices"):
        return tune.choice(list(ranges.choices))
    if isinstance(ranges.low, int) and ranges.step == 1:
        return tune.randint(ranges.low, ranges.high + 1)  # the end is out here, and in below
    if isinstance(ranges.low, int):
        return tune.qrandint(ranges.low, ranges.high, ranges.step)
    return (tune.loguniform if ranges.log else tune.uniform)(ranges.low, ranges.high)


def optuna_search(task, seed):
    """Ray's way to Optuna's TPE, with its defaults."""
    space = partial(_suggest, name=tasks.name_of(task))
    first = [tasks.baseline(task)]
    return OptunaSearch(space, metric=METRIC, mode=mode(task), points_to_evaluate=first, seed=seed)


def _suggest(trial, name):
    """Ray reads from the trial what was suggested, and keeps this function in a file."""
    tasks.find(name).space(trial)


def mode(task):
    """The direction of a task in Ray's words."""
    return {"maximize": "max", "minimize": "min"}[task.DIRECTION]


def search(core, searcher_of):
    """Search until the core's time is over, which it says by an exception."""
    np.random.seed(core.seed)  # the scheduler's choice of a bracket, where it has more than one
    searcher = searcher_of(core.task, core.seed)
    scheduler = ASHAScheduler(time_attr=TIME, metric=METRIC, mode=mode(core.task), max_t=core.table.steps)
    best = Best(core)
    for count in itertools.count():
        trial = SimpleNamespace(trial_id=str(count))
        training = core.training(searcher.suggest(trial.trial_id))
        scheduler.on_trial_add(None, trial)
        for report in training:
            result = {METRIC: report.score, TIME: report.step}
            best.heard(count, training.config, report.score)
            if scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                break
            searcher.on_trial_result(trial.trial_id, result)
        scheduler.on_trial_complete(None, trial, result)
        searcher.on_trial_complete(trial.trial_id, result)


class Best:
    """Hands over the trial whose last result is the best."""

    def __init__(self, core):
        self._core = core
        self._last = {}  # trial -> the level of its last result, and its configuration

    def heard(self, trial, config, score):
        """A trial reported."""
        if math.isnan(score):
            self._last.pop(trial, None)  # Ray leaves it out
        else:
            self._last[trial] = self._core.table.level(score), config
        if self._last:
            best = heapq.nlargest(CONFIRMED, self._last.values(), key=lambda last: last[0])
            self._core.hand_over_best([config for _, config in best])


METHODS = {
    "ray-asha": partial(search, searcher_of=RandomSearch),
    "ray-asha-optuna": partial(search, searcher_of=optuna_search),
}
