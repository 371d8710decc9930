"""The replay's core, on a tiny made-up table: what is nearest, the clock, and the time to quality."""

import contextlib
import math

import optuna
import pytest

from objectives import langid, regression
from search import tasks
from tests.bench.replay import by_optuna, ours
from tests.bench.replay.core import Core, Over, Table, first_good, handed_at, time_to_quality

BASELINE = {"hidden_size": 200, "layers": 1, "learning_rate": 1e-3, "batch_size": 64}


def line(number, curve, seed=1, **config):
    return {"number": number, "config": BASELINE | config | {"seed": seed}, "curve": curve}


def curve(*scores):
    """A report every two seconds."""
    return [[epoch, score, 2.0 * epoch] for epoch, score in enumerate(scores, 1)]


@pytest.fixture
def table():
    return Table(
        langid,
        [
            line(0, curve(0.5, 0.6, 0.70)),
            line(1, curve(0.6, 0.8, 0.90), learning_rate=1e-2),
            line(1, curve(0.6, 0.8, 0.91), learning_rate=1e-2, seed=2),
            line(2, curve(0.6, 0.8, 0.902), learning_rate=1e-2, layers=3),
            line(3, curve(0.3, None), learning_rate=1e-2, hidden_size=500),
        ],
    )


def test_quality_follows_what_was_recorded_and_a_diverged_training_has_the_worst(table):
    first, best, _, deep, diverged = map(table.quality, table.configs)
    assert best > first and deep > diverged
    assert table.best == max(first, best, deep, diverged)
    assert table.is_good(table.best) and table.is_good(table.best - 0.0049)
    assert not table.is_good(table.best - 0.0051)


def test_of_a_loss_a_factor_two_is_good_enough():
    config = tasks.baseline(regression)
    losses = Table(
        regression,
        [
            {"number": n, "config": config | {"layers": 1 + n, "seed": 1}, "curve": [[400, score, 1.0]]}
            for n, score in enumerate((4e-6, 8e-6, 9e-6))
        ],
    )
    best = losses.score(losses.best)
    assert losses.is_good(losses.level(1.9 * best)) and not losses.is_good(losses.level(2.1 * best))


def test_training_takes_its_seconds_and_goes_on_where_it_was(table):
    core = Core(table, seed=0, budget=8)
    training = core.training(BASELINE)
    first = next(training)
    other = core.training(BASELINE | {"layers": 3, "learning_rate": 1e-2})
    second = next(other)
    assert core.clock == pytest.approx(first.seconds + second.seconds)
    third = next(training)
    assert (first.step, second.step, third.step) == (1, 1, 2)
    assert core.clock == pytest.approx(first.seconds + second.seconds + third.seconds)
    with pytest.raises(Over):
        list(training), list(other)
    assert core.over


def test_a_search_always_meets_one_training_of_a_configuration(table):
    def met(seed):
        core = Core(table, seed, 100)
        return {tuple(report.score for report in core.training(table.configs[1])) for _ in range(3)}

    searches = [met(seed) for seed in range(20)]
    assert all(len(trainings) == 1 for trainings in searches)
    assert len(set().union(*searches)) > 1


def test_time_to_quality_is_when_it_stays(table):
    good, bad = table.best, table.best - 0.1
    handed = [(0.0, bad), (5.0, good), (9.0, bad), (20.0, good), (30.0, good)]
    assert time_to_quality(table, handed) == 20
    assert first_good(table, handed) == 5
    assert time_to_quality(table, handed[:3]) == math.inf
    assert [handed_at(handed, seconds) for seconds in (0, 5, 19, 100)] == [bad, good, bad, good]


@pytest.mark.parametrize("method", [*by_optuna.METHODS, *ours.METHODS])
def test_methods_hand_over_what_is_best_after_the_time_it_takes(method, table):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    core = Core(table, seed=3, budget=60)
    with contextlib.suppress(Over):
        (by_optuna.METHODS | ours.METHODS)[method](core)
    first, *later = core.handed
    assert first == (0.0, table.quality(tasks.baseline(langid)))
    assert later and later[0][0] > 0 and later[-1][1] >= first[1]
