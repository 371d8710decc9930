"""The first draws of a search, which are fixed: the winners of other tasks, or the course's order.

Similar networks want similar values, so the first draws take over what won other tasks. The frozen scripts
are read, never run. A task's own winner is left out: a search must find it by itself.

In the course's order come learning rates of a shallow network, then widths, then depths. Each stage varies
one hyperparameter, and keeps the best of the stages before (course handout: "find a good learning rate and
layer size" with one hidden layer, then add layers).
"""

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

import objectives
from search import paths, tasks
from search.frozen_script import files
from search.tasks import Task

RATES, WIDTHS = {"learning_rate"}, {"hidden_size", "n_embd"}  # as tasks call them
DEPTHS = {"layers", "num_layers", "n_layer"}
N_RATES, N_WIDTHS = 5, 3  # values that a stage tries


def warm_starts(task: Task) -> list[dict[str, Any]]:
    """The winners of other tasks, each a dict of searched hyperparameters, as near as the ranges allow."""
    ranges = tasks.ranges(task)
    starts: list[dict[str, Any]] = []
    for name in objectives.names():
        path = paths.frozen(name)
        if name == tasks.name_of(task) or not path.exists():
            continue
        try:
            start = _as_near_as_possible(ranges, files.values(path))
        except files.UNREADABLE:  # or it lacks a hyperparameter of this task
            continue
        if start not in starts:
            starts.append(start)
    return starts


def _as_near_as_possible(ranges: Mapping[str, BaseDistribution], won: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that won, moved into the ranges. Raises KeyError, ValueError if it cannot be.

    A smaller batch has noisier gradients and wants a lower rate: the rate follows the square root of the
    batch (Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks, 2014).
    """
    start = {name: _nearest(range_, won[name]) for name, range_ in ranges.items()}
    if {"batch_size", "learning_rate"} <= start.keys() and start["batch_size"] != won["batch_size"]:
        rate = won["learning_rate"] * math.sqrt(start["batch_size"] / won["batch_size"])
        start["learning_rate"] = _nearest(ranges["learning_rate"], rate)
    return start


def _nearest(range_: BaseDistribution, value: Any) -> Any:
    """The value of a range that is nearest to one that won. Raises ValueError if none is like it."""
    choices = getattr(range_, "choices", [0])
    are_numbers = all(isinstance(each, (int, float)) for each in (value, *choices))
    if not are_numbers and value not in choices:
        raise ValueError(f"{value!r} is of another kind")
    return tasks.nearest(range_, value)


class Stages:
    """The configurations of all stages, in order.

    Args:
        baseline: the task's defaults.
        ranges: those of its hyperparameters. A stage without a hyperparameter of its own is left out.
    """

    def __init__(self, baseline: Mapping[str, Any], ranges: Mapping[str, BaseDistribution]) -> None:
        numbers: dict[str, Any] = {name: each for name, each in ranges.items() if _is_number(each)}
        depths = {name: numbers[name].low for name in DEPTHS & numbers.keys()}
        self._depths, self._baseline = depths, {**baseline, **depths}
        self._plan: list[tuple[str, Any]] = []
        for names, count in ((RATES, N_RATES), (WIDTHS, N_WIDTHS), (DEPTHS, None)):
            for name in names & numbers.keys():
                values = _spread(numbers[name], count)
                self._plan += [(name, value) for value in values if value != depths.get(name)]

    def __len__(self) -> int:
        return len(self._plan)

    def is_shallow(self, params: Mapping[str, Any]) -> bool:
        """Whether a configuration has the fewest layers, as those of the first two stages have."""
        return all(params.get(name) == value for name, value in self._depths.items())

    def params(self, step: int, best: Mapping[str, Any] | None) -> dict[str, Any]:
        """The hyperparameters of a step.

        Args:
            best: those of the best shallow configuration so far; None while none is known.
        """
        name, value = self._plan[step]
        start = self._baseline if name in RATES or best is None else best
        return {**start, name: value}

    def describe(self, step: int) -> str:
        """What a step tries, in words."""
        name, _ = self._plan[step]
        return f"in order: values of {name}, the rest as it is best so far"


def _is_number(range_: BaseDistribution) -> bool:
    return isinstance(range_, FloatDistribution | IntDistribution)


def _spread(range_: Any, count: int | None) -> list[Any]:
    """Values that divide a range of numbers evenly, without its ends; None stands for all whole ones."""
    if count is None:
        return list(range(int(range_.low), int(range_.high) + 1, int(range_.step or 1)))
    low, high = (math.log(each) if range_.log else each for each in (range_.low, range_.high))
    points = [low + (high - low) * (step + 0.5) / count for step in range(count)]
    return [tasks.nearest(range_, math.exp(point) if range_.log else point) for point in points]
