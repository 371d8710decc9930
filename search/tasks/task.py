"""The types of a task: what `objectives/__init__.py` and `data/__init__.py` state in words.

A task is a module. A module may be passed wherever a protocol is expected.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy
import torch
from torch import nn

from search.primitives.values import Plain

Arrays = Mapping[str, numpy.ndarray[Any, Any]]  # the content of a data file
Split = torch.Tensor | tuple[torch.Tensor, ...]  # one tensor, or a named tuple of tensors
SplitName = Literal["train", "validation", "test"]
Direction = Literal["minimize", "maximize"]
Report = Callable[[int, Mapping[str, float | str]], None]  # called with an epoch and its metrics
Score = tuple[float, float]  # the value, and its standard error


class Suggester(Protocol):
    """The `trial` that `space` receives: three methods of Optuna's trial."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...

    def suggest_categorical(self, name: str, choices: Sequence[Plain]) -> Any: ...


class TaskConfig(Protocol):
    """The settings of one training: an instance of a task's frozen dataclass `Config`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def epochs(self) -> int: ...

    @property
    def seed(self) -> int: ...


class DataSource(Protocol):
    """A module of `data/`. It may also have `check_arrays(arrays)`."""

    @property
    def __name__(self) -> str: ...

    @property
    def SOURCES(self) -> Sequence[str]: ...

    def default_source(self) -> str: ...

    def prepare(self, source: str) -> Path: ...

    def load(self, arrays: Arrays, split: SplitName) -> Split: ...


class Task(Protocol):
    """A module of `objectives/`. Each task has its own types of Config, model and split, here `Any`."""

    @property
    def __name__(self) -> str: ...

    @property
    def METRIC(self) -> str: ...

    @property
    def DIRECTION(self) -> Direction: ...

    @property
    def TOLERANCE(self) -> float: ...

    @property
    def DATA(self) -> DataSource: ...

    @property
    def Config(self) -> type[Any]: ...

    def space(self, trial: Suggester) -> Any: ...

    def build(self, config: Any) -> nn.Module: ...

    def train(self, config: Any, training: Any, validation: Any, report: Report) -> nn.Module: ...

    def score(self, model: Any, split: Any) -> Score: ...
