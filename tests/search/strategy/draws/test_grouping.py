"""How much configurations gain that train together, as far as it was measured."""

import pytest

from search.strategy.draws.grouping import Gains

WIDE = {"width": 200, "batch": 64, "kind": "gru", "learning_rate": 1e-3}


@pytest.fixture
def gains():
    known = Gains()
    known.take(0, WIDE, 3.0)
    return known


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"learning_rate": 0.1}, 3.0),
        ({"width": 100}, 3.0),
        ({"width": 100, "batch": 16}, 3.0),
        ({"width": 201}, 1.0),
        ({"width": 100, "batch": 65}, 1.0),
        ({"kind": "lstm"}, 1.0),
        ({"more": 1}, 1.0),
    ],
)
def test_draw_gains_what_one_that_is_nowhere_smaller_gained(gains, change, expected):
    assert gains.of_draws(WIDE | change) == expected


def test_of_several_measurements_the_best_that_holds_for_a_draw_counts(gains):
    gains.take(1, WIDE | {"width": 400}, 2.0)
    assert gains.of_draws(WIDE | {"width": 300}) == 2.0
    assert gains.of_draws(WIDE) == 3.0


def test_what_was_lost_together_stays_apart_and_so_does_what_is_larger(gains):
    gains.take(1, WIDE | {"width": 100}, 1.0)
    assert [gains.of_draws(WIDE | {"width": width}) for width in (80, 100, 200)] == [3.0, 1.0, 1.0]


def test_least_measurement_of_a_configuration_counts(gains):
    for gain in (2.0, 4.0):
        gains.take(0, WIDE, gain)
    assert gains.of_seeds(0) == gains.of_draws(WIDE) == 2.0
    assert gains.of_seeds(1) == 1.0
