"""Points of sin(x) for x from -2 pi to 2 pi.

builtin   200 evenly spaced points to train on, as in the course; the 199 midpoints between them
          to validate; to test, the 398 points midway between those. The course measures the loss
          on the points that it trains on; points between them also show what was only memorised.

N points.
"""

from typing import NamedTuple

import numpy as np
import torch

from data import CACHE, DataError, check_floats, write

SOURCES = ("builtin",)


class Points(NamedTuple):
    """Points of a curve."""

    x_N1: torch.Tensor  # (points, 1) float32
    y_N1: torch.Tensor  # (points, 1) float32


def load(arrays, split):
    """The points of "train", "validation" or "test". Raises DataError."""
    try:
        x, y = arrays[f"{split}_x"], arrays[f"{split}_y"]
    except KeyError as missing:
        raise DataError(f"this is no file of points: it has no array {missing}") from None
    return Points(torch.from_numpy(x)[:, None], torch.from_numpy(y)[:, None])


def check_arrays(arrays):
    """Raise DataError where points have other shapes, types or values."""
    for split in ("train", "validation", "test"):
        x, y = arrays[f"{split}_x"], arrays[f"{split}_y"]
        if x.shape != y.shape or x.ndim != 1 or not x.size:
            shapes = f"{split}_x {x.shape} and {split}_y {y.shape}"
            raise DataError(f"{shapes} are not (points,) both, of as many points, one or more")
        for axis, values in (("x", x), ("y", y)):
            check_floats(f"{split}_{axis}", values, np.float32)


def default_source():
    """The only one."""
    return "builtin"


def prepare(source):
    """The file of a source, made when it is first asked for."""
    path = CACHE / f"sine-{source}.npz"
    if not path.exists():
        write(path, _builtin())
    return path


def _builtin():
    """The arrays of all three splits."""
    train = np.linspace(-2 * np.pi, 2 * np.pi, 200)
    step = train[1] - train[0]
    x = {
        "train": train,
        "validation": train[:-1] + step / 2,
        "test": np.concatenate([train[:-1] + step / 4, train[:-1] + 3 * step / 4]),
    }
    curves = {f"{split}_y": np.sin(points).astype(np.float32) for split, points in x.items()}
    return {f"{split}_x": points.astype(np.float32) for split, points in x.items()} | curves
