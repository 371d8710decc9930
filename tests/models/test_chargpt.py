"""The small GPT: its shapes, its order in time, what it writes."""

import math

import pytest
import torch

from models.chargpt import GPT, Character_GPT, Transformer_Block


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Character_GPT(block_size=8, n_embd=12, n_layer=2, vocab_size=20)


def test_a_block_is_attention_add_normalise_linear_relu_add_normalise():
    torch.manual_seed(0)
    block = Transformer_Block(12, 8)
    x_BTC = torch.randn(3, 8, 12)

    def normalised(y_BTC):
        return (y_BTC - y_BTC.mean(2, keepdim=True)) / (
            y_BTC.var(2, keepdim=True, correction=0) + 1e-5
        ).sqrt()

    y_BTC = normalised(x_BTC + block.attention(x_BTC))
    y_BTC = normalised(y_BTC + (y_BTC @ block.linear.weight.T + block.linear.bias).clamp(min=0))
    torch.testing.assert_close(block(x_BTC), y_BTC)


@pytest.mark.parametrize("places", [1, 3, 8])
def test_each_place_scores_every_character(model, places):
    assert model(torch.zeros(5, places, dtype=torch.int64)).shape == (5, places, 20)


def test_scores_depend_on_no_later_character(model):
    x_BT = torch.randint(20, (4, 8))
    changed_BT = x_BT.clone()
    changed_BT[:, 5] = (x_BT[:, 5] + 1) % 20
    same = (model(x_BT) == model(changed_BT)).all(2)
    assert same[:, :5].all() and not same[:, 5:].any()


def test_the_order_of_characters_matters(model):
    there, back = (model(torch.tensor([codes]))[0, -1] for codes in ([1, 2, 3], [2, 1, 3]))
    assert not torch.allclose(there, back)


def test_untrained_it_knows_little():
    torch.manual_seed(0)
    model = Character_GPT(block_size=16, n_embd=100, n_layer=3, vocab_size=96)
    x_BT = torch.randint(96, (64, 17))
    assert abs(model.get_loss(x_BT[:, :-1], x_BT[:, 1:]).item() - math.log(96)) < 0.5


@pytest.mark.parametrize("places", [1, 8, 30])
def test_it_writes_on_whatever_the_length_of_the_prompt(model, places):
    prompt_BT = torch.randint(20, (2, places))
    written = [model.generate(prompt_BT, 12, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    for text_BT in written:
        assert text_BT.shape == (2, places + 12) and text_BT.min() >= 0 and text_BT.max() < 20
        assert torch.equal(text_BT[:, :places], prompt_BT)
    assert torch.equal(written[0], written[1]) and not torch.equal(written[0], written[2])


def test_it_writes_what_it_scores_high(model):
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.arange(20) == 7).mul_(100)
    assert model.generate(torch.zeros(1, 1, dtype=torch.int64), 5).tolist() == [[0, 7, 7, 7, 7, 7]]


def test_the_handouts_other_name():
    assert GPT is Character_GPT
