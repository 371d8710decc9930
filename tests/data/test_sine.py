"""Points of a sine."""

import numpy as np
import pytest
import torch

import data
from data import sine


def test_splits_are_of_one_curve_and_share_no_point():
    arrays = data.read(sine.prepare("builtin"))
    splits = {name: sine.load(arrays, name) for name in ("train", "validation", "test")}
    assert [len(split.x_N1) for split in splits.values()] == [200, 199, 398]
    x = torch.cat([split.x_N1 for split in splits.values()])
    assert len(x.unique()) == 797 and x.abs().max() <= np.float32(2 * np.pi)
    for split in splits.values():
        assert split.x_N1.shape == split.y_N1.shape and split.x_N1.dtype == torch.float32
        torch.testing.assert_close(split.y_N1, split.x_N1.sin(), atol=1e-6, rtol=0)


def test_other_files_are_refused():
    with pytest.raises(data.DataError, match="no array 'train_x'"):
        sine.load({}, "train")
