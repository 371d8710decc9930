"""A configuration that was trained on fresh seeds, in words."""

from dataclasses import replace

import pytest

from search.strategy import explain
from search.strategy.estimates.levels import Estimate, Scale
from search.strategy.winner import Candidate


@pytest.fixture
def candidate(searched):
    """A confirmed configuration: its first score was 0.5, and its estimate is 0.6 ± 0.02."""
    trial = replace(searched.best(), score=0.5)
    known = Estimate(mean=0.6, deviation=0.02, seed_deviation=0.03, n_seeds=3)
    return Candidate(trial=trial, scores=(0.58, 0.62), seconds=1.0, known=known, scale=Scale(1, False))


def lower_is_better(candidate):
    """The same scores, of which the lower is the better."""
    known = replace(candidate.known, mean=-candidate.known.mean)
    return replace(candidate, known=known, scale=Scale(-1, False))


@pytest.mark.parametrize(
    "sign, metric, error, expected",
    [
        (-1, "height", 0.02, "optimistic by 0.1"),
        (1, "height", 0.02, "pessimistic by 0.1"),
        (1, "accuracy", 0.02, "pessimistic by 10 points"),
        (-1, "height", 0.2, "as good as the estimate, to 0.1"),
    ],
)
def test_optimism_names_the_direction_where_it_is_more_than_the_error(
    searched, candidate, sign, metric, error, expected
):
    candidate = replace(candidate, known=replace(candidate.known, deviation=error))
    candidate = candidate if sign > 0 else lower_is_better(candidate)
    assert explain.optimism(candidate, replace(searched.description, metric=metric)) == expected


def test_score_line_has_the_estimate_the_seeds_and_the_first_score(searched, candidate):
    number = candidate.trial.number
    assert explain.score_line(lower_is_better(candidate), searched.description) == (
        f"height 0.6 ± 0.02 (trial {number}, 3 seeds; first score 0.5, optimistic by 0.1)"
    )
