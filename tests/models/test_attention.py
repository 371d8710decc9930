"""Attention, against its formula."""

import math

import pytest
import torch

from models.attention import Attention, AttentionBlock, AttentionModel


def by_the_handout(layer, x_TC):
    """What each place reads: the values up to it, weighted by the softmax of key times query."""
    keys, queries, values = layer.k_layer(x_TC), layer.q_layer(x_TC), layer.v_layer(x_TC)
    read = []
    for place, query in enumerate(queries):
        weights = [math.exp((query @ key).item() / math.sqrt(len(query))) for key in keys[: place + 1]]
        parts = [weight * value for weight, value in zip(weights, values)]
        read.append(sum(parts) / sum(weights))
    return torch.stack(read)


@pytest.mark.parametrize("places", [1, 5, 8])
def test_it_is_the_formula(places):
    torch.manual_seed(0)
    layer = Attention(layer_size=12, block_size=8)
    x_BTC = 3 * torch.randn(4, places, 12)
    read_BTC = layer(x_BTC)
    assert read_BTC.shape == x_BTC.shape
    torch.testing.assert_close(read_BTC, torch.stack([by_the_handout(layer, x_TC) for x_TC in x_BTC]))


def test_no_place_reads_later_ones():
    torch.manual_seed(0)
    layer = Attention(layer_size=12, block_size=8)
    x_BTC = torch.randn(2, 8, 12)
    changed_BTC = x_BTC.clone()
    changed_BTC[:, 5] += 10
    same = (layer(x_BTC) == layer(changed_BTC)).all(2)
    assert same[:, :5].all() and not same[:, 5:].any()


def test_names_and_shapes_are_the_handouts():
    layer = AttentionBlock(12, 8)
    assert AttentionBlock is Attention
    assert layer.mask.shape == (1, 1, 8, 8) and torch.equal(layer.mask[0, 0], torch.ones(8, 8).tril())
    assert "mask" in dict(layer.named_buffers())
    assert {name for name, _ in layer.named_children()} == {"k_layer", "q_layer", "v_layer"}


def test_the_model_scores_each_next_character_and_learns_with_all_its_weights():
    torch.manual_seed(0)
    model = AttentionModel(block_size=8, n_embd=12, vocab_size=20)
    x_BT = torch.arange(40).view(5, 8) % 20
    assert model(x_BT).shape == (5, 8, 20) and model(x_BT[:, :3]).shape == (5, 3, 20)
    model.get_loss(x_BT, (x_BT + 1) % 20).backward()
    gradients = {name: weight.grad.abs().max() for name, weight in model.named_parameters()}
    del gradients["attention.k_layer.bias"]  # it adds as much to each score of a place: softmax sees none
    assert all(gradient > 0 for gradient in gradients.values())
