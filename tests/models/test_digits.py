"""The network for digits."""

import pytest
import torch

from models.digits import DigitClassificationModel


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_shape_and_weights(layers):
    model = DigitClassificationModel(hidden_size=10, layers=layers)
    assert model(torch.ones(7, 784)).shape == (7, 10)
    assert sum(weight.numel() for weight in model.parameters()) == 7850 + (layers - 1) * 110 + 110


def test_no_relu_after_the_last_layer():
    torch.manual_seed(0)
    assert DigitClassificationModel(hidden_size=10)(torch.ones(7, 784)).min() < 0
