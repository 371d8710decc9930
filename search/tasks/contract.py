"""Checks that a task keeps the contract of `objectives/__init__.py`, before its first trial.

Each mistake is a TaskError: one line that names the task, its part, the value seen and the valid values.
A note reports a property that is no mistake and yet may surprise the author. Nothing is written.
"""

import contextlib
import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data import DataError
from search.errors import TaskError, TrialbookError
from search.primitives.text import one_line
from search.primitives.values import number, plain, shown
from search.tasks import space
from search.tasks.network import count_weights
from search.tasks.registry import name_of
from search.tasks.task import Arrays, Split, SplitName, Task

FUNCTIONS: dict[str, tuple[str, ...]] = {
    "space": ("trial",),
    "build": ("config",),
    "train": ("config", "training", "validation", "report"),
    "score": ("model", "split"),
}
DATA_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "default_source": (),
    "prepare": ("source",),
    "load": ("arrays", "split"),
}
ROWS = 8  # of the validation data, on which `score` is tried


def check(task: Task) -> list[str]:
    """Check all of a task but its data and its frozen script. Returns notes. Raises TaskError."""
    with _named(task):
        _check_words(task)
        _check_functions(task, FUNCTIONS)
        _check_data_module(task)
        _check_config(task)
        return _check_space(task) + _check_build(task)


def check_data(task: Task, arrays: Arrays) -> None:
    """Check the splits that a task loads, and the result of `score`. Raises TaskError, DataError.

    Args:
        arrays: the content of the data file, as `data.read` returns it. It may be changed.
    """
    with _named(task):
        training, validation = _load(task, arrays, "train"), _load(task, arrays, "validation")
        one, other = _layout(training), _layout(validation)
        if one != other:
            raise TaskError(f"DATA.load gives {one} to train on and {other} to validate: both must be alike")
        _try_score(task, validation)


def default_source(task: Task) -> str:
    """The task's default source of data. Raises TaskError, DataError."""
    with _named(task):
        with _blamed("DATA.default_source()"):
            source = task.DATA.default_source()
        if source not in task.DATA.SOURCES:
            valid = ", ".join(task.DATA.SOURCES)
            raise TaskError(f"DATA.default_source() is {shown(source)}: valid are {valid}")
    return source


def prepared(task: Task, source: str) -> Path:
    """Prepare a source of data, and return the path of its file. Raises TaskError, DataError."""
    with _named(task), _blamed(f"DATA.prepare({source!r})"):
        return task.DATA.prepare(source)


# The parts of a task


def _check_words(task: Task) -> None:
    """Check the docstring, and the constants that describe the score."""
    doc = (task.__doc__ or "").strip()
    if not doc:
        raise TaskError("the file has no docstring: its first line asks what the task is about")
    for constant in ("METRIC", "DIRECTION", "TOLERANCE", "DATA"):
        if not hasattr(task, constant):
            raise TaskError(f"{constant} is missing: see docs/tasks.md")
    metric, direction = task.METRIC, task.DIRECTION
    if type(metric) is not str or not metric.strip() or not metric.isprintable() or len(metric) > 100:
        raise TaskError(f"METRIC is {shown(metric)}: it must be a name in one line, as 'accuracy'")
    if direction not in ("maximize", "minimize"):
        raise TaskError(f"DIRECTION is {shown(direction)}: valid are 'maximize' and 'minimize'")
    if not _is_at_least(0, task.TOLERANCE):
        raise TaskError(f"TOLERANCE is {shown(task.TOLERANCE)}: it must be a number of at least 0")
    difference = getattr(task, "MEANINGFUL_DIFFERENCE", 1)
    if not _is_at_least(1e-12, difference):
        raise TaskError(f"MEANINGFUL_DIFFERENCE is {shown(difference)}: it must be a number above 0")
    warm_up = getattr(task, "WARM_UP", 0)
    if type(warm_up) is not int or warm_up < 0:
        raise TaskError(f"WARM_UP is {shown(warm_up)}: it must be a whole number of epochs, at least 0")


def _is_at_least(low: float, constant: Any) -> bool:
    try:
        value = plain(constant)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool | str | None) and value >= low


def _check_functions(owner: object, functions: dict[str, tuple[str, ...]], prefix: str = "") -> None:
    """Check that functions exist and accept their arguments."""
    for name, parameters in functions.items():
        function, call = getattr(owner, name, None), f"{prefix}{name}({', '.join(parameters)})"
        if not callable(function):
            raise TaskError(f"{prefix}{name} is {shown(function)}: it must be a function, {call}")
        try:
            inspect.signature(function).bind(*parameters)
        except TypeError as error:
            raise TaskError(f"{prefix}{name} cannot be called as {call}: {error}") from None
        except ValueError:  # a builtin function, whose parameters are unknown
            continue


def _check_data_module(task: Task) -> None:
    _check_functions(task.DATA, DATA_FUNCTIONS, "DATA.")
    sources = getattr(task.DATA, "SOURCES", None)
    if not isinstance(sources, tuple | list) or not sources or not all(type(each) is str for each in sources):
        raise TaskError(f"DATA.SOURCES is {shown(sources)}: it must be names, as ('builtin',)")


def _check_config(task: Task) -> None:
    """Check that Config is a frozen dataclass of plain values, each with a default."""
    config_type: Any = getattr(task, "Config", None)
    if not (inspect.isclass(config_type) and is_dataclass(config_type)):
        raise TaskError(f"Config is {shown(config_type)}: it must be a class with @dataclass(frozen=True)")
    if not config_type.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # typeshed omits it
        raise TaskError("Config can be changed: write @dataclass(frozen=True, kw_only=True)")
    for field in fields(config_type):
        if not field.init:
            raise TaskError(
                f"the field {field.name!r} of Config has init=False: compute it in build or train"
            )
        if field.default is MISSING and field.default_factory is MISSING:
            raise TaskError(
                f"the field {field.name!r} of Config has no default: the defaults are the baseline"
            )
    with _blamed("Config()"):
        config = space.plain_config(config_type())
        again: Any = replace(config_type(**asdict(config)), seed=1) if hasattr(config, "seed") else None
    for name, least in (("epochs", 1), ("seed", 0)):
        value = getattr(config, name, None)
        if type(value) is not int or value < least:
            raise TaskError(
                f"Config has {name}={shown(value)}: it must be a whole number of at least {least}"
            )
    if replace(again, seed=config.seed) != config:
        raise TaskError("two Configs of the same values are not equal: use the dataclass's own __eq__")


def _check_space(task: Task) -> list[str]:
    """Check that the ranges are valid. Returns notes about defaults outside them, and infeasible draws."""
    defaults, notes = task.Config(), []
    baseline = _draw(task, space.default_values(task))
    if isinstance(baseline, Exception):
        raise TaskError(f"space raised {one_line(baseline)} for the defaults: they must be valid")
    ranges, rejected = dict(baseline.distributions), Counter[str]()
    for seed in range(space.DRAWS):
        drawn = _draw(task, space.randomly(seed))
        if isinstance(drawn, Exception):
            rejected[one_line(drawn)] += 1
        else:
            ranges = space.union(ranges, drawn.distributions)
    if rejected.total() == space.DRAWS:
        raise TaskError(f"space rejected all of {space.DRAWS} random draws: {rejected.most_common(1)[0][0]}")
    for name, value in baseline.params.items():
        if value != getattr(defaults, name):
            default, range_ = getattr(defaults, name), space.describe(ranges[name])
            outside = f"the default {name} {default!r} is outside {range_}"
            notes.append(f"{outside}: the first trial takes {value!r}")
    if rejected:
        example = rejected.most_common(1)[0][0]
        notes.append(f"{rejected.total()} of {space.DRAWS} random draws are infeasible, as: {example}")
    if not ranges:
        notes.append("space suggests nothing: the trials differ in their seeds alone")
    return notes


def _draw(task: Task, pick: space.Pick) -> space.Sample | ValueError | AssertionError:
    """Draw once. Returns the sample, or the error by which the task rejected it. Raises TaskError."""
    sample = space.Sample(pick)
    with _blamed("space"):
        try:
            space.config_of(task, sample)
        except (ValueError, AssertionError) as error:
            return error
    return sample


def _check_build(task: Task) -> list[str]:
    """Check that the default network can be built. Returns a note where its size stays unknown."""
    config, notes = space.plain_config(task.Config()), []
    model: object
    if count_weights(task, config) is not None:
        with torch.device("meta"):
            model = task.build(config)
    else:  # build it in memory, to see whether that is a mistake
        with _blamed("build"):
            model = task.build(config)
        notes = [
            "the number of weights is unknown: build needs the values of its tensors, or has lazy layers"
        ]
    if not isinstance(model, nn.Module):
        raise TaskError(f"build returned {shown(model)}: it must return a torch.nn.Module")
    return notes


# Its data


def _load(task: Task, arrays: Arrays, split: SplitName) -> Split:
    """Load a split, and check that its tensors are not empty and have finite values."""
    with _blamed(f"DATA.load(arrays, {split!r})"):
        loaded = task.DATA.load(arrays, split)
    for name, tensor in _tensors(loaded, split).items():
        if not isinstance(tensor, torch.Tensor):
            valid = "a split is one tensor, or a named tuple of tensors"
            raise TaskError(f"DATA.load gives {name} as {shown(tensor)}: {valid}")
        if tensor.numel() == 0:
            raise TaskError(f"DATA.load gives {name} of shape {tuple(tensor.shape)}: it is empty")
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum()) and not tensor.isfinite().all():
            raise TaskError(f"DATA.load gives {name} with values that are NaN or infinite")
    return loaded


def _tensors(split: Any, name: str) -> dict[str, Any]:
    """The tensors of a split by name, or whatever the task returned in their place."""
    if hasattr(split, "_asdict"):
        return {f"{name}.{field}": tensor for field, tensor in split._asdict().items()}
    return {name: split}


def _layout(split: Split) -> str:
    """Names, types and dimensions of a split's tensors, in words."""
    tensors = _tensors(split, "")
    return ", ".join(
        f"{name.removeprefix('.') or 'a tensor'} of {tensor.ndim} dimensions, {tensor.dtype}"
        for name, tensor in tensors.items()
    )


def _try_score(task: Task, validation: Any) -> None:
    """Score an untrained network on a few rows. Raises TaskError where `score` returns no pair of numbers.

    An exception of `score` is ignored: it may need more rows, or a trained network.
    """
    few = [tensor[:ROWS].clone() if tensor.ndim else tensor for tensor in _tensors(validation, "").values()]
    rows = type(validation)(*few) if hasattr(validation, "_asdict") else few[0]
    try:
        result: object = task.score(task.build(space.plain_config(task.Config())), rows)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return
    valid = "it must return two numbers, the value and its standard error"
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise TaskError(f"score returned {shown(result)}: {valid}")
    for value in result:
        try:
            number(value)
        except (TypeError, OverflowError) as error:
            raise TaskError(f"score returned {error}: {valid}") from None


# Attribution of mistakes


@contextlib.contextmanager
def _named(task: Task) -> Iterator[None]:
    """Make each TaskError name its task."""
    named = f"task {name_of(task)!r}"
    try:
        yield
    except TaskError as error:
        raise TaskError(f"{error}" if named in str(error) else f"{named}: {error}") from None


@contextlib.contextmanager
def _blamed(part: str) -> Iterator[None]:
    """Turn any exception of a part of a task into a TaskError that names the part."""
    try:
        yield
    except (TrialbookError, DataError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise TaskError(f"{part} raised {one_line(error)}") from None
