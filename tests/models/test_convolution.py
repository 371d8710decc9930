"""The convolution, against torch's own, and the network that uses it."""

import pytest
import torch
from torch.nn import functional as F

from models.convolution import Convolve, DigitConvolutionalModel, convolve

SHAPES = [((28, 28), (3, 3)), ((5, 9), (2, 4)), ((4, 3), (4, 3)), ((6, 6), (1, 1)), ((1, 8), (1, 5))]


def by_torch(input, weight):
    return F.conv2d(input.reshape(-1, 1, *input.shape[-2:]), weight[None, None])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (7,), (2, 3)])
@pytest.mark.parametrize("size, of_weight", SHAPES)
def test_convolution_and_its_gradients_are_torchs(size, of_weight, batch, dtype):
    torch.manual_seed(0)
    input = torch.randn(*batch, *size, dtype=dtype, requires_grad=True)
    weight = torch.randn(of_weight, dtype=dtype, requires_grad=True)
    ours, theirs = convolve(input, weight), by_torch(input, weight)
    assert ours.shape == (*batch, size[0] - of_weight[0] + 1, size[1] - of_weight[1] + 1)
    torch.testing.assert_close(ours, theirs.reshape(ours.shape))
    slope = torch.randn(ours.shape, dtype=dtype)
    mine = torch.autograd.grad((ours * slope).sum(), (input, weight))
    others = torch.autograd.grad((theirs.reshape(ours.shape) * slope).sum(), (input, weight))
    # A slope of the weight is a sum of thousands: in float32 its last digits depend on their order.
    torch.testing.assert_close(mine, others, atol=1e-3 if dtype == torch.float32 else 1e-9, rtol=1e-6)


def test_it_is_not_flipped_and_has_the_courses_name():
    assert Convolve(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 10.0]])).tolist() == [[21, 32]]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_shape_and_weights(layers):
    model = DigitConvolutionalModel(hidden_size=10, layers=layers)
    assert model(torch.ones(7, 784)).shape == (7, 10)
    weights = 9 + 677 * 10 + (layers - 1) * 110 + 110
    assert sum(weight.numel() for weight in model.parameters()) == weights


def test_gradients_reach_every_weight():
    torch.manual_seed(0)
    model = DigitConvolutionalModel(hidden_size=16, layers=3)
    model(torch.rand(7, 784)).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())
