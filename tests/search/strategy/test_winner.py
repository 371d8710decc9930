"""The winner is the best of those that were trained on fresh seeds, and not the luckiest."""

import contextlib
import math
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from proposals import fixed
from scipy import stats
from stores import here

from search.coordinator import confirm, search
from search.errors import NoWinner
from search.executors.inline import Inline
from search.strategy import winner
from search.strategy.estimates.levels import Estimate, Scale
from search.strategy.estimates.posterior import Posterior
from search.strategy.strategy import Strategy
from search.strategy.winner import Candidate
from search.study.opening import open_study
from search.study.trial import TrialState


def candidate(
    number, mean, deviation=0.002, scores=(0.9, 0.9), weights=100, seconds=1.0, unsound="", **options
):
    """A configuration that was trained on fresh seeds, unless it has no scores."""
    trial = SimpleNamespace(number=number, score=mean, size=weights, standard_error=0.0)
    known = Estimate(mean, deviation, 0.003, 1 + len(scores))
    return Candidate(trial, tuple(scores), seconds, known, Scale(1, False), unsound=unsound, **options)


def test_the_smallest_whose_expected_loss_is_below_the_difference_wins():
    few = [
        candidate(0, 0.91, weights=300, loss=0.0002),
        candidate(1, 0.909, weights=200, loss=0.0008),
        candidate(2, 0.89, weights=100, loss=0.02),
    ]
    assert winner.simplest(few, 0.001).trial.number == 1
    assert winner.simplest(few, 0.0001).trial.number == 0  # no loss is so small: the smallest loss


def test_of_equals_of_one_size_the_one_that_trains_faster_wins():
    few = [candidate(0, 0.9, seconds=3.0), candidate(1, 0.9, seconds=2.0)]
    assert winner.simplest(few, 0.001).trial.number == 1


def test_what_has_too_few_fresh_seeds_or_fails_on_one_does_not_win():
    assert winner.simplest([candidate(0, 0.95, scores=(0.95,)), candidate(1, 0.9)], 0.001).trial.number == 1
    assert winner.simplest([candidate(0, 0.9, unsound="failed on a fresh seed (trial 7)")], 0.001) is None


def test_a_worse_and_smaller_network_does_not_win_because_another_is_unstable(write_scores):
    study = write_scores({0: (0.910, 0.9107, 0.9093), 1: (0.900, 0.9007, 0.8993), 2: (0.85, 0.5, 0.95)})
    assert winner.choose(study).trial.number == 0
    by_number = {each.trial.number: each for each in winner.candidates(study)}
    assert by_number[1].behind and by_number[0].standard_error < 0.002 < by_number[2].standard_error


def test_of_five_equal_configurations_hardly_one_is_called_behind():
    chance, behind = random.Random(0), 0
    for _ in range(100):
        posterior = Posterior(1, "validation_height")
        for number in range(5):
            for replicate in (None, 1, 2, 3):
                posterior.observe(
                    trained(5 * (replicate or 0) + number, number, replicate, chance.gauss(0.9, 0.003))
                )
        few = [replace(candidate(number, 0.9), known=posterior.estimate(number)) for number in range(5)]
        behind += any(each.behind for each in winner._judged(few))
    assert behind <= 10


def trained(trial, number, replicate, score):
    """A completed trial of a configuration."""
    return SimpleNamespace(
        number=trial, state=TrialState.COMPLETED, void=None, params={"x": number}, standard_error=0.003,
        replicate_of=None if replicate is None else number, replicate=replicate, score=score, curve=[],
        epochs=1,
    )  # fmt: skip


@pytest.fixture
def write_scores(bowl, monkeypatch):
    """A function that makes a study of configurations from their scores: the first, then on fresh seeds.

    A higher score is better.
    """
    monkeypatch.setattr(bowl, "DIRECTION", "maximize")
    with contextlib.ExitStack() as stack:

        def write(scores):
            study = stack.enter_context(open_study(here(), bowl))
            strategy = Strategy(study)
            trials = []
            for number, (first, *_) in scores.items():
                trials.append(study.start(fixed({"x": number / 10, "y": 0}, number)))
                study.tell(trials[-1].number, TrialState.COMPLETED, "by hand", (first, 0.001))
            for trial, (_, *fresh) in zip(trials, scores.values(), strict=True):
                for replicate, score in enumerate(fresh, 1):
                    again = strategy.replicate(trial, replicate)
                    study.tell(again.number, TrialState.COMPLETED, "by hand", (score, 0.001))
            return study

        yield write


def test_a_study_that_was_not_confirmed_names_its_best_score(searched):
    standing = winner.choose(searched)
    assert standing.trial == searched.best() and not standing.confirmed


def test_a_replicate_that_is_void_is_made_again(confirmed):
    won = winner.choose(confirmed)
    replicate = next(trial for trial in confirmed.trials() if trial.replicate_of == won.trial.number)
    confirmed.void("void", [replicate.number], "a bug")
    assert len(winner.choose(confirmed).scores) < len(won.scores) or not winner.choose(confirmed).confirmed
    confirm(confirmed, Inline(confirmed), replicates=2)
    again = [trial for trial in confirmed.trials() if trial.replicate == replicate.replicate]
    assert replicate.replicate_of in {trial.replicate_of for trial in again if not trial.void}


def test_replicates_of_a_void_trial_count_for_nothing(confirmed):
    won = winner.choose(confirmed)
    confirmed.void("void", [won.trial.number], "a bug")
    assert won.trial.number not in {each.trial.number for each in winner.candidates(confirmed)}


def test_equal_configurations_are_one_candidate(bowl):
    with open_study(here(), bowl) as study:
        for _ in range(3):
            first = Strategy(study).ask()
            study.tell(first.number, "completed", "told so", (0.5, 0.01))
            again = study.start(fixed(first.params, 99))
            study.tell(again.number, "completed", "told so", (0.4, 0.01))
        few = winner.candidates(study)
        assert len(few) == 3 and {each.known.n_seeds for each in few} == {2}


def test_the_cheapest_that_reaches_a_threshold(monkeypatch):
    few = [
        candidate(0, 0.91, seconds=9.0),
        candidate(1, 0.89, seconds=3.0),
        candidate(2, 0.81, seconds=1.0),
        candidate(3, 0.95, seconds=0.5, scores=(0.95,)),
    ]
    monkeypatch.setattr(winner, "candidates", lambda study: few)
    study = SimpleNamespace(name="s")
    assert winner.cheapest(study, 0.70).trial.number == 2
    assert winner.cheapest(study, 0.86).trial.number == 1
    assert winner.cheapest(study, 0.90).trial.number == 0
    with pytest.raises(NoWinner, match=r"clears 0.91 with 95%: trial 0 \(mean 0.91\) does with 50%"):
        winner.cheapest(study, 0.91)


def test_the_margin_of_a_threshold_includes_the_choice_of_the_validation_data():
    known, scale = Estimate(0.90, 0.003, 0.004, 3), Scale(1, False)
    assert winner.chance(known, scale, 0.89, 0.0) == pytest.approx(stats.norm.cdf(2.0))
    assert winner.chance(known, scale, 0.89, 0.012) == pytest.approx(stats.norm.cdf(10 / 13))
    losses = Estimate(-math.log(1e-6), 0.1, 0.2, 3)
    assert winner.chance(losses, Scale(-1, True), 1e-4, 0.0) > 0.999
    assert winner.chance(losses, Scale(-1, True), -1.0, 0.0) == 0.0


def test_with_a_threshold_the_cheapest_that_reach_it_are_trained_again(searched):
    clear = [trial for trial in searched.completed() if trial.score <= 0.4]
    confirm(searched, Inline(searched), replicates=2, threshold=0.4)
    cheapest = min(clear, key=lambda trial: (trial.seconds, trial.number))
    assert cheapest.number in {trial.replicate_of for trial in searched.trials()}


def test_no_bar_without_repeats(searched):
    with pytest.raises(NoWinner, match="has no confirmed configuration"):
        winner.cheapest(searched, 0.5)


def test_search_and_confirm_find_the_bottom_of_the_bowl(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=40)
        confirm(study, Inline(study), replicates=3)
        assert winner.choose(study).mean < 0.05
