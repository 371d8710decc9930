"""The winner is the best of those that were trained again, and not the luckiest."""

import random
import statistics
from types import SimpleNamespace

import pytest
from proposals import fixed
from scipy import stats
from stores import here

from search.coordinator import confirm, evaluate_on_test, search
from search.errors import NoWinner, StudyConflict, TrialbookError
from search.executors.inline import Inline
from search.strategy import winner
from search.strategy.strategy import Strategy
from search.strategy.winner import Candidate
from search.study.opening import open_study
from search.study.stored import StoredStudy


def standing(number, scores, weights=100, seconds=1.0, first=0.9, sign=1, unsound=""):
    """A configuration that was trained again."""
    trial = SimpleNamespace(number=number, score=first, size=weights)
    return Candidate(trial, tuple(scores), seconds, sign, unsound=unsound)


def test_the_simplest_within_one_standard_error_of_the_best_mean_wins():
    few = winner.judged(
        [
            standing(0, [0.90, 0.92, 0.91], weights=300),
            standing(1, [0.89, 0.92, 0.90], weights=200),
            standing(2, [0.88, 0.90, 0.89], weights=100),
        ]
    )
    assert [round(each.mean, 3) for each in few] == [0.91, 0.903, 0.89]
    assert few[0].standard_error == pytest.approx((1.3e-3 / 9 / 3) ** 0.5)  # pooled
    assert winner.simplest(few).trial.number == 1


def test_of_equally_simple_ones_the_faster_wins_and_lower_scores_may_be_better():
    few = [standing(0, [0.5, 0.7], seconds=3, sign=-1), standing(1, [0.5, 0.7], seconds=2, sign=-1)]
    assert winner.simplest(winner.judged([*few, standing(2, [0.9, 1.1], 1, sign=-1)])).trial.number == 1


def test_losses_of_other_magnitudes_do_not_blur_the_best():
    few = winner.judged(
        [
            standing(0, [2e-6, 3e-6, 2e-6], sign=-1),
            standing(1, [4e-2, 5e-2], sign=-1),
            standing(2, [], sign=-1),
        ]
    )
    assert few[0].standard_error == pytest.approx(2.852e-7, rel=1e-3) and few[1].behind
    assert not winner.judged([standing(0, [0.0, 1.0], sign=-1)])[0].relative  # no logarithm of nothing
    assert winner.chance(few[:2], few[0], 1e-4) > 0.999 and winner.chance(few[:2], few[0], -1) == 0


def test_what_breaks_on_a_fresh_seed_does_not_win():
    few = [standing(0, [0.9, 0.9], unsound="diverged on a fresh seed"), standing(1, [0.5, 0.6])]
    assert winner.simplest(winner.judged(few)).trial.number == 1
    assert winner.simplest(winner.judged(few[:1])) is None


def test_one_that_is_clearly_worse_is_not_trained_any_more():
    few = winner.judged([standing(0, [0.9, 0.91]), standing(1, [0.5, 0.51]), standing(2, [0.9, 0.9])])
    assert [each.behind for each in few] == [False, True, False]
    begun = {0: {1, 2}, 1: {1, 2}, 2: {1, 2}}
    turns = []
    while turn := winner.following(few, begun, 4):
        begun[turn[0].number].add(turn[1])
        turns.append((turn[0].number, turn[1]))
    assert turns == [(0, 3), (2, 3), (0, 4), (2, 4)]


def simulated(chance, spread=1.0, trials=30, repeats=5):
    """A study of configurations whose true means are known: those of the best, the winner, the best score."""
    truth = [chance.gauss(0, spread) for _ in range(trials)]
    tried = [
        SimpleNamespace(number=n, score=mean + chance.gauss(0, 1), size=chance.random())
        for n, mean in enumerate(truth)
    ]
    tried.sort(key=lambda trial: -trial.score)
    close = [trial for trial in tried if tried[0].score - trial.score <= 2**0.5]
    few = tried[: min(max(winner.MIN_FINALISTS, len(close)), winner.MAX_FINALISTS)]
    scores, begun = {trial.number: [] for trial in few}, {trial.number: set() for trial in few}

    def standings():
        return winner.judged([Candidate(trial, tuple(scores[trial.number]), 1, 1) for trial in few])

    while turn := winner.following(standings(), begun, repeats):
        trial, repeat = turn
        begun[trial.number].add(repeat)
        scores[trial.number].append(truth[trial.number] + chance.gauss(0, 1))
    return max(truth), truth[winner.simplest(standings()).trial.number], truth[tried[0].number]


@pytest.mark.thorough
def test_over_1000_simulated_studies_the_winner_is_near_the_best_more_often_than_the_best_score(capsys):
    shares = {}
    for spread in (0.5, 1.0, 2.0):  # of true means, in standard deviations of the noise of a seed
        chance, near, lucky = random.Random(0), [], []
        for _ in range(1000):
            best, won, first = simulated(chance, spread)
            near.append(best - won <= 5**-0.5)  # within a standard error of a mean of five
            lucky.append(best - first <= 5**-0.5)
        shares[spread] = statistics.fmean(near), statistics.fmean(lucky)
    with capsys.disabled():
        print("\nwithin one standard error of the true best, of 1,000 simulated studies:")
        for spread, (confirmed, first) in shares.items():
            print(
                f"  true means spread {spread} x noise: winner {confirmed:.1%}, best single score {first:.1%}"
            )
    assert all(confirmed > first + 0.1 for confirmed, first in shares.values())


@pytest.fixture
def confirmed(searched):
    confirm(searched, Inline(searched), replicates=2)
    return searched


def test_a_study_that_was_not_confirmed_names_its_best_score(searched):
    standing = winner.choose(searched)
    assert standing.trial == searched.best() and not standing.confirmed


def test_a_repeat_that_is_crossed_out_is_made_again(confirmed):
    assert winner.next_replicate(confirmed, 2) is None
    repeat = next(trial for trial in confirmed.trials() if trial.replicate_of == confirmed.best().number)
    confirmed.void("void", [repeat.number], "a bug")
    assert winner.next_replicate(confirmed, 2) == (confirmed.best(), repeat.replicate)


def test_equal_configurations_are_one_candidate(bowl):
    with open_study(here(), bowl) as study:
        for _ in range(3):
            first = Strategy(study).ask()
            study.tell(first.number, "completed", "told so", (0.5, 0.01))
            again = study.start(fixed(first.params, 99))
            study.tell(again.number, "completed", "told so", (0.4, 0.01))
        assert len(winner.finalists(study)) == 3


def test_the_test_data_are_opened_for_a_confirmed_winner_and_looks_are_counted(searched):
    with pytest.raises(NoWinner, match="unconfirmed: its test data stay closed"):
        evaluate_on_test(searched, winner.choose(searched))
    assert searched.test_evaluations() == []
    confirm(searched, Inline(searched), replicates=2)
    won = winner.choose(searched)
    for count in (1, 2):
        assert evaluate_on_test(searched, won) == (won.trial.score, 0.001, count)
    looks = StoredStudy.read(here(), "searched").test_evaluations()
    assert [look["trial"] for look in looks] == [won.trial.number] * 2
    assert looks[0]["score"] == won.trial.score and looks[0]["time"]


def test_a_winner_whose_code_changed_since_opens_no_test_data(confirmed, monkeypatch):
    monkeypatch.setattr("search.frozen_script.source_code.Sources.digest", lambda self: "0" * 12)
    with pytest.raises(StudyConflict, match="the code of task 'bowl' changed since trial"):
        evaluate_on_test(confirmed, winner.choose(confirmed))
    assert confirmed.test_evaluations() == []


def test_a_winner_that_does_not_train_as_it_did_opens_no_test_data(confirmed, monkeypatch):
    monkeypatch.setattr(confirmed.task, "score", lambda model, split: (9.0, 0.1))
    with pytest.raises(TrialbookError, match="trained again 9"):
        evaluate_on_test(confirmed, winner.choose(confirmed))
    assert confirmed.test_evaluations() == []


def test_the_cheapest_that_clears_a_bar(monkeypatch):
    few = winner.judged(
        [
            standing(0, [0.90, 0.91, 0.92], seconds=9),
            standing(1, [0.88, 0.89, 0.90], seconds=3),
            standing(2, [0.80, 0.81, 0.82], seconds=1),
        ]
    )
    monkeypatch.setattr(winner, "candidates", lambda study: few)
    study = SimpleNamespace(name="s")
    assert winner.cheapest(study, 0.70).trial.number == 2
    assert winner.cheapest(study, 0.86).trial.number == 1
    assert winner.cheapest(study, 0.88).trial.number == 0
    with pytest.raises(NoWinner, match=r"clears 0.91 with 95%: trial 0 \(mean 0.91\) does with 50%"):
        winner.cheapest(study, 0.91)
    # One more score of sd 0.01 around a mean that is known to 0.01 / sqrt(3).
    assert winner.chance(few, few[1], 0.88) == pytest.approx(stats.t.cdf(1 / (1 + 1 / 3) ** 0.5, df=6))


def test_with_a_bar_the_cheapest_that_clear_it_are_trained_again_too(searched):
    best = winner.finalists(searched)
    clear = [trial for trial in searched.completed() if trial.score <= 0.4]
    more = winner.finalists(searched, 0.4)
    assert more[: len(best)] == best and {t.number for t in more} <= {t.number for t in best + clear}
    assert min(clear, key=lambda trial: trial.seconds) in more
    confirm(searched, Inline(searched), replicates=2, threshold=0.4)
    assert {each.trial.number for each in winner.candidates(searched)} == {trial.number for trial in more}


def test_no_bar_without_repeats(searched):
    with pytest.raises(NoWinner, match="has no confirmed configuration"):
        winner.cheapest(searched, 0.5)


def test_search_and_confirm_find_the_bottom_of_the_bowl(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=40)
        confirm(study, Inline(study), replicates=3)
        assert winner.choose(study).mean < 0.05
