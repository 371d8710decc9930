"""Plain values: the only ones that pass from a task's code into a study, a log and a frozen script."""

import math

import numpy
import torch

Plain = int | float | bool | str | None
TYPES = (int, float, bool, str, type(None))


def plain(value: object) -> Plain:
    """Convert a value, such as a scalar of numpy or torch, to a plain one.

    Raises TypeError where it is no scalar; ValueError where it is not finite.
    """
    value = _scalar(value)
    if type(value) not in TYPES:  # a subclass, as an Enum may be, becomes the value of its base
        if isinstance(value, int | float):
            value = int(value) if isinstance(value, int) else float(value)
        elif isinstance(value, str):
            value = str.__str__(value)
    if not isinstance(value, Plain):
        raise TypeError(f"{shown(value)} of type {type(value).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value}, which is not finite")
    return value


def number(value: object) -> int | float:
    """Convert a value to a plain number, which may be NaN or infinite.

    Raises TypeError; OverflowError where no float can hold it.
    """
    value = _scalar(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        float(value)  # raises where no float, and so no log, can hold it
        return int(value)
    if isinstance(value, str | bytes | complex) or not hasattr(value, "__float__"):
        raise TypeError(f"{shown(value)} of type {type(value).__name__}, not a number")
    return float(value)


def _scalar(value: object) -> object:
    """The one element of a numpy or torch value; any other value as it is. Raises TypeError."""
    if isinstance(value, torch.Tensor | numpy.ndarray):
        count = value.numel() if isinstance(value, torch.Tensor) else value.size
        if count != 1:
            raise TypeError(f"a {type(value).__name__} of {count} values")
    return value.item() if isinstance(value, torch.Tensor | numpy.ndarray | numpy.generic) else value


def shown(value: object, letters: int = 60) -> str:
    """A value as an error message shows it: its repr in one line, cut. It never raises an exception."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a user's class may fail to show itself
        text = f"<{type(value).__name__}>"
    return text if len(text) <= letters else f"{text[:letters]} ..."
