"""Data that no training can change for another one."""

from typing import NamedTuple

import pytest
import torch

from search.trainers.splits import SMALL, Splits


class Points(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


SIZES = {"copied": 10, "mapped": SMALL // 4}  # float32, or more bytes


@pytest.fixture(params=SIZES)
def size(request):
    return SIZES[request.param]


def test_what_a_training_changes_no_other_sees(size):
    x, y, validation = torch.rand(size, 2), torch.arange(size), torch.rand(size, 2, dtype=torch.float64)
    splits = Splits(Points(x, y), validation)
    expected = x.clone(), y.clone(), validation.clone()
    (one, other) = splits.private(), splits.private()
    for (x_private, y_private), validation_private in (one,):
        x_private.div_(3)
        y_private.zero_()
        validation_private.fill_(7)
    for points, validation_private in (other, splits.private()):
        assert type(points) is Points
        assert torch.equal(points.x, expected[0]) and torch.equal(points.y, expected[1])
        assert torch.equal(validation_private, expected[2])
    assert torch.equal(one[0].x, expected[0] / 3)


def test_strides_and_types_are_kept(size):
    whole = torch.rand(3, size)
    splits = [
        whole.T,
        whole[:, ::2],
        whole[0].expand(4, size),
        whole > 0.5,
        torch.empty(0, 3),
        torch.tensor(2),
    ]
    for split, private in zip(splits, Splits(*splits).private(), strict=True):
        assert torch.equal(split, private)
        assert (split.stride(), split.dtype, split.shape) == (private.stride(), private.dtype, private.shape)


def test_parts_that_share_memory_share_it_still(size):
    x = torch.zeros(size, 2)
    (points,) = Splits(Points(x, x[:, 0])).private()
    points.x.fill_(1)
    assert points.y.sum() == size


def test_parts_that_are_no_plain_tensors_are_copied():
    sparse, labels = torch.eye(3).to_sparse(), ["a", "b"]
    splits = Splits(Points(sparse, labels))
    splits.private()[0].y.append("c")
    (points,) = splits.private()
    assert torch.equal(points.x.to_dense(), torch.eye(3)) and points.y == ["a", "b"]
