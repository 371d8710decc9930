"""A configuration that was trained on fresh seeds, in words."""

from dataclasses import replace

import pytest

from search.strategy import describe
from search.strategy.winner import Candidate


@pytest.fixture
def standing(searched):
    """A confirmed configuration: its first score was 0.5, and its mean is 0.6."""
    trial = replace(searched.best(), score=0.5)
    return Candidate(trial=trial, scores=(0.58, 0.62), seconds=1.0, sign=-1, standard_error=0.02)


@pytest.mark.parametrize(
    "sign, metric, error, expected",
    [
        (-1, "height", 0.02, "optimistic by 0.1"),
        (1, "height", 0.02, "pessimistic by 0.1"),
        (1, "accuracy", 0.02, "pessimistic by 10 points"),
        (-1, "height", 0.2, "as good as the mean, to 0.1"),
    ],
)
def test_optimism_names_the_direction_where_it_is_more_than_the_error(
    searched, standing, sign, metric, error, expected
):
    standing = replace(standing, sign=sign, standard_error=error)
    assert describe.optimism(standing, replace(searched.description, metric=metric)) == expected


def test_score_line_has_the_mean_the_seeds_and_the_first_score(searched, standing):
    number = standing.trial.number
    assert describe.score_line(standing, searched.description) == (
        f"height 0.6 ± 0.02 (trial {number}, mean of 2 fresh seeds; first score 0.5, optimistic by 0.1)"
    )
