"""Points that a line keeps apart."""

import numpy as np
import pytest
import torch

import data
from data import separable


@pytest.fixture(scope="module")
def splits():
    arrays = data.read(separable.prepare("builtin"))
    separable.check_arrays(arrays)
    return {split: separable.load(arrays, split) for split in separable.SPLITS}


def test_shapes_and_labels(splits):
    for split in splits.values():
        assert split.x_DNK.shape == (separable.DRAWS, separable.POINTS, separable.DIMENSIONS)
        assert split.x_DNK.dtype == torch.float64 and split.y_DN.shape == split.x_DNK.shape[:2]
        assert (split.x_DNK[..., -1] == 1).all() and split.x_DNK.abs().max() <= 1
        assert (split.y_DN.abs() == 1).all()
        assert all({-1, 1} == set(y_N.tolist()) for y_N in split.y_DN)


def test_no_point_is_in_two_draws(splits):
    points = torch.cat([split.x_DNK.flatten(0, 1) for split in splits.values()])
    assert len(points.unique(dim=0)) == 3 * separable.DRAWS * separable.POINTS


@pytest.mark.parametrize("seed", range(5))
def test_the_line_of_a_draw_keeps_a_margin(seed):
    random = np.random.default_rng(seed)
    angle, offset = random.uniform(0, 2 * np.pi), random.uniform(-0.5, 0.5)
    x, y = separable._draw(np.random.default_rng(seed))
    assert min(y * (x @ [np.cos(angle), np.sin(angle), offset])) >= separable.MARGIN


def test_it_is_made_anew_as_it_was(splits):
    arrays = separable._builtin()
    assert data.digest(arrays) == data.digest(data.read(separable.prepare("builtin")))


@pytest.mark.parametrize(
    "axis, change, said",
    [
        ("x", lambda x: x[:, :-1], r"train_x \(100, 299, 3\) and train_y \(100, 300\) are not"),
        ("x", lambda x: x.astype(np.float32), "train_x is of type float32: valid is float64"),
        (
            "x",
            lambda x: np.where(x == x.max(), np.nan, x),
            "train_x has 30000 values that are NaN or infinite",
        ),
        ("y", lambda y: (y + 1) // 2, r"train_y has labels of 0: valid are -1 and \+1"),
        ("y", lambda y: 2 * y, "train_y has numbers from -2 to 2"),
        ("y", lambda y: y / 1, "train_y is of type float64"),
    ],
)
def test_arrays_of_another_form_are_refused(axis, change, said):
    arrays = separable._builtin()
    arrays[f"train_{axis}"] = change(arrays[f"train_{axis}"])
    with pytest.raises(data.DataError, match=said):
        separable.check_arrays(arrays)


def test_other_files_are_refused():
    with pytest.raises(data.DataError, match="no array 'train_x'"):
        separable.load({}, "train")
