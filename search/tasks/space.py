"""The ranges that a task searches, and the configurations drawn from them.

A task's `space` says both: it is called with something that has Optuna's three suggest methods, and
returns a Config. What it suggests may depend on what it drew before, so its ranges are the union of many
draws.
"""

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from types import ModuleType
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)

from search.errors import TaskError, one_line
from search.values import Plain, plain, shown

DRAWS = 64  # random draws that show which ranges there are
FIXED = ("epochs", "seed")  # fields that the search itself decides


@dataclass(frozen=True)
class Drawn:
    """What came of one call of `space`."""

    config: dict[str, Plain]  # all fields of the Config; where there is none, the defaults and what was drawn
    state: str | None = None  # "infeasible" or "failed" where the draw gave no Config
    reason: str = ""  # of that


class Suggestions:
    """The `trial` that a task's `space` is given: Optuna's three suggest methods, with plain values.

    Args:
        trial: what draws: Optuna's trial, or a `Sample`.
    """

    def __init__(self, trial: Any):
        self._trial = trial

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number from `low` to `high`, both included."""
        low, high, step = (_whole(name, value) for value in (low, high, step))
        return int(self._call(self._trial.suggest_int, name, low, high, step=step, log=bool(log)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number from `low` to `high`."""
        low, high = (float(_plain(name, value)) for value in (low, high))
        step = None if step is None else float(_plain(name, step))
        return float(self._call(self._trial.suggest_float, name, low, high, step=step, log=bool(log)))

    def suggest_categorical(self, name: str, choices: Any) -> Plain:
        """One of some plain values: numbers, texts, True, False, None."""
        listed = [_plain(name, choice) for choice in choices]
        for place, choice in enumerate(listed):
            if any(choice == other and type(choice) is not type(other) for other in listed[:place]):
                raise TaskError(f"the choices of {name!r} hold {choice!r} and an equal value of another type")
        return self._call(self._trial.suggest_categorical, name, listed)

    def _call(self, suggest: Callable, name: str, *limits: Any, **options: Any) -> Any:
        if not isinstance(name, str) or not name:
            raise TaskError(f"space suggests {shown(name)}: a name must be that of a field of Config")
        try:
            return suggest(name, *limits, **options)
        except ValueError as error:
            raise TaskError(f"the range of {name!r} is not valid: {one_line(error)}") from None


class Sample:
    """Stands in for Optuna's trial: takes values that are given, or draws at random; remembers the ranges.

    Args:
        pick: (name, distribution) -> the value.
    """

    def __init__(self, pick: Callable[[str, BaseDistribution], Plain]):
        self._pick = pick
        self.params: dict[str, Plain] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_int(self, name: str, low: int, high: int, step: int, log: bool) -> Plain:
        return self._draw(name, IntDistribution(low, high, log=log, step=step))

    def suggest_float(self, name: str, low: float, high: float, step: float | None, log: bool) -> Plain:
        return self._draw(name, FloatDistribution(low, high, log=log, step=step))

    def suggest_categorical(self, name: str, choices: list) -> Plain:
        return self._draw(name, CategoricalDistribution(choices))

    def _draw(self, name: str, distribution: BaseDistribution) -> Plain:
        if name not in self.params:
            self.distributions[name] = distribution
            self.params[name] = self._pick(name, distribution)
        return self.params[name]


def draw(task: ModuleType, trial: Any, seed: int) -> Drawn:
    """What a task's `space` makes of a trial. It never raises what a user's code raises.

    A `space` or a Config that raises ValueError or AssertionError calls the draw infeasible; what else goes
    wrong is a failure.
    """
    try:
        config = config_of(task, trial)
        return Drawn(asdict(replace(config, seed=seed)))
    except (ValueError, AssertionError) as error:
        state, reason = "infeasible", one_line(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        state, reason = "failed", str(error) if isinstance(error, TaskError) else one_line(error)
    return Drawn(asdict(task.Config()) | trial.params | {"seed": seed}, state, f"space: {reason}")


def config_of(task: ModuleType, trial: Any) -> Any:
    """The Config that `space` makes of a trial, of plain values.

    Raises TaskError where the contract is broken, and whatever `space` raises.
    """
    config = task.space(Suggestions(trial))
    if not isinstance(config, task.Config):
        raise TaskError(f"space returned {shown(config)}: it must return a Config")
    config = plain_config(config)
    names = [field.name for field in fields(config)]
    for name, value in trial.params.items():
        if name not in names:
            valid = ", ".join(name for name in names if name not in FIXED)
            raise TaskError(f"space suggests {name!r}, which is no field of Config: valid are {valid}")
        if name in FIXED:
            raise TaskError(f"space suggests {name!r}: the search itself decides {' and '.join(FIXED)}")
        if getattr(config, name) != value:
            seen = f"{value!r}, and Config has {getattr(config, name)!r}"
            raise TaskError(f"space suggests {name}={seen}: compute such values in build or train")
    return config


def plain_config(config: Any) -> Any:
    """The same Config with plain values. Raises TaskError where a field holds anything else."""
    changed = {}
    for field in fields(config):
        value = getattr(config, field.name)
        try:
            changed[field.name] = plain(value)
        except (TypeError, ValueError) as error:
            valid = "a number, a text, True, False or None"
            raise TaskError(f"the field {field.name!r} of Config holds {error}: valid is {valid}") from None
        if type(changed[field.name]) is type(value):
            del changed[field.name]
    return replace(config, **changed) if changed else config


def defaults(task: ModuleType) -> dict[str, Plain]:
    """All fields of a task's default Config, as plain values. Raises TaskError."""
    return asdict(plain_config(task.Config()))


def baseline(task: ModuleType) -> dict[str, Plain]:
    """The searched hyperparameters of the task's defaults, by name; each as near as its range allows."""
    return sampled(task, default_values(task)).params


def ranges(task: ModuleType) -> dict[str, BaseDistribution]:
    """What a task searches: each hyperparameter's Optuna distribution, by name, over many draws."""
    found = sampled(task, default_values(task)).distributions
    for number in range(DRAWS):
        found = union(found, sampled(task, randomly(number)).distributions)
    return found


def sampled(task: ModuleType, pick: Callable) -> Sample:
    """A draw, without its Config; where `space` raises, as far as it came."""
    sample = Sample(pick)
    try:
        task.space(Suggestions(sample))
    except KeyboardInterrupt:
        raise
    except BaseException:  # `contract.check` says what is wrong
        pass
    return sample


def randomly(seed: int) -> Callable[[str, BaseDistribution], Plain]:
    """What draws at random, evenly over each range."""
    chance = random.Random(seed)

    def pick(_: str, range_: BaseDistribution) -> Plain:
        if isinstance(range_, CategoricalDistribution):
            return chance.choice(range_.choices)
        if range_.log:
            value = range_.low * (range_.high / range_.low) ** chance.random()
        else:
            value = chance.uniform(range_.low, range_.high)
        return nearest(range_, value)

    return pick


def nearest(range_: BaseDistribution, value: Plain) -> Plain:
    """The value of a range that is nearest to a value; its first one where nothing is near."""
    if isinstance(range_, CategoricalDistribution):
        if value in range_.choices:
            return value
        numeric = all(_is_number(each) for each in (value, *range_.choices))
        return min(range_.choices, key=lambda choice: abs(choice - value)) if numeric else range_.choices[0]
    if not _is_number(value):
        return range_.low
    value = min(max(value, range_.low), range_.high)
    if range_.step is None:
        return float(value)
    value = range_.low + range_.step * round((value - range_.low) / range_.step)
    return min(value, range_.high)


def union(old: dict[str, BaseDistribution], new: dict[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    """The ranges that hold both. Raises TaskError where Optuna takes no such two into one study."""
    found = dict(old)
    for name, range_ in new.items():
        before = found.get(name, range_)
        try:
            check_distribution_compatibility(before, range_)
        except ValueError:
            seen = f"{describe(before)}, and {describe(range_)}"
            valid = "choices and scale must be the same in each draw"
            raise TaskError(f"the range of {name!r} is of two kinds: {seen}; {valid}") from None
        found[name] = range_ if before == range_ else _both(before, range_)
    return found


def _both(one: Any, other: Any) -> BaseDistribution:
    steps = one.step == other.step and (one.step is None or (one.low - other.low) % one.step == 0)
    step = one.step if steps else None if isinstance(one, FloatDistribution) else 1
    return type(one)(min(one.low, other.low), max(one.high, other.high), log=one.log, step=step)


def describe(distribution: BaseDistribution) -> str:
    """A range in words: "100 to 500", "0.0001 to 0.01 (log)", "one of 10, 20"."""
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + ", ".join(map(str, distribution.choices))
    log = " (log)" if distribution.log else ""
    step = f" in steps of {distribution.step}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low} to {distribution.high}{step}{log}"


def default_values(task: ModuleType) -> Callable[[str, BaseDistribution], Plain]:
    """What takes a task's defaults, each as near as its range allows."""
    config = task.Config()
    return lambda name, range_: nearest(range_, getattr(config, name, None))


def _whole(name: str, value: Any) -> int:
    number = _plain(name, value)
    if not _is_number(number) or number != int(number):
        raise TaskError(f"the range of {name!r} has {shown(value)}: suggest_int takes whole numbers")
    return int(number)


def _plain(name: str, value: Any) -> Any:
    try:
        return plain(value)
    except (TypeError, ValueError) as error:
        valid = "valid are numbers, texts, True, False and None"
        raise TaskError(f"the range of {name!r} holds {error}: {valid}") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
