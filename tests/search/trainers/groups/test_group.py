"""Networks of one shape that learn together, compared with each of them alone. M networks, B batch."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.attention import AttentionModel
from models.chargpt import Character_GPT
from models.convolution import DigitConvolutionalModel
from models.langid import LanguageIDModel
from models.regression import RegressionModel
from objectives.attention import next_character_loss
from search.trainers.groups.group import Descent, Group, Taken
from search.trainers.groups.together import Together, formed, gain

CODES = torch.arange(4 * 10 * 9).view(4, 10, 9) % 23  # of 4 steps of 10 windows
NETWORKS = {
    "regression": (lambda: RegressionModel(12, 2), F.mse_loss, torch.randn(4, 10, 1), torch.randn(4, 10, 1)),
    "langid": (lambda: LanguageIDModel(12, 2), F.cross_entropy, CODES.mT, CODES[:, :, 0] % 5),
    "attention": (lambda: AttentionModel(9, 12), next_character_loss, CODES, CODES),
    "chargpt": (lambda: Character_GPT(9, 12, 2), next_character_loss, CODES, CODES),
}
OPTIMIZERS = {
    "adam": lambda weights, rate: torch.optim.Adam(weights, rate, fused=True),
    "adamw": lambda weights, rate: torch.optim.AdamW(weights, rate, weight_decay=0.1),
    "momentum": lambda weights, rate: torch.optim.SGD(weights, rate, momentum=0.9),
}


def descents(kind, rates, optimizer="adam"):
    """One descent for each learning rate, each with a network and batches of its own."""
    build, criterion, x, y = NETWORKS[kind]
    made = []
    for seed, rate in enumerate(rates):
        torch.manual_seed(seed)
        model, order = build(), torch.randperm(len(x))
        batches = list(zip(x[order], y[order], strict=True))
        made.append(
            Descent(model, OPTIMIZERS[optimizer](model.parameters(), rate), criterion, batches, 4 * [rate])
        )
    return made


def weights(descent):
    return torch.cat([parameter.detach().flatten() for parameter in descent.model.parameters()])


@torch.no_grad()
def assert_alike(group, alone):
    """Outputs are compared: the keys' biases change none, and Adam makes steps of their rounding errors."""
    x = next(x for kind, (build, _, x, _) in NETWORKS.items() if type(build()) is type(group[0].model))
    for one, other in zip(group, alone, strict=True):
        assert torch.allclose(one.model(x[0]), other.model(x[0]), rtol=0, atol=1e-5)


def again(descents):
    """The same networks and steps once more."""
    x, y = NETWORKS["regression"][2:]
    return [replace(each, batches=list(zip(x, y, strict=True))) for each in descents]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("rates", [[1e-3, 1e-3, 1e-3], [1e-4, 1e-3, 5e-3]], ids=["one rate", "rates"])
def test_group_does_what_its_networks_do_alone(kind, rates):
    together, alone = descents(kind, rates), descents(kind, rates)
    for each in together + alone:
        each.rates = [rate * part for rate, part in zip(each.rates, (1, 1, 1, 0.5), strict=True)]
    group = formed(together)
    taken = group.descend(together)
    losses = [each.alone() for each in alone]
    assert [each.steps for each in taken] == 3 * [4]
    assert [each.loss for each in taken] == pytest.approx(losses, rel=1e-5)
    assert_alike(together, alone)
    for one, other in zip(together, alone, strict=True):  # a task may log them
        assert one.optimizer.param_groups[0]["lr"] == other.optimizer.param_groups[0]["lr"]
        for own, expected in zip(one.model.parameters(), other.model.parameters(), strict=True):
            assert torch.allclose(own.grad, expected.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", [np.float64, np.float32, torch.tensor, lambda rate: 1 if rate > 1e-3 else 0])
def test_group_takes_rates_of_any_type(kind):
    together, alone = (descents("regression", [1e-3, 5e-3], "momentum") for _ in range(2))
    for each in together + alone:
        each.rates = [kind(rate) for rate in each.rates]
    formed(together).descend(together)
    for each in alone:
        each.alone()
    assert_alike(together, alone)


def test_group_of_networks_in_double_precision_takes_rates_of_each():
    together, alone = (descents("regression", [1e-3, 5e-3]) for _ in range(2))
    for each in together + alone:
        each.model.double()
        each.batches = [(x.double(), y.double()) for x, y in each.batches]
    assert [taken.steps for taken in formed(together).descend(together)] == [4, 4]
    for each in alone:
        each.alone()
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(weights(one), weights(other), rtol=1e-9, atol=1e-9)


def test_losses_of_a_group_are_right_where_batches_are_written_in_one_place():
    def refilled(batches):
        place = tuple(torch.empty_like(part) for part in batches[0])
        for batch in batches:
            for own, part in zip(place, batch, strict=True):
                own.copy_(part)
            yield place

    together, alone = (descents("regression", [1e-3, 5e-3]) for _ in range(2))
    for each in together + alone:
        each.batches = refilled(each.batches)
    losses = [each.alone() for each in alone]
    assert [taken.loss for taken in formed(together).descend(together)] == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_network_that_leaves_a_group_goes_on_as_if_it_had_been_alone(optimizer):
    rates = [1e-3, 5e-3]
    together, alone = (descents("regression", rates, optimizer) for _ in range(2))
    formed(together).descend(together)
    for each in [*alone, *again(alone), *again(together)]:
        each.alone()
    assert_alike(together, alone)


def test_group_of_networks_that_were_alone_goes_on_with_what_their_optimizers_know():
    together, alone = (descents("regression", [1e-3, 5e-3]) for _ in range(2))
    for each in [*alone, *again(alone), *together]:
        each.alone()
    together = again(together)
    formed(together).descend(together)
    assert_alike(together, alone)


CHANGES = {
    "criterion": lambda each: replace(each, criterion=F.l1_loss),
    "option": lambda each: each.optimizer.param_groups[0].update(weight_decay=5.0),
    "optimizer": lambda each: replace(each, optimizer=OPTIMIZERS["momentum"](each.model.parameters(), 1e-3)),
    "state": lambda each: each.optimizer.state.clear(),
    "steps alone": lambda each: (
        replace(each, rates=each.rates[:4], batches=each.batches[:4]).alone() and None
    ),
    "weights": lambda each: [setattr(p, "data", p.data / 2) for p in each.model.parameters()] and None,
    "layer not trained": lambda each: each.model.layers[0].requires_grad_(False) and None,
    "mode": lambda each: each.model.eval() and None,
    "number of steps": lambda each: replace(
        each, rates=each.rates[: 2 if each.rates[0] < 2e-3 else 3], batches=each.batches[:3]
    ),
    "one ahead": lambda each: each.rates[0] < 2e-3 and each.alone() and None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_between_two_descents_has_its_effect_in_a_group(change):
    outcomes = []
    for is_group in (True, False):
        members, together = descents("regression", [1e-3, 5e-3]), Together()
        for moment in ("before", "after"):
            if moment == "after":
                members = [CHANGES[change](each) or each for each in again(members)]
                if change == "number of steps":
                    members = [replace(each, batches=each.batches[: len(each.rates)]) for each in members]
                members = again(members) if change == "one ahead" else members
            taken = together.take(dict(enumerate(members))) if is_group else {}
            assert len(taken) == 2 or moment == "after" or not is_group
            for number, each in enumerate(members):
                if number not in taken:
                    each.alone()
        outcomes.append(members)
    assert_alike(*outcomes)


def test_networks_go_on_in_a_group_after_a_step_that_each_took_alone():
    outcomes = []
    for is_group in (True, False):
        members, together = descents("regression", [1e-3, 5e-3]), Together()
        for _ in range(3):
            members = again(members)
            x_B1, y_B1 = members[1].batches[1]
            members[1].batches[1] = x_B1[:3], y_B1[:3]
            taken = together.take(dict(enumerate(members))) if is_group else {}
            for number, each in enumerate(members):
                replace(each, rates=each.rates[taken[number].steps if taken else 0 :]).alone()
        outcomes.append(members)
    assert_alike(*outcomes)


def test_group_stops_before_a_step_whose_batches_differ_in_shape_and_leaves_the_rest():
    together, alone = (descents("regression", [1e-3, 5e-3]) for _ in range(2))
    for each in (together[1], alone[1]):
        x_B1, y_B1 = each.batches[2]
        each.batches[2] = x_B1[:3], y_B1[:3]
    taken = formed(together).descend(together)
    assert [each.steps for each in taken] == [2, 2]
    for each in together:
        replace(each, rates=each.rates[2:]).alone()
    for each in alone:
        each.alone()
    assert_alike(together, alone)


def test_error_in_a_batch_leaves_that_step_to_each_network():
    def broken(batches):
        yield from batches[:1]
        raise KeyError("no such word")

    together = descents("regression", [1e-3, 1e-3])
    together[1].batches = broken(together[1].batches)
    assert [each.steps for each in formed(together).descend(together)] == [1, 1]
    assert len(list(together[0].batches)) == 3  # none is lost of the one that is sound


def test_network_that_diverges_disturbs_no_other():
    together, alone = (descents("regression", [1e-3, 1e-3]) for _ in range(2))
    for each in (together[1], alone[1]):
        each.batches[1] = each.batches[1][0] * float("inf"), each.batches[1][1]
    taken = formed(together).descend(together)
    losses = [each.alone() for each in alone]
    assert taken[0].loss == pytest.approx(losses[0]) and not taken[1].loss < float("inf")
    assert_alike(together[:1], alone[:1])


def convolution(seed):
    return Descent(model := DigitConvolutionalModel(8), _adam(model), F.cross_entropy, [_image()], [1e-3])


def _adam(model):
    return torch.optim.Adam(model.parameters())


def _image():
    return torch.randn(2, 784), torch.tensor([1, 2])


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
    return [Descent(each, _adam(each), F.mse_loss, [(x * k, y)], [1e-3]) for k, each in enumerate(pair, 1)]


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


def test_gain_is_measured_on_copies_and_is_1_where_no_group_forms():
    (one,) = descents("regression", [1e-3])
    before, batch = weights(one), one.first_batch()
    assert gain(one, batch) > 0.0
    assert torch.equal(weights(one), before) and not one.optimizer.state
    torch.manual_seed(0)
    assert gain(convolution(0), _image()) == 1.0


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
    one = Descent(own := model(), _adam(own), criterion, [], [1e-3])
    x_B1 = torch.randn(2, 1)
    own(x_B1)
    assert gain(one, (x_B1, x_B1)) == 1.0


def test_group_knows_its_networks():
    pair, other = descents("regression", [1e-3, 1e-3]), descents("regression", [1e-3])
    group = Group(pair)
    assert group.is_of(pair) and not group.is_of(pair[:1]) and not group.is_of([pair[0], other[0]])
    assert isinstance(group.descend(pair)[0], Taken)
