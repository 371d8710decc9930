"""The course's order of a search: learning rates first, then widths, then depths.

Each stage varies one hyperparameter of one shallow network, and keeps the best of the stages before. Its
trials pause at the first rung as all others do, so that a stage costs little.

Source: course handout: "find a good learning rate and layer size" with one hidden layer, then add layers.
"""

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from search import tasks

RATES, WIDTHS, DEPTHS = {"learning_rate"}, {"hidden_size", "n_embd"}, {"layers", "n_layer"}  # names
N_RATES, N_WIDTHS = 5, 3  # values that a stage tries


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
