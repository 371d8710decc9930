"""Which trials say something, and how they rank."""

import pytest
from stores import here

from objectives import regression
from search.reports import evidence
from search.strategy.strategy import Strategy
from search.study.opening import open_study


def test_a_trial_that_was_pruned_is_ranked_by_the_last_epoch_that_both_reached(tell):
    with open_study(here(), regression, "told") as study:
        curve = lambda *values: [{"validation_mse": value} for value in values]  # noqa: E731
        tell(study, 0.3, curve=curve(0.9, 0.6, 0.3))
        tell(study, 0.2, curve=curve(0.9, 0.7, 0.2))
        tell(study, state="pruned", curve=curve(0.95, 0.65))  # better than 1 was then, worse than 0
        tell(study, state="pruned", curve=curve(0.99))
        tell(study, state="diverged", curve=curve(0.1))
        assert evidence.ranked(study, evidence.tried(study)) == [2, 2, 2, 4, 5]
        # 0 beats 2, 3 and 4; 1 beats 0, 3 and 4; 2 beats 1, 3 and 4.


def test_replicates_and_void_trials_are_no_evidence(searched):
    replicate = Strategy(searched).replicate(searched.best(), 1)
    searched.tell(replicate.number, "completed", "told so", (0.0, 0.001))
    searched.void("void", [0, 1], "a bug")
    assert {trial.number for trial in evidence.tried(searched)} == set(range(2, 12))


@pytest.mark.integration
def test_the_best_quarter_has_at_least_five_trials(tell):
    with open_study(here(), regression, "told") as study:
        for number in range(24):
            tell(study, 1 - number / 100)
            few = [trial.number for trial in evidence.best_quarter(study)]
            assert few == list(range(number, -1, -1))[: max(5, -(-(number + 1) // 4))]


def test_shares_as_people_say_them():
    assert [evidence.percent(share) for share in (0, 0.0004, 0.012, 0.3)] == [
        "less than 0.1%",
        "less than 0.1%",
        "1.2%",
        "30%",
    ]
