"""What to do next, recomputed from hand-told trials."""

import math

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from stores import here

from objectives import regression
from search.coordinator import confirm
from search.executors.inline import Inline
from search.reports import advice
from search.strategy import winner
from search.study.opening import open_study


def said(study, about):
    """What is said about something: one text, or None."""
    found = advice.advice(study, winner.choose(study) if study.completed() else None)
    texts = [sentence.text for sentence in found if sentence.about == about]
    assert len(texts) <= 1
    return texts[0] if texts else None


@pytest.fixture
def study():
    with open_study(here(), regression, "told") as study:
        yield study


@pytest.mark.parametrize(
    "ranges, value, expected",
    [
        (FloatDistribution(1e-4, 1e-2, log=True), 1.2e-4, "lower"),
        (FloatDistribution(1e-4, 1e-2, log=True), 1.3e-4, None),
        (FloatDistribution(0, 1), 0.95, "upper"),
        (FloatDistribution(0, 1), 0.94, None),
        (IntDistribution(100, 500, step=20), 500, "upper"),
        (IntDistribution(100, 500, step=20), 480, "upper"),
        (IntDistribution(100, 500, step=20), 460, None),
        (IntDistribution(1, 3), 3, "upper"),
        (IntDistribution(1, 3), 1, None),  # fewer than one cannot be
        (IntDistribution(2, 4), 2, "lower"),
        (IntDistribution(1, 2), 2, None),
        (FloatDistribution(0, 0), 0, None),
        (CategoricalDistribution([10, 25, 100]), 100, "upper"),
        (CategoricalDistribution([100, 25, 10]), 10, "lower"),
        (CategoricalDistribution([10, 25, 100]), 25, None),
        (CategoricalDistribution(["once", "never", "always"]), "once", None),
        (CategoricalDistribution([10, 100]), 100, None),
    ],
)
def test_what_is_on_the_edge_of_a_range(ranges, value, expected):
    assert advice.end(ranges, value) == expected


def test_a_winner_on_the_edge_is_told_with_how_many_of_the_best_are_there(study, tell):
    for number in range(12):
        tell(study, 0.1 + number / 100, layers=3 if number in (0, 1, 3, 9) else 2)
    text = "the winner's 3 is on the upper edge of 1 to 3, as in 3 of the best 5 trials: widen the range"
    assert text in said(study, "layers")
    assert said(study, "hidden_size") is None


@pytest.mark.integration
def test_a_value_that_is_never_among_the_best_is_told_where_chance_is_no_excuse(study, tell):
    for number in range(24):
        size = 100 if number >= 15 else [20, 25, 40, 50][number % 4]
        tell(study, 0.1 + number / 100, batch_size=size)
    chance = math.comb(15, 6) / math.comb(24, 6)  # that none of the best 6 of 24 is among these 9
    found = [s.text for s in advice.advice(study, winner.choose(study)) if s.about == "batch_size"]
    assert len(found) == 1 and found[0].startswith(
        "100 was tried 9 times and never is among the best 6 of 24"
    )
    assert f"chance alone does that in {chance:.1%}" in found[0]


def test_what_share_diverged_and_from_which_learning_rate(study, tell):
    for _ in range(10):
        tell(study, 0.5, learning_rate=0.001)
    assert said(study, "diverged") == "none of 10 trials."
    for number in range(6):
        tell(
            study, 0.5 if number % 2 else None, "completed" if number % 2 else "diverged", learning_rate=0.009
        )
    text = (
        "3 of 16 trials (19%), all with a learning_rate of at least 0.009, where 3 of 6 did; none of the 10"
    )
    assert said(study, "diverged").startswith(text)


def test_what_was_pruned_and_what_failed(study, tell):
    curve = [{"validation_mse": 1.0} for _ in range(100)]
    tell(study, 0.5)
    tell(study, state="pruned", curve=curve)  # 100 of 400 epochs
    tell(study, state="pruned", curve=curve * 2)
    tell(study, state="failed")
    assert said(study, "pruned") == "2 of 3 trials (67%), after 38% of their epochs on average."
    assert said(study, "failed") == "1 of 4 trials ended with an error; the last one: told so."


@pytest.mark.parametrize(
    "scores, expected",
    [
        (
            [0.5] * 4 + [0.2] + [0.5] * 7,
            "of 12 trials 4 came before the best score and 7 after. The last third brought nothing",
        ),
        (
            [0.5] * 10 + [0.2, 0.5],
            "10 came before the best score and 1 after. The last third brought 0.3 ± 0.014",
        ),
        ([0.5] * 10 + [0.495, 0.5], "no more than noise."),
    ],
)
def test_whether_the_budget_was_enough(study, tell, scores, expected):
    for score in scores:
        tell(study, score)
    assert expected in said(study, "budget")
    assert ("TRIALS=24" in said(study, "budget")) == ("0.3 ±" in expected)


def test_how_many_cannot_be_told_from_the_best(study, tell):
    for score in (0.2, 0.21, 0.214, 0.215, 0.3):
        tell(study, score)
    close = sum(score - 0.2 <= math.hypot(0.01, 0.01) for score in (0.21, 0.214, 0.215, 0.3))
    assert said(study, "noise").startswith(
        f"{close} more of 5 scores cannot be told from the best: they are within"
    )


def test_what_fresh_seeds_said_of_the_winner(searched):
    assert "CONFIRM=5" in said(searched, "optimism")
    confirm(searched, Inline(searched), replicates=2)
    won = winner.choose(searched)
    assert f"with 2 fresh seeds {won.mean:.4g} ±" in said(searched, "optimism")


def test_a_study_without_trials_has_no_advice_but_more(study):
    assert [sentence.about for sentence in advice.advice(study)] == ["budget"]
