"""Warm start: begin with the winning configurations of other tasks, as similar networks want similar values.

The frozen scripts are read, never run. A task's own winner is left out: a search must find it by itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution

import objectives
from search import paths, tasks
from search.frozen_script import files
from search.tasks import Task


def starts(task: Task) -> list[dict[str, Any]]:
    """Configurations to begin with, each a dict of searched hyperparameters, as near as the ranges allow."""
    ranges = tasks.ranges(task)
    found: list[dict[str, Any]] = []
    for name in objectives.names():
        path = paths.frozen(name)
        if name == tasks.name_of(task) or not path.exists():
            continue
        start = _start(ranges, path)
        if start is not None and start not in found:
            found.append(start)
    return found


def _start(ranges: Mapping[str, BaseDistribution], path: Path) -> dict[str, Any] | None:
    """What a frozen script holds of these ranges; None where that is not all of them, or cannot be read."""
    try:
        won = files.values(path)
        return {name: _nearest(ranges[name], won[name]) for name in ranges}
    except files.UNREADABLE:
        return None


def _nearest(range_: BaseDistribution, value: Any) -> Any:
    """The value of a range that is nearest to one that won. Raises ValueError where none is like it."""
    choices = getattr(range_, "choices", [0])
    numbers = all(isinstance(each, (int, float)) for each in (value, *choices))
    if not numbers and value not in choices:
        raise ValueError(f"{value!r} is of another kind")
    return tasks.nearest(range_, value)
