"""Points of two kinds that a straight line keeps apart: many draws, a line each.

builtin   100 draws for each split, of 300 points each: evenly random in a square of side 2 around the
          origin, none nearer to the line than MARGIN. The line has a random direction and passes the
          origin at 0.5 at most. A column of ones stands for the bias.

That there is a margin lets every training of a perceptron end; how wide it is says when at the latest.

D draws, N points, K coordinates.
"""

from typing import NamedTuple

import numpy as np
import torch

from data import CACHE, DataError, check_floats, check_integers, write

SOURCES = ("builtin",)
SPLITS = ("train", "validation", "test")
DRAWS, POINTS = 100, 300
DIMENSIONS = 3  # two coordinates and the bias column
MARGIN = 0.02


class Draws(NamedTuple):
    """Draws of labelled points."""

    x_DNK: torch.Tensor  # (draws, points, DIMENSIONS) float64, the last column all ones
    y_DN: torch.Tensor  # (draws, points) int64, +1 or -1


def load(arrays, split):
    """The draws of "train", "validation" or "test". Raises DataError."""
    try:
        return Draws(torch.from_numpy(arrays[f"{split}_x"]), torch.from_numpy(arrays[f"{split}_y"]))
    except KeyError as missing:
        raise DataError(f"this is no file of separable points: it has no array {missing}") from None


def check_arrays(arrays):
    """Raise DataError where points or labels have other shapes, types or values."""
    for split in SPLITS:
        x_DNK, y_DN = arrays[f"{split}_x"], arrays[f"{split}_y"]
        if x_DNK.shape != (*y_DN.shape, DIMENSIONS) or y_DN.ndim != 2 or not y_DN.size:
            shapes = f"{split}_x {x_DNK.shape} and {split}_y {y_DN.shape}"
            raise DataError(
                f"{shapes} are not (draws, points, {DIMENSIONS}) and (draws, points), one or more"
            )
        check_floats(f"{split}_x", x_DNK, np.float64)
        check_integers(f"{split}_y", y_DN, -1, 1)
        if not y_DN.all():
            raise DataError(f"{split}_y has labels of 0: valid are -1 and +1")


def default_source():
    """The only one."""
    return "builtin"


def prepare(source):
    """The file of a source, made when it is first asked for."""
    path = CACHE / f"separable-{source}.npz"
    if not path.exists():
        write(path, _builtin())
    return path


def _builtin():
    """The arrays of all three splits."""
    arrays = {}
    for number, split in enumerate(SPLITS):
        random = np.random.default_rng(number)
        x, y = zip(*(_draw(random) for _ in range(DRAWS)))
        arrays |= {f"{split}_x": np.stack(x), f"{split}_y": np.stack(y)}
    return arrays


def _draw(random):
    """Points (N, K) around one random line, and on which side of it each lies (N,)."""
    angle, offset = random.uniform(0, 2 * np.pi), random.uniform(-0.5, 0.5)
    line = np.array([np.cos(angle), np.sin(angle), offset])
    x = np.ones((2 * POINTS, DIMENSIONS))  # twice as many as are kept
    x[:, :2] = random.uniform(-1, 1, (2 * POINTS, 2))
    distance = x @ line
    kept = np.flatnonzero(abs(distance) >= MARGIN)[:POINTS]
    return x[kept], np.sign(distance[kept]).astype(np.int64)
