"""Networks that cannot form a group, and are left as they were."""

import copy
from dataclasses import replace

import pytest
import torch
from descending import (
    adam_of,
    convolution,
    descents,
    weights,
)
from torch import nn
from torch.nn import functional as F

from models.regression import RegressionModel
from search.trainers.groups.descent import Descent
from search.trainers.groups.together import formed


class Flattening(nn.Sequential):
    """A network that does something else with an axis more: it mixes the networks."""

    def forward(self, x):
        return super().forward(x - 9 * x.mean())


class Tied(nn.Module):
    """Two layers with one weight, or one layer under two names."""

    def __init__(self, twice):
        super().__init__()
        self.one = nn.Linear(1, 1)
        self.two = self.one if twice else nn.Linear(1, 1)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.two(self.one(x))


class Counting(nn.Module):
    """A network that counts its calls: in a buffer, or in a number."""

    def __init__(self, has_buffer):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.register_buffer("calls", torch.zeros(()) if has_buffer else None)
        self.number = 0

    def forward(self, x):
        if self.calls is None:
            self.number += 1
        else:
            self.calls += 1
        return self.layer(x)


def changed(**changes):
    pair = descents("regression", [1e-3, 1e-3])
    return [pair[0], replace(pair[1], **changes)]


def with_model(model):
    x, y = torch.randn(10, 1), torch.randn(10, 1)
    pair = [copy.deepcopy(model) for _ in range(2)]
    return [Descent(each, adam_of(each), F.mse_loss, [(x * k, y)], [1e-3]) for k, each in enumerate(pair, 1)]


@pytest.mark.parametrize(
    "made",
    [
        lambda: descents("regression", [1e-3]),
        lambda: [descents("regression", [1e-3])[0], descents("langid", [1e-3])[0]],
        lambda: [convolution(0), convolution(1)],
        lambda: changed(criterion=F.l1_loss),
        lambda: changed(rates=[1e-3]),
        lambda: changed(optimizer=torch.optim.RMSprop(RegressionModel(12, 2).parameters())),
        lambda: changed(batches=[]),
        lambda: with_model(Flattening(nn.Linear(1, 1))),
        lambda: with_model(nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))),
        lambda: with_model(nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))),
        lambda: [replace(each, criterion=_sum) for each in descents("regression", [1e-3, 1e-3])],
        lambda: with_model(Tied(twice=False)),
        lambda: with_model(Tied(twice=True)),
        lambda: with_model(Counting(has_buffer=True)),
        lambda: with_model(Counting(has_buffer=False)),
        lambda: with_model(nn.Sequential(nn.Linear(1, 1), nn.Dropout(1e-9))),
        lambda: [
            _halving(each, each.model.layers[0].weight) for each in descents("regression", [1e-3, 1e-3])
        ],
        lambda: [_halving(each, each.model.layers[0]) for each in descents("regression", [1e-3, 1e-3])],
        lambda: [_halving(each, each.optimizer) for each in descents("regression", [1e-3, 1e-3])],
    ],
    ids=["one", "models", "convolution", "criteria", "steps", "optimizers", "no batch", "mixing", "dropout"]
    + ["normalisation", "sum", "tied weight", "module used twice"]
    + ["buffer that changes", "number that changes", "dropout that is rare"]
    + ["hook of a parameter", "hook of a module", "hook of an optimizer"],
)
def test_networks_that_cannot_form_a_group_are_left_alone(made):
    torch.manual_seed(0)
    networks = made()
    before, generator = [weights(each) for each in networks], torch.get_rng_state()
    assert formed(networks) is None
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(weights(each), was) for each, was in zip(networks, before, strict=True))


def _halving(descent, owner):
    """The steps of a network of which something halves the gradients, or the outputs of a layer."""
    if isinstance(owner, torch.Tensor):
        owner.register_hook(lambda gradient: gradient / 2)
    elif isinstance(owner, nn.Module):
        owner.register_full_backward_hook(lambda module, own, others: tuple(each / 2 for each in own if each))
    else:
        owner.register_step_pre_hook(lambda *_: None)
    return descent


def _sum(scores, y):
    return ((scores - y) ** 2).sum()
