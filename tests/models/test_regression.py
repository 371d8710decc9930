"""The network for a curve."""

import pytest
import torch

from models.regression import RegressionModel


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_shape_and_weights(layers):
    model = RegressionModel(hidden_size=10, layers=layers)
    assert model(torch.ones(7, 1)).shape == (7, 1)
    assert sum(weight.numel() for weight in model.parameters()) == 20 + (layers - 1) * 110 + 11


def test_no_relu_after_the_last_layer():
    torch.manual_seed(0)
    assert min(RegressionModel(hidden_size=10)(torch.zeros(1, 1)).item() for _ in range(10)) < 0
