"""Plain values: what may cross from a task's code into a study, a log and a frozen script."""

import math

import numpy
import torch

Plain = int | float | bool | str | None
TYPES = (int, float, bool, str, type(None))


def plain(value: object) -> Plain:
    """The plain value that a value stands for: numpy's and torch's scalars are converted.

    Raises TypeError where it is no scalar; ValueError where it is not finite.
    """
    value = _scalar(value)
    if type(value) not in TYPES:  # a subclass, as an Enum may be, becomes what it stands for
        if isinstance(value, int | float):
            value = int(value) if isinstance(value, int) else float(value)
        elif isinstance(value, str):
            value = str.__str__(value)
    if type(value) not in TYPES:
        raise TypeError(f"{shown(value)} of type {type(value).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value}, which is not finite")
    return value


def number(value: object) -> int | float:
    """The plain number that a value stands for, which may be NaN or infinite.

    Raises TypeError; OverflowError where no float can hold it.
    """
    value = _scalar(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        float(value)  # what no float can hold, no log can
        return int(value)
    if isinstance(value, str | bytes | complex) or not hasattr(value, "__float__"):
        raise TypeError(f"{shown(value)} of type {type(value).__name__}, not a number")
    return float(value)


def _scalar(value: object) -> object:
    """What a numpy or torch value of one element holds; anything else as it is. Raises TypeError."""
    if isinstance(value, torch.Tensor | numpy.ndarray):
        count = value.numel() if isinstance(value, torch.Tensor) else value.size
        if count != 1:
            raise TypeError(f"a {type(value).__name__} of {count} values")
    return value.item() if isinstance(value, torch.Tensor | numpy.ndarray | numpy.generic) else value


def shown(value: object, letters: int = 60) -> str:
    """A value as an error message shows it: its repr in one line, cut; never an exception of its own."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a user's class may fail to show itself
        text = f"<{type(value).__name__}>"
    return text if len(text) <= letters else f"{text[:letters]} ..."
