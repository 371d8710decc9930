"""Training on points."""

import math

import data
from objectives import regression
from search import tasks


def test_batch_sizes_divide_the_points():
    choices = tasks.ranges(regression)["batch_size"].choices
    assert all(200 % size == 0 and size <= 128 for size in choices)


def test_it_reaches_the_bar_of_the_course():
    arrays = data.read(regression.DATA.prepare("builtin"))
    train, validation = (regression.DATA.load(arrays, split) for split in ("train", "validation"))
    config = regression.Config(hidden_size=100, layers=2, learning_rate=3e-3, epochs=100)
    reported = []
    model = regression.train(config, train, validation, lambda epoch, metrics: reported.append(metrics))
    value, error = regression.score(model, validation)
    assert value < 0.02
    assert 0 < error < value and math.isfinite(error)
    assert reported[-1]["validation_mse"] == value
