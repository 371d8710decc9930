"""Training on words."""

import math

import pytest
import torch

from data.words import Words
from objectives import langid


@pytest.fixture
def tiny():
    """200 words of 1 to 10 letters; the first letter tells the language."""
    torch.manual_seed(0)
    lengths = torch.arange(200) // 20 + 1
    x_NL = torch.randint(47, (200, 10))
    y_N = x_NL[:, 0] % 5
    return Words(torch.where(torch.arange(10) < lengths[:, None], x_NL, -1), y_N)


def test_batches_hold_each_word_once_with_its_label(tiny):
    seen = []
    for x_LB, y_B in langid.shuffled_batches(tiny, 16, epoch=1):
        assert x_LB.shape[1] == len(y_B) <= 16 and x_LB.min() >= 0
        assert torch.equal(x_LB[0] % 5, y_B)
        seen += [tuple(word) for word in x_LB.T.tolist()]
    words = [tuple(letter for letter in word if letter >= 0) for word in tiny.x_NL.tolist()]
    assert sorted(seen) == sorted(words)


def test_batches_are_shuffled_anew(tiny):
    torch.manual_seed(0)
    first, second = (langid.shuffled_batches(tiny, 16, epoch=1)[0][0] for _ in range(2))
    assert first.shape == second.shape and not torch.equal(first, second)


def test_the_order_of_lengths_is_that_of_the_epoch_whatever_the_seed(tiny):
    def lengths(seed, epoch):
        torch.manual_seed(seed)
        return [len(x_LB) for x_LB, _ in langid.shuffled_batches(tiny, 16, epoch)]

    assert lengths(0, 1) == lengths(1, 1) != lengths(0, 2)


def test_it_learns(tiny):
    config = langid.Config(hidden_size=32, learning_rate=1e-2, batch_size=16, epochs=30)
    model = langid.train(config, tiny, tiny, lambda *_: None)
    assert langid.score(model, tiny)[0] > 0.95


def test_the_learning_rate_falls_to_zero(tiny):
    rates = []
    config = langid.Config(hidden_size=8, epochs=4)
    langid.train(config, tiny, tiny, lambda epoch, metrics: rates.append(metrics["learning_rate"]))
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.05 * config.learning_rate < rates[0] < config.learning_rate


def test_a_loss_that_is_not_finite_is_reported(tiny):
    losses = []
    config = langid.Config(hidden_size=8, learning_rate=1e30, epochs=2)
    langid.train(config, tiny, tiny, lambda epoch, metrics: losses.append(metrics["train_loss"]))
    assert not math.isfinite(losses[0])


def test_standard_error_is_that_of_a_share(tiny):
    model = langid.build(langid.Config(hidden_size=8))
    value, error = langid.score(model, tiny)
    assert error == pytest.approx(math.sqrt(value * (1 - value) / 200))
