"""How much a group gains, as it is measured on copies."""

import pytest
import torch
from descending import adam_of, convolution, descents, image, weights
from torch import nn
from torch.nn import functional as F

from search.trainers.groups.descent import Descent
from search.trainers.groups.together import gain


def test_gain_is_measured_on_copies_and_is_1_where_no_group_forms():
    (one,) = descents("regression", [1e-3])
    before, batch = weights(one), one.first_batch()
    assert gain(one, batch) > 0.0
    assert torch.equal(weights(one), before) and not one.optimizer.state
    torch.manual_seed(0)
    assert gain(convolution(0), image()) == 1.0


class Remembering(nn.Linear):
    """A network that cannot be copied after a forward pass: it keeps its output, with the graph."""

    def __init__(self):
        super().__init__(1, 1)

    def forward(self, x):
        self.last = super().forward(x)
        return self.last


def _refused(scores, y):
    raise RuntimeError("the training is over")


@pytest.mark.parametrize("model, criterion", [(Remembering, F.mse_loss), (lambda: nn.Linear(1, 1), _refused)])
def test_gain_is_1_where_copies_of_a_network_take_no_steps(model, criterion):
    one = Descent(own := model(), adam_of(own), criterion, [], [1e-3])
    x_B1 = torch.randn(2, 1)
    own(x_B1)
    assert gain(one, (x_B1, x_B1)) == 1.0
