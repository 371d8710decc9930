"""Networks of one shape that learn together, compared with each of them alone. M networks, B batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from descending import NETWORKS, OPTIMIZERS, again, assert_alike, descents, weights
from torch.nn import functional as F

from search.trainers.groups.descent import Taken
from search.trainers.groups.group import Group
from search.trainers.groups.together import Together, formed


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


def test_group_knows_its_networks():
    pair, other = descents("regression", [1e-3, 1e-3]), descents("regression", [1e-3])
    group = Group(pair)
    assert group.is_of(pair) and not group.is_of(pair[:1]) and not group.is_of([pair[0], other[0]])
    assert isinstance(group.descend(pair)[0], Taken)
