"""Where an unfinished training will end."""

import numpy as np
import pytest

from search.strategy.estimates.levels import MIN_PAIRS, Line, Pair


def predicted(line, level):
    means, deviations = line.predict(np.array([level]))
    return float(means[0]), float(deviations[0])


def test_a_single_training_shows_its_gain():
    line = Line.fit([Pair(0.7, 0.9, 0.0)], 0.0)
    assert predicted(line, 0.7)[0] == pytest.approx(0.9)
    assert 0.01 < predicted(line, 0.7)[1] < 0.05  # a tenth of the gain, and more as it is only one


def test_trainings_on_a_line_are_continued_along_it():
    pairs = [Pair(level, 0.8 + 0.3 * (level - 0.7), 0.0) for level in np.linspace(0.7, 0.8, 30)]
    line = Line.fit(pairs, 0.0)
    assert predicted(line, 0.79)[0] == pytest.approx(0.827, abs=0.001)
    assert predicted(line, 0.79)[1] < 0.005


def test_what_ends_far_below_the_line_makes_nothing_more_likely_above_it():
    chance = np.random.default_rng(0)
    levels = np.linspace(0.7, 0.8, 40)
    finals = 0.9 + 0.001 * chance.standard_normal(40)
    sunk = np.where(np.arange(40) % 8 == 0, finals - 0.05, finals)
    line = Line.fit([Pair(*each, 0.0) for each in zip(levels, sunk, strict=True)], 0.0)
    scatter = np.std(sunk)
    assert predicted(line, 0.75)[1] < 0.75 * scatter


def test_the_noise_of_a_seed_is_no_uncertainty_of_a_mean():
    chance = np.random.default_rng(1)
    pairs = [Pair(0.7, 0.9 + 0.01 * noise, 0.0) for noise in chance.standard_normal(60)]
    with_noise, without = Line.fit(pairs, 0.0), Line.fit(pairs, 0.01**2)
    assert without.deviation < 0.6 * with_noise.deviation


def test_below_all_that_is_known_it_is_less_sure():
    line = Line.fit([Pair(0.7 + 0.01 * n, 0.9, 0.0) for n in range(MIN_PAIRS)], 0.0)
    (at, known), (below, unknown) = predicted(line, 0.7), predicted(line, 0.5)
    assert below == pytest.approx(at - 0.2, abs=0.01) and unknown > 4 * known
