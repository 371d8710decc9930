"""The recurrent network, against its formula."""

import pytest
import torch
from torch.nn import functional as F

from models.langid import LanguageIDModel


def by_the_handout(model, x_LB):
    """One-hot letters, multiplied: z_0 = x_0 W_x, z_i = x_i W_x + h_i W_hidden, relu after each."""
    inputs = [one_hot_BV @ model.layers[0].inputs.weight for one_hot_BV in F.one_hot(x_LB, 47).float()]
    for depth, layer in enumerate(model.layers):
        if depth > 0:
            inputs = [layer.inputs(h) for h in states]  # noqa: F821
        states = [inputs[0].relu()]
        for z in inputs[1:]:
            states.append((z + states[-1] @ layer.hidden.weight.T).relu())
    return states[-1] @ model.output.weight.T + model.output.bias


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("letters", [1, 2, 10])
def test_scores_are_those_of_the_formula(layers, letters):
    torch.manual_seed(0)
    model = LanguageIDModel(hidden_size=16, layers=layers)
    x_LB = torch.randint(47, (letters, 7))
    scores = model(x_LB)
    assert scores.shape == (7, 5)
    torch.testing.assert_close(scores, by_the_handout(model, x_LB))


def test_gradients_reach_every_weight():
    torch.manual_seed(0)
    model = LanguageIDModel(hidden_size=16, layers=3)
    model(torch.arange(47).repeat(3, 1)).square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_number_of_weights():
    count = sum(weight.numel() for weight in LanguageIDModel(hidden_size=100, layers=2).parameters())
    assert count == 47 * 100 + 2 * 100 * 100 + (100 * 100 + 100) + 100 * 5 + 5
