"""Optuna: its TPE with the defaults, alone and with its pruners.

It hands over `study.best_trial`, and would confirm the best completed trials.

A report is a step, so that Hyperband's smallest resource is one report.
"""

import math
from dataclasses import asdict
from functools import partial

import optuna
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner
from optuna.trial import TrialState

from search import tasks

LIBRARIES = ("optuna",)


def search(core, pruner):
    """Search until the core's time is over, which it says by an exception."""
    study = optuna.create_study(
        study_name=f"seed {core.seed}",  # from which Hyperband derives who is in which bracket
        direction=core.task.DIRECTION,
        sampler=optuna.samplers.TPESampler(seed=core.seed),
        pruner=pruner(),
    )
    study.enqueue_trial(tasks.baseline(core.task))
    while True:
        trial = study.ask()
        training = core.training(asdict(core.task.space(trial)))
        study.tell(trial, **_train(trial, training))
        if best := study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            best.sort(key=lambda each: each.value, reverse=core.task.DIRECTION == "maximize")
            core.hand_over_best([each.params for each in best])


def _train(trial, training):
    """Train until the pruner ends it. Returns what is to be told."""
    for report in training:
        if math.isnan(report.score):
            return {"state": TrialState.FAIL}  # what Optuna makes of an objective that is nan
        trial.report(report.score, report.step)
        if trial.should_prune():
            return {"state": TrialState.PRUNED}
    return {"values": report.score}


METHODS = {
    "optuna": partial(search, pruner=NopPruner),
    "optuna-median": partial(search, pruner=MedianPruner),
    "optuna-hyperband": partial(search, pruner=HyperbandPruner),
}
