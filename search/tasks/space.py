"""The ranges that a task searches, and the configurations drawn from them.

A task's `space` states both. It calls three suggest methods of its argument, and returns a Config. A range
may depend on an earlier value of the same draw, so a task's ranges are the union of many draws.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)

from search.errors import TaskError
from search.primitives.text import one_line
from search.primitives.values import Plain, plain, shown
from search.tasks.task import Suggester, Task

DRAWS = 64  # random draws, whose ranges together are the task's
FIXED = ("epochs", "seed")  # fields that the search itself decides

Pick = Callable[[str, BaseDistribution], Any]  # (name, range) -> a plain value of that range
Ranges = dict[str, BaseDistribution]  # by the hyperparameter's name


class Drawing(Suggester, Protocol):
    """The source of drawn values: Optuna's trial, or a `Sample`."""

    @property
    def params(self) -> dict[str, Any]: ...  # the values drawn so far, by name


@dataclass(frozen=True)
class Drawn:
    """The result of one call of `space`."""

    config: dict[str, Plain]  # all fields of the Config; without a Config, the defaults and the drawn values
    state: str | None = None  # "infeasible" or "failed" where the draw gave no Config
    reason: str = ""  # why it gave none


class Suggestions:
    """The `trial` that a task's `space` receives: Optuna's three suggest methods, with plain values."""

    def __init__(self, trial: Suggester) -> None:
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

    def suggest_categorical(self, name: str, choices: Sequence[Plain]) -> Any:
        """One of these plain values: numbers, texts, True, False, None."""
        listed = [_plain(name, choice) for choice in choices]
        for index, choice in enumerate(listed):
            if any(choice == other and type(choice) is not type(other) for other in listed[:index]):
                raise TaskError(f"the choices of {name!r} hold {choice!r} and an equal value of another type")
        return self._call(self._trial.suggest_categorical, name, listed)

    def _call(self, suggest: Callable[..., Any], name: str, *limits: Any, **options: Any) -> Any:
        if not isinstance(name, str) or not name:
            raise TaskError(f"space suggests {shown(name)}: a name must be that of a field of Config")
        try:
            return suggest(name, *limits, **options)
        except ValueError as error:
            raise TaskError(f"the range of {name!r} is not valid: {one_line(error)}") from None


class Sample:
    """A stand-in for Optuna's trial that takes each value from `pick` and remembers the ranges."""

    def __init__(self, pick: Pick) -> None:
        self._pick = pick
        self.params: dict[str, Any] = {}
        self.distributions: Ranges = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> Any:
        return self._draw(name, IntDistribution(low, high, log=log, step=step))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> Any:
        return self._draw(name, FloatDistribution(low, high, log=log, step=step))

    def suggest_categorical(self, name: str, choices: Sequence[Plain]) -> Any:
        return self._draw(name, CategoricalDistribution(choices))

    def _draw(self, name: str, range_: BaseDistribution) -> Any:
        if name not in self.params:
            self.distributions[name] = range_
            self.params[name] = self._pick(name, range_)
        return self.params[name]


def draw(task: Task, trial: Drawing, seed: int) -> Drawn:
    """Draw a configuration with a task's `space`. Exceptions of a user's code become part of the result.

    The draw is infeasible where `space` or Config raises ValueError or AssertionError. It failed where they
    raise anything else.
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


def config_of(task: Task, trial: Drawing) -> Any:
    """The Config that `space` returns for a trial, with plain values.

    Raises TaskError where the contract is broken, and any exception of `space`.
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
    """The same Config with plain values. Raises TaskError where a field holds a value of another kind."""
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


def defaults(task: Task) -> dict[str, Plain]:
    """All fields of a task's default Config, as plain values. Raises TaskError."""
    return asdict(plain_config(task.Config()))


def baseline(task: Task) -> dict[str, Plain]:
    """The searched hyperparameters of the task's defaults, by name, each moved into its range."""
    return sampled(task, default_values(task)).params


def ranges(task: Task) -> Ranges:
    """The range of each hyperparameter that a task searches: the union of many draws."""
    ranges = sampled(task, default_values(task)).distributions
    for seed in range(DRAWS):
        ranges = union(ranges, sampled(task, randomly(seed)).distributions)
    return ranges


def sampled(task: Task, pick: Pick) -> Sample:
    """A draw without its Config. Where `space` raises, it holds the values suggested before."""
    sample = Sample(pick)
    try:
        task.space(Suggestions(sample))
    except KeyboardInterrupt:
        raise
    except BaseException:  # `contract.check` reports it
        pass
    return sample


def randomly(seed: int) -> Pick:
    """A function that picks random values, uniform over each range or over its logarithm."""
    generator = random.Random(seed)

    def pick(_: str, range_: BaseDistribution) -> Any:
        if isinstance(range_, CategoricalDistribution):
            return generator.choice(range_.choices)
        limits = _numeric(range_)
        if limits.log:
            value = limits.low * (limits.high / limits.low) ** generator.random()
        else:
            value = generator.uniform(limits.low, limits.high)
        return nearest(range_, value)

    return pick


def nearest(range_: BaseDistribution, value: Any) -> Any:
    """The value of a range that is nearest to a value; its first one where they cannot be compared."""
    if isinstance(range_, CategoricalDistribution):
        return _nearest_choice(range_.choices, value)
    limits = _numeric(range_)
    if not _is_number(value):
        return limits.low
    value = min(max(value, limits.low), limits.high)
    if limits.step is None:
        return float(value)
    value = limits.low + limits.step * round((value - limits.low) / limits.step)
    return min(value, limits.high)


def _nearest_choice(choices: Sequence[Any], value: Any) -> Any:
    if value in choices:
        return value
    are_numbers = all(_is_number(each) for each in (value, *choices))
    return min(choices, key=lambda choice: abs(choice - value)) if are_numbers else choices[0]


def union(old: Ranges, new: Ranges) -> Ranges:
    """The smallest ranges that contain both. Raises TaskError where one study cannot hold both."""
    ranges = dict(old)
    for name, range_ in new.items():
        before = ranges.get(name, range_)
        try:
            check_distribution_compatibility(before, range_)
        except ValueError:
            seen = f"{describe(before)}, and {describe(range_)}"
            valid = "choices and scale must be the same in each draw"
            raise TaskError(f"the range of {name!r} is of two kinds: {seen}; {valid}") from None
        ranges[name] = range_ if before == range_ else _both(before, range_)
    return ranges


def _both(one: Any, other: Any) -> BaseDistribution:
    is_aligned = one.step == other.step and (one.step is None or (one.low - other.low) % one.step == 0)
    step = one.step if is_aligned else None if isinstance(one, FloatDistribution) else 1
    low, high = min(one.low, other.low), max(one.high, other.high)
    range_: BaseDistribution = type(one)(low, high, log=one.log, step=step)
    return range_


def describe(range_: BaseDistribution) -> str:
    """A range in words: "100 to 500", "0.0001 to 0.01 (log)", "one of 10, 20"."""
    if isinstance(range_, CategoricalDistribution):
        return "one of " + ", ".join(map(str, range_.choices))
    limits = _numeric(range_)
    log = " (log)" if limits.log else ""
    step = f" in steps of {limits.step}" if limits.step not in (None, 1) else ""
    return f"{limits.low} to {limits.high}{step}{log}"


def default_values(task: Task) -> Pick:
    """A function that picks a task's defaults, each moved into its range."""
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


def _numeric(range_: BaseDistribution) -> IntDistribution | FloatDistribution:
    assert isinstance(range_, IntDistribution | FloatDistribution)  # Optuna has no other kind
    return range_


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
