"""Points of a sine."""

import numpy as np
import pytest
import torch

import data
from data import sine


def test_splits_are_of_one_curve_and_share_no_point():
    arrays = data.read(sine.prepare("builtin"))
    sine.check_arrays(arrays)
    splits = {name: sine.load(arrays, name) for name in ("train", "validation", "test")}
    assert [len(split.x_N1) for split in splits.values()] == [200, 199, 398]
    x = torch.cat([split.x_N1 for split in splits.values()])
    assert len(x.unique()) == 797 and x.abs().max() <= np.float32(2 * np.pi)
    for split in splits.values():
        assert split.x_N1.shape == split.y_N1.shape and split.x_N1.dtype == torch.float32
        torch.testing.assert_close(split.y_N1, split.x_N1.sin(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "axis, change, said",
    [
        ("x", lambda x: x[1:], r"train_x \(199,\) and train_y \(200,\) are not \(points,\) both"),
        ("x", lambda x: x[:, None], r"train_x \(200, 1\) and"),
        ("x", lambda x: x.astype(float), "train_x is of type float64: valid is float32"),
        ("y", lambda y: y / np.where(np.arange(200) == 7, 0, 1).astype(np.float32), "train_y has 1 values"),
    ],
)
def test_arrays_of_another_form_are_refused(axis, change, said):
    arrays = sine._builtin()
    with np.errstate(divide="ignore"):
        arrays[f"train_{axis}"] = change(arrays[f"train_{axis}"])
    with pytest.raises(data.DataError, match=said):
        sine.check_arrays(arrays)


def test_empty_split_is_refused():
    empty = {"train_x": np.zeros(0, np.float32), "train_y": np.zeros(0, np.float32)}
    with pytest.raises(data.DataError, match=r"train_x \(0,\) and train_y \(0,\) are not .* one or more"):
        sine.check_arrays(empty)


def test_other_files_are_refused():
    with pytest.raises(data.DataError, match="no array 'train_x'"):
        sine.load({}, "train")
