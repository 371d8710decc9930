"""Training on digits."""

import pytest

import data
from objectives import digits
from search import tasks


def test_batch_sizes_divide_the_images_of_every_source():
    choices = tasks.ranges(digits)["batch_size"].choices
    for images in (60_000, 50_000, 1_200):
        assert all(images % size == 0 and size <= 128 for size in choices)


@pytest.fixture(scope="module")
def splits():
    arrays = data.read(digits.DATA.prepare("builtin"))
    return [digits.DATA.load(arrays, split) for split in ("train", "validation")]


def test_it_learns(splits):
    reported = []
    config = digits.Config(hidden_size=50, layers=1, batch_size=40, learning_rate=1e-2)
    model = digits.train(config, *splits, lambda epoch, metrics: reported.append(metrics))
    value, error = digits.score(model, splits[1])
    assert value > 0.9 and error == pytest.approx((value * (1 - value) / 240) ** 0.5)
    assert reported[-1]["validation_accuracy"] == value
    losses = [metrics["train_loss"] for metrics in reported]
    assert losses == sorted(losses, reverse=True)


def test_the_learning_rate_falls_to_zero(splits):
    rates = []
    config = digits.Config(hidden_size=8, layers=1, epochs=4)
    digits.train(config, *splits, lambda epoch, metrics: rates.append(metrics["learning_rate"]))
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.05 * config.learning_rate < rates[0] < config.learning_rate
