"""Training on text."""

import math
from dataclasses import replace

import pytest
import torch

from data.text import encode
from models.chargpt import Character_GPT
from objectives import attention, chargpt

SMALL = chargpt.Config(n_embd=32, block_size=16, batch_size=128, learning_rate=1e-2, epochs=1)


@pytest.fixture
def round_text():
    """A text that repeats one word, no letter twice in it."""
    return encode(b"background\n" * 600)


class Unigram:
    """A model that knows how frequent characters are, and reads no context."""

    def __init__(self, split, block_size):
        self.block_size = block_size
        self._nats = -(torch.bincount(split, minlength=96) / len(split)).log()

    def get_loss(self, x_BT, y_BT):
        return self._nats[y_BT].mean()


@pytest.mark.parametrize("task", [attention, chargpt])
def test_score_of_each_block_size_is_of_the_same_characters(task):
    split = torch.randint(0, 96, (20_000,), generator=torch.Generator().manual_seed(0)) ** 2 // 96
    scores = [task.score(Unigram(split, size), split)[0] for size in (16, 32, 64)]
    assert max(scores) - min(scores) < 1e-3


def train(task, config, split):
    """Train on and validate with one text; what is reported, and the network."""
    heard = []
    model = task.train(config, split, split, lambda epoch, metrics: heard.append(metrics))
    return heard, model


@pytest.mark.integration
def test_it_learns_a_text_that_repeats_and_writes_it(round_text):
    heard, model = train(chargpt, replace(SMALL, epochs=3, batch_size=32, prompt="back"), round_text)
    value, error = chargpt.score(model, round_text)
    assert heard[-1]["validation_nats"] == value < 0.02
    assert 0 < error < 0.01
    assert heard[-1]["sample"] == ("background\n" * 15)[: len("back") + 150]


@pytest.mark.integration
def test_one_attention_learns_it_too(round_text):
    config = attention.Config(n_embd=32, block_size=16, batch_size=32, learning_rate=1e-2, epochs=3)
    heard, model = train(attention, config, round_text)
    assert attention.score(model, round_text)[0] == heard[-1]["validation_nats"] < 0.1


@pytest.mark.parametrize("prompt", ["Pacman", "", "naïve", "What " * 30])
@pytest.mark.integration
def test_each_report_holds_a_sample(round_text, prompt):
    heard, _ = train(chargpt, replace(SMALL, epochs=2, prompt=prompt), round_text)
    kept = prompt.replace("ï", "")
    assert [len(metrics["sample"]) for metrics in heard] == [len(kept) + 150] * 2
    assert all(metrics["sample"].startswith(kept) for metrics in heard)


@pytest.mark.integration
def test_the_sample_does_not_change_the_training(round_text, monkeypatch):
    with_sample, _ = train(chargpt, replace(SMALL, epochs=2), round_text)
    again, _ = train(chargpt, replace(SMALL, epochs=2, prompt="Ghost"), round_text)
    monkeypatch.setattr(Character_GPT, "generate", lambda self, idx_BT, *_: idx_BT)
    without, _ = train(chargpt, replace(SMALL, epochs=2), round_text)
    losses = [[metrics["validation_loss"] for metrics in heard] for heard in (with_sample, again, without)]
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.integration
def test_the_learning_rate_rises_during_the_first_epoch_and_falls_to_zero(round_text):
    heard, _ = train(chargpt, replace(SMALL, epochs=5), round_text)
    rates = [metrics["learning_rate"] / SMALL.learning_rate for metrics in heard]
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.02 and 0.75 < rates[0] < 0.85


def test_a_loss_that_is_not_finite_is_reported(round_text):
    (metrics,), _ = train(chargpt, replace(SMALL, learning_rate=1e38), round_text)
    assert not math.isfinite(metrics["train_loss"]) and len(metrics["sample"]) == 156


def test_the_standard_error_is_that_of_a_mean_of_windows(round_text):
    torch.manual_seed(0)
    model = chargpt.build(SMALL)
    mixed = torch.cat([round_text, torch.randint(96, (len(round_text),))])
    value, error = chargpt.score(model, mixed)
    assert value == pytest.approx(math.log(96), abs=0.5)
    assert 0 < error < 0.1
