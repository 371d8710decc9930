"""Which trials train together, because networks of their shape learn faster in a group.

Seeds of a configuration have one shape. So have, as a rule, configurations that differ in nothing but the
learning rate. Trainers measure how much faster they learn: see `search.trainers.trainer`.
"""

from collections.abc import Mapping
from typing import Any

from search.strategy.draws.first_draws import RATES

Params = Mapping[str, Any]

WORTH_GROUPING = 1.25  # times as fast as one after the other: less is within the noise of a measurement
N_DRAWS = 4  # configurations that are drawn to train together
WORTH_DRAWING = 1.75  # times as fast: several rates of one shape teach less than as many shapes do


def shape(params: Params) -> dict[str, Any]:
    """The hyperparameters that configurations have in common which are drawn to train together."""
    return {name: value for name, value in params.items() if name not in RATES}


class Gains:
    """How many times as fast as one after the other networks of a configuration learn in a group."""

    def __init__(self) -> None:
        self._measured: dict[int, tuple[Params, float]] = {}  # configuration -> its shape, and its gain

    def take(self, number: int, params: Params, gain: float) -> None:
        """Take in a measurement. The least of all counts, so that what was lost together stays apart.

        Args:
            number: the configuration, by its first trial.
            params: its hyperparameters.
        """
        self._measured[number] = shape(params), min(gain, self.of_seeds(number, gain))

    def of_seeds(self, number: int, default: float = 1.0) -> float:
        """The gain of a configuration that was measured itself."""
        return self._measured[number][1] if number in self._measured else default

    def of_draws(self, params: Params) -> float:
        """The gain that configurations of a shape have at least; 1.0 where nothing is known.

        Small networks and small batches gain most. So a shape gains at least what was measured of a larger
        one, and at most what was measured of a smaller one.
        """
        wanted = shape(params)
        larger = [gain for own, gain in self._measured.values() if _covers(own, wanted)]
        smaller = [gain for own, gain in self._measured.values() if _covers(wanted, own)]
        return min([max(larger, default=1.0), *smaller])


def _covers(large: Params, small: Params) -> bool:
    """Whether one shape is nowhere smaller than another, and equal in what is no number."""
    return large.keys() == small.keys() and all(
        value >= small[name] if _are_numbers(value, small[name]) else value == small[name]
        for name, value in large.items()
    )


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
