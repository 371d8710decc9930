"""Which trials say something, and how they rank."""

import pytest
from stores import here

from objectives import langid, regression
from search.reports import evidence
from search.reports.evidence import Evidence
from search.strategy.estimates.posterior import Posterior
from search.strategy.strategy import Strategy
from search.study.opening import open_study


def test_evidence_of_unfinished_trials_is_the_estimate_of_the_posterior(tell):
    with open_study(here(), regression, "told") as study:
        curve = lambda *values: [{"validation_mse": value} for value in values]  # noqa: E731
        for number in range(4):
            end = 0.2 + number / 10
            tell(study, end, curve=curve(3 * end, 2 * end, end), learning_rate=(number + 1) / 1000)
        tell(study, state="pruned", curve=curve(0.7), layers=2)
        tell(study, state="pruned", curve=curve(1.4, 0.9), layers=2)
        tell(study, state="diverged", curve=curve(0.1), layers=3)
        tell(study, state="failed", layers=3)
        known, posterior = Evidence(study), Posterior.of(study)
    assert [point.trial.number for point in known.points] == list(range(7))
    assert [point.state for point in known.points] == ["finished"] * 4 + ["unfinished"] * 2 + ["diverged"]
    for point in known.estimated:
        estimate = posterior.estimate(point.trial.number)
        assert (point.level, point.deviation) == (estimate.mean, estimate.deviation)
    assert known.ranks[6] == 7 and known.ranks[0] < known.ranks[4] < known.ranks[5]
    finished, unfinished = known.weights([known.points[0], known.points[4]])
    assert unfinished < finished


def test_evidence_of_a_configuration_that_was_tried_twice_is_one_point(tell):
    with open_study(here(), regression, "told") as study:
        tell(study, 0.2)
        tell(study, 0.3)
        (point,) = Evidence(study).points
    assert point.n_seeds == 2 and point.trial.number == 0


def test_replicates_and_void_trials_are_no_evidence(searched):
    replicate = Strategy(searched).replicate(searched.best(), 1)
    searched.tell(replicate.number, "completed", "told so", (0.0, 0.001))
    searched.void("void", [0, 1], "a bug")
    assert {point.trial.number for point in Evidence(searched).points} == set(range(2, 12))


@pytest.mark.integration
def test_the_best_quarter_has_at_least_five_trials(tell):
    with open_study(here(), regression, "told") as study:
        for number in range(24):
            tell(study, 1 - number / 100, learning_rate=(number + 1) / 5000)
            few = [point.trial.number for point in Evidence(study).best_quarter]
            assert few == list(range(number, -1, -1))[: max(5, -(-(number + 1) // 4))]


@pytest.mark.parametrize(
    "relative, size, error, expected",
    [
        (False, 0.009, 0.002, "0.9 ± 0.2 points"),
        (False, -0.009, None, "0.9 points"),
        (True, 0.1, 0.02, "11% ± 2%"),
        (True, 0.7, 0.1, "a factor of 2 ×÷ 1.1"),
    ],
)
def test_gap_is_told_in_the_unit_of_the_task_with_its_error(tell, relative, size, error, expected):
    with open_study(here(), regression if relative else langid, "told") as study:
        assert Evidence(study).gap(size, error) == expected


def test_shares_as_people_say_them():
    assert [evidence.percent(share) for share in (0, 0.0004, 0.012, 0.3)] == [
        "less than 0.1%",
        "less than 0.1%",
        "1.2%",
        "30%",
    ]
