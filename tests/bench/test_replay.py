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


def test_the_nearest_is_so_in_the_cube_of_all_ranges(table):
    assert table.baseline == 0
    assert table.nearest(BASELINE | {"learning_rate": 4e-3}) == 1  # by its logarithm: 5.5e-3 is the mean
    assert table.nearest(BASELINE | {"learning_rate": 3e-3}) == 0
    assert table.nearest(BASELINE | {"learning_rate": 9e-3, "layers": 3, "hidden_size": 240}) == 2


def test_quality_is_the_mean_over_seeds_and_a_diverged_training_has_the_worst(table):
    assert table.qualities == pytest.approx([0.70, 0.905, 0.902, 0.70])
    assert [table.is_good(number) for number in range(4)] == [False, True, True, False]


def test_of_a_loss_a_factor_two_is_good_enough():
    config = tasks.baseline(regression)
    scores = 4e-6, 8e-6, 9e-6
    losses = Table(
        regression,
        [
            {"number": n, "config": config | {"layers": 1 + n, "seed": 1}, "curve": [[400, score, 1.0]]}
            for n, score in enumerate(scores)
        ],
    )
    assert [losses.is_good(number) for number in range(3)] == [True, True, False]


def test_training_takes_the_recorded_seconds_and_goes_on_where_it_was(table):
    core = Core(table, seed=0, budget=10)
    training = core.training(BASELINE)
    assert next(training).score == 0.5
    other = core.training(BASELINE | {"layers": 3, "learning_rate": 1e-2})
    assert next(other).score == 0.6
    assert (core.clock, next(training).score, core.clock) == (4, 0.6, 6)
    assert (next(training).step, core.clock) == (3, 8)
    assert list(training) == []
    with pytest.raises(Over):
        next(other)
    assert core.over


def test_a_training_that_diverges_says_so_and_ends(table):
    scores = [report.score for report in Core(table, 0, 100).training(table.configs[3])]
    assert scores[0] == 0.3 and math.isnan(scores[1]) and len(scores) == 2


def test_a_search_always_meets_one_recorded_seed_of_a_configuration(table):
    def last(seed):
        core = Core(table, seed, 100)
        return {list(core.training(table.configs[1]))[-1].score for _ in range(3)}

    met = [last(seed) for seed in range(20)]
    assert all(len(scores) == 1 for scores in met)
    assert set().union(*met) == {0.90, 0.91}


def test_time_to_quality_is_when_it_stays(table):
    handed = [(0.0, 0), (5.0, 1), (9.0, 3), (20.0, 2), (30.0, 1)]
    assert time_to_quality(table, handed) == 20
    assert first_good(table, handed) == 5
    assert time_to_quality(table, handed[:3]) == math.inf
    assert time_to_quality(table, [(0.0, 1), (6.0, 1)]) == 6  # nothing was found before
    assert [handed_at(handed, seconds) for seconds in (0, 5, 19, 100)] == [0, 1, 3, 1]


@pytest.mark.parametrize("method", [*by_optuna.METHODS, *ours.METHODS])
def test_methods_hand_over_what_is_best_after_the_time_it_takes(method, table):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    core = Core(table, seed=3, budget=60)
    with contextlib.suppress(Over):
        (by_optuna.METHODS | ours.METHODS)[method](core)
    assert core.handed[0] == (0.0, table.baseline)
    assert core.handed[-1][1] in (1, 2)
    assert time_to_quality(table, core.handed) >= 12  # after the baseline, which takes six
