"""Training perceptrons by their mistakes."""

from dataclasses import replace

import pytest
import torch
from stores import here

import data
from data.separable import Draws
from objectives import perceptron
from objectives.perceptron import LIMIT, Config
from search.coordinator import search
from search.executors.inline import Inline
from search.study.opening import open_study


@pytest.fixture(scope="module")
def splits():
    arrays = data.read(perceptron.DATA.prepare("builtin"))
    return [perceptron.DATA.load(arrays, split) for split in ("train", "validation")]


def learnt(split, draws=10, **settings):
    return [perceptron.learn(Config(**settings), split, draw) for draw in range(draws)]


def assert_all_right(model, training):
    assert len(model) == len(training.y_DN)
    for net, x_NK, y_N in zip(model, training.x_DNK, training.y_DN):
        assert torch.equal(torch.where(net(x_NK)[:, 0] >= 0, 1, -1), y_N)


@pytest.mark.integration
def test_the_winner_of_a_search_makes_no_mistake_on_its_training_points(splits):
    with open_study(here(), perceptron, "few") as study:
        search(study, Inline(study), trials=4)
        best = study.best()
    assert best.curve[-1]["train_separated"] == best.curve[-1]["validation_separated"] == 1
    assert_all_right(perceptron.train(Config(**best.config), *splits, lambda *_: None), splits[0])


@pytest.mark.parametrize("order", ["each pass", "once", "never"])
@pytest.mark.parametrize("initial_scale", [0.0, 10.0])
def test_the_last_pass_is_without_a_mistake(splits, order, initial_scale):
    model = perceptron.train(Config(order=order, initial_scale=initial_scale), *splits, lambda *_: None)
    assert_all_right(model, splits[0])


@pytest.mark.parametrize("order", ["each pass", "once", "never"])
def test_from_zero_the_step_does_not_matter(splits, order):
    plain = learnt(splits[0], order=order)
    for step in (0.01, 0.3, 7.0):
        for one, other in zip(plain, learnt(splits[0], order=order, step=step)):
            assert other[1:] == one[1:]  # passes, mistakes
            assert other.weight_K == pytest.approx([step * weight for weight in one.weight_K], rel=1e-9)


def test_else_what_matters_is_the_first_weights_beside_the_step(splits):
    plain = learnt(splits[0], initial_scale=8.0, step=0.5)
    scaled = learnt(splits[0], initial_scale=16.0, step=1.0)
    assert [each[1:] for each in plain] == [each[1:] for each in scaled]
    assert [each[1:] for each in plain] != [each[1:] for each in learnt(splits[0], initial_scale=8.0)]


def test_one_update_by_hand():
    split = Draws(torch.tensor([[[1.0, 2.0, 1.0]]], dtype=torch.float64), torch.tensor([[-1]]))
    settings = {"order": "never", "step": 0.5}
    assert learnt(split, 1, **settings) == [([-0.5, -1.0, -0.5], 2, 1, True)]  # zero was taken as +1


def test_orders_are_what_they_say(splits):
    never, once, each = (
        learnt(splits[0], order=order, seed=seed)[0].weight_K
        for order, seed in (("never", 1), ("once", 1), ("each pass", 1))
    )
    assert learnt(splits[0], order="never", seed=2)[0].weight_K == never
    assert learnt(splits[0], order="once", seed=2)[0].weight_K != once
    assert len({tuple(never), tuple(once), tuple(each)}) == 3


def test_what_no_line_separates_is_said():
    x_DNK = torch.ones(1, 2, 3, dtype=torch.float64)
    training = learnt(Draws(x_DNK, torch.tensor([[1, -1]])), 1)[0]
    assert training.passes == LIMIT and training.mistakes >= LIMIT and not training.separated


def test_the_last_report_is_the_score(splits):
    reported = []
    model = perceptron.train(Config(), *splits, lambda epoch, metrics: reported.append(metrics))
    passes, error = perceptron.score(model, splits[1])
    assert reported[-1]["validation_passes"] == passes > 2 and 0 < error < passes
    assert reported[-1]["learning_rate"] == 1


def test_a_large_random_start_takes_fewer_passes(splits):
    def scored(**settings):
        return perceptron.score(perceptron.build(replace(Config(), **settings)), splits[1])

    (zero, error), (large, other_error) = scored(), scored(initial_scale=10.0, step=0.2)
    assert zero - large > 2 * (error + other_error)
