"""The replay's core, on a tiny made-up table: what is nearest, the clock, and the time to quality."""

import contextlib
import math
import statistics

import numpy as np
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
        margin=0.005,
    )


@pytest.fixture
def seeded():
    """40 configurations of four seeds each, whose scores deviate by 0.01 from a smooth function."""
    random = np.random.default_rng(0)

    def scores(rate):
        return curve(*(0.9 - 0.1 * abs(math.log10(rate / 1e-3)) + random.normal(0, 0.01, 3)))

    rates = 10 ** np.linspace(-4, -2, 40)
    return Table(
        langid,
        [
            line(number, scores(rate), seed, learning_rate=float(rate))
            for number, rate in enumerate(rates)
            for seed in range(1, 5)
        ],
    )


def test_quality_follows_what_was_recorded_and_a_diverged_training_has_the_worst(table):
    first, best, deep, diverged = map(table.quality, table.configs)
    assert best > first and deep > diverged
    assert table.best == max(first, best, deep, diverged)
    assert table.is_good(table.best) and table.is_good(table.best - 0.0049)
    assert not table.is_good(table.best - 0.0051)


def test_margin_of_a_loss_is_a_number_of_doublings():
    config = tasks.baseline(regression)
    losses = Table(
        regression,
        [
            {"number": n, "config": config | {"layers": 1 + n, "seed": 1}, "curve": [[400, score, 1.0]]}
            for n, score in enumerate((4e-6, 8e-6, 9e-6))
        ],
        margin=1,
    )
    best = losses.score(losses.best)
    assert losses.is_good(losses.level(1.9 * best)) and not losses.is_good(losses.level(2.1 * best))


def test_table_of_several_seeds_knows_how_much_they_differ(seeded):
    assert len(seeded.configs) == 40
    assert seeded.seed_deviation == pytest.approx(0.01, rel=0.2)
    ends = [seeded.level(seeded.curve(BASELINE, seed)[-1].score) for seed in range(400)]
    assert statistics.stdev(ends) == pytest.approx(0.01, rel=0.35)
    assert statistics.fmean(ends) == pytest.approx(seeded.quality(BASELINE), abs=0.003)


def test_margin_exceeds_the_error_of_the_table(seeded):
    assert seeded.margin == 2 * seeded.error
    wrong = [
        seeded.quality(each) - 0.9 + 0.1 * abs(math.log10(each["learning_rate"] / 1e-3))
        for each in seeded.configs
    ]
    assert max(map(abs, wrong)) < 0.015  # the kink of the function included
    assert seeded.error < 0.01


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


def test_best_of_three_is_confirmed_after_nine_trainings(table):
    core = Core(table, seed=0, budget=100)
    bad, good, deep = (table.configs[number] for number in (0, 1, 2))
    core.spend(10)
    core.hand_over_best([bad, good, deep, table.configs[3]])
    until = 10 + 3 * sum(map(table.seconds, (bad, good, deep)))
    assert core.handed[1] == (10, table.quality(bad))
    assert core.confirmed[1][0] == pytest.approx(until)
    assert core.confirmed[1][1] >= min(map(table.quality, (good, deep)))
    assert len(core.confirmed) == 2


def test_later_answer_that_is_confirmed_sooner_replaces_the_one_before(table):
    core = Core(table, seed=0, budget=100)
    slow, fast = table.configs[:3], table.configs[1:2]
    core.hand_over_best(slow)
    core.spend(1)
    core.hand_over_best(fast)
    core.spend(1)
    core.hand_over_best(slow)
    times = [seconds for seconds, _ in core.confirmed]
    assert times == sorted(times)
    assert times[1] == pytest.approx(1 + 3 * table.seconds(fast[0]))


def test_answer_that_cannot_be_confirmed_in_time_is_none(table):
    core = Core(table, seed=0, budget=20)
    core.hand_over_best(table.configs[:3])
    assert len(core.handed) == 2 and len(core.confirmed) == 1


@pytest.mark.parametrize("method", [*by_optuna.METHODS, *ours.METHODS])
def test_methods_hand_over_what_is_best_after_the_time_it_takes(method, table):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    core = Core(table, seed=3, budget=60)
    with contextlib.suppress(Over):
        (by_optuna.METHODS | ours.METHODS)[method](core)
    first, *later = core.confirmed
    assert first == (0.0, table.quality(tasks.baseline(langid)))
    assert later and later[0][0] > 0 and later[-1][1] >= first[1]
