"""From a task's name to its module, and from its `space` to the ranges."""

import importlib
from dataclasses import asdict

import optuna
import torch

import objectives
from search.errors import TaskError, one_line, unknown


def find(name):
    """The module of a task. Raises UsageError, TaskError."""
    if name not in objectives.names():
        raise unknown("TASK", name, objectives.names())
    try:
        return importlib.import_module(f"objectives.{name}")
    except (Exception, SystemExit) as error:  # a task's file may do anything
        raise TaskError(f"task {name!r} cannot be imported: {one_line(error)}") from None


def name_of(task):
    """The task's only name: its file's."""
    return task.__name__.rpartition(".")[2]


def baseline(task):
    """The searched hyperparameters of the task's defaults, by name."""
    return _replayed(task).params


def ranges(task):
    """What is searched: each hyperparameter's Optuna distribution, by name."""
    return _replayed(task).distributions


def describe(distribution):
    """A range in words: "100 to 500", "0.0001 to 0.01 (log)", "one of 10, 20"."""
    if hasattr(distribution, "choices"):
        return "one of " + ", ".join(map(str, distribution.choices))
    log = " (log)" if distribution.log else ""
    step = f" in steps of {distribution.step}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low} to {distribution.high}{step}{log}"


def count_weights(task, config):
    """How many numbers the network of a configuration learns. None is allocated for it."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in task.build(config).parameters())


def _replayed(task):
    trial = optuna.trial.FixedTrial(asdict(task.Config()))
    task.space(trial)
    return trial
