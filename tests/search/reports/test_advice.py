"""What to do next, recomputed from hand-told trials."""

import math

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from stores import here

from objectives import regression
from search.coordinator import confirm
from search.executors.inline import Inline
from search.reports.evidence import Evidence
from search.reports.sentences import advice
from search.strategy import winner
from search.study.opening import open_study

STEADY = [0.5 + number / 100 for number in range(12)]  # scores of a study that finds nothing


def said(study, about):
    """What is said about something: one text, or None."""
    found = advice.advice(Evidence(study), winner.choose(study) if study.completed() else None)
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
        tell(
            study,
            0.1 + number / 100,
            layers=3 if number in (0, 1, 3, 9) else 2,
            learning_rate=(number + 1) / 2000,
        )
    text = "the winner's 3 is on the upper edge of 1 to 3, as in 3 of the best 5 trials: widen the range"
    assert text in said(study, "layers")
    assert said(study, "hidden_size") is None


@pytest.mark.integration
def test_a_value_that_is_never_among_the_best_is_told_where_chance_is_no_excuse(study, tell):
    for number in range(24):
        size = 100 if number >= 15 else [20, 25, 40, 50][number % 4]
        tell(study, 0.1 + number / 100, batch_size=size, learning_rate=(number + 1) / 5000)
    chance = math.comb(15, 6) / math.comb(24, 6)  # that none of the best 6 of 24 is among these 9
    found = [s.text for s in advice.advice(Evidence(study), winner.choose(study)) if s.about == "batch_size"]
    assert len(found) == 1 and found[0].startswith(
        "100 was tried 9 times and never is among the best 6 of 24"
    )
    assert f"chance alone does that in {chance:.1%}" in found[0]


def test_what_share_diverged_and_from_which_learning_rate(study, tell):
    for _ in range(10):
        tell(study, 0.5, learning_rate=0.001)
    assert said(study, "diverged") == "none of 10 trainings."
    for number in range(6):
        rate = 0.009 + number / 10_000
        tell(
            study, 0.5 if number % 2 else None, "completed" if number % 2 else "diverged", learning_rate=rate
        )
    tell(study, state="diverged", learning_rate=0.004, layers=3)
    shallow = "layers 1: 3 of 6 with a learning_rate of at least 0.009, none of 10 below it"
    deep = "layers 3: 1 of 1 with a learning_rate of at least 0.004, none tried below it."
    assert said(study, "diverged") == f"4 of 17 trainings (24%); {shallow}; {deep}"


def test_advice_a_network_that_failed_on_two_seeds_is_the_wrong_architecture(study, tell):
    for number in range(3):
        tell(study, 0.5 + number / 100, learning_rate=0.001 + number / 1000)
    tell(study, state="diverged", learning_rate=0.002, layers=3)
    assert said(study, "architecture") is None  # once may be chance, or the rate
    assert "layers 3: 1 of 1 with a learning_rate of at least 0.002" in said(study, "diverged")
    tell(study, state="diverged", learning_rate=0.002, layers=3)
    text = "failed on 2 seeds (trials 3, 4): it is the wrong one, try another."
    assert said(study, "architecture").endswith(text) and "layers 3" in said(study, "architecture")
    assert said(study, "diverged") == "2 of 5 trainings (40%)."


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
            STEADY[:4] + [0.2] + STEADY[:7],
            "of 12 trials 4 came before the best and 7 after. The last third brought nothing",
        ),
        (
            STEADY[:10] + [0.2, 0.5],
            "10 came before the best and 1 after. The last third brought a factor of",
        ),
        (STEADY[:10] + [0.499, 0.6], "no difference, as it is below"),
    ],
)
def test_whether_the_budget_was_enough(study, tell, scores, expected):
    for number, score in enumerate(scores):
        tell(study, score, learning_rate=(number + 1) / 2000)
    assert expected in said(study, "budget")
    assert ("TRIALS=24" in said(study, "budget")) == ("a factor of" in expected)


def test_advice_counts_the_configurations_within_the_meaningful_difference(study, tell, monkeypatch):
    monkeypatch.setattr(study.task, "MEANINGFUL_DIFFERENCE", 0.025)
    for number, score in enumerate((0.2, 0.2002, 0.202, 0.3, 0.31)):
        tell(study, score, learning_rate=(number + 1) / 1000)
    known = Evidence(study)
    best, *others = known.finished
    close = sum(best.level - other.level <= known.difference for other in others)
    assert close == 2
    text = f"2 of the other 4 finished configurations are within {known.gap(known.difference)} of the best"
    assert said(study, "as good").startswith(text)


def test_what_fresh_seeds_said_of_the_winner(searched):
    assert "CONFIRM=5" in said(searched, "optimism")
    confirm(searched, Inline(searched), replicates=2)
    won = winner.choose(searched)
    assert f"with 2 fresh seeds {won.mean:.4g} ±" in said(searched, "optimism")


def test_a_study_without_trials_has_no_advice_but_more(study):
    assert [sentence.about for sentence in advice.advice(Evidence(study))] == ["budget"]
