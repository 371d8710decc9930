"""Successive halving whose trials pause."""

import random

import pytest

from search.strategy.halving import MAX_PAUSED, MIN_OBSERVATIONS, REDUCTION_FACTOR, SuccessiveHalving


@pytest.fixture
def rungs():
    """SuccessiveHalving at epochs 1, 2 and 5 of 20."""
    return SuccessiveHalving(20)


def arrive(rungs, numbers, epoch=1, before=0):
    """Trials come to a rung and wait there; one of a higher number is better."""
    for number in numbers:
        assert rungs.report(number, before, epoch, float(number))
        rungs.pause(number)


@pytest.mark.parametrize(
    "epochs, ends",
    [(1, []), (2, [1]), (3, [1]), (6, [1, 2]), (8, [1, 2]), (20, [1, 2, 5]), (400, [20, 40, 100])],
)
def test_trials_pause_early_in_a_training(epochs, ends):
    assert SuccessiveHalving(epochs).ends == ends


def test_no_trial_pauses_while_the_rate_rises():
    assert SuccessiveHalving(20, warm_up=1).ends == [2, 5]
    assert SuccessiveHalving(10, warm_up=3).ends == [4]
    assert SuccessiveHalving(4, warm_up=3).ends == []


def test_a_rung_is_reached_once_and_by_the_first_report_from_there_on():
    rungs = SuccessiveHalving(400)  # of which every 50th is reported
    assert [rungs.report(0, before, before + 50, 0.0) for before in range(0, 400, 50)] == [
        True,  # 20 and 40
        True,  # 100
    ] + [False] * 6


def test_one_in_so_many_goes_on_the_best_first(rungs):
    arrive(rungs, range(REDUCTION_FACTOR - 1))
    assert rungs.next_promotion() is None
    arrive(rungs, range(REDUCTION_FACTOR - 1, 3 * REDUCTION_FACTOR))
    went = []
    while (number := rungs.next_promotion()) is not None:
        rungs.resume(number)
        went.append(number)
    assert went == [11, 10, 9]


def test_who_goes_on_is_who_the_order_of_all_says(rungs):
    drawn, came = random.Random(0), {}
    for number in range(400):
        came[number] = -float(drawn.randrange(50))  # many are equally good
        rungs.report(number, 0, 1, -came[number])
        if drawn.random() < 0.5:
            rungs.pause(number)
        order = sorted(came, key=lambda each: (came[each], each))
        waiting = [each for each in order[: len(order) // REDUCTION_FACTOR] if each in rungs.paused]
        assert rungs.next_promotion() == next(iter(waiting), None)
        if waiting and drawn.random() < 0.5:
            rungs.resume(waiting[0])


def test_the_highest_rung_comes_first(rungs):
    arrive(rungs, range(4 * REDUCTION_FACTOR))
    for number in range(4):
        rungs.resume(number)
    arrive(rungs, range(4), epoch=2, before=1)
    assert rungs.next_promotion() == 3
    rungs.resume(3)
    assert rungs.next_promotion() == 4 * REDUCTION_FACTOR - 1


def test_who_waits_for_nothing_is_the_worst_of_many(rungs):
    arrive(rungs, range(MAX_PAUSED))
    assert rungs.overflow() is None
    arrive(rungs, [MAX_PAUSED])
    assert rungs.overflow() == 0
    rungs.resume(0)
    assert rungs.overflow() is None and rungs.paused == list(range(1, MAX_PAUSED + 1))


def test_where_one_must_go_on_it_is_the_best_of_those_that_got_farthest(rungs):
    assert rungs.best_paused() is None
    arrive(rungs, [5, 6, 7])
    rungs.resume(5)
    arrive(rungs, [5], epoch=2, before=1)
    assert rungs.best_paused() == 5
    rungs.resume(5)
    assert rungs.best_paused() == 7


def test_a_place_is_a_rank_at_the_last_rung(rungs):
    arrive(rungs, range(8))
    assert rungs.rank_at_rung(7) == (1, 8) and rungs.rank_at_rung(0) == (8, 8)
    rungs.resume(7)
    arrive(rungs, [7], epoch=2, before=1)
    assert rungs.rank_at_rung(7) == (1, 1)


def test_what_is_known_is_the_highest_rung_that_enough_trials_reached(rungs):
    for number in range(2 * MIN_OBSERVATIONS):
        rungs.report(number, 0, 1, float(number))
        if number < MIN_OBSERVATIONS:
            rungs.report(number, 1, 2, 10.0 + number)
    assert rungs.observations() == {number: 10.0 + number for number in range(MIN_OBSERVATIONS)}
    rungs.forget(0)
    assert rungs.observations() == {number: float(number) for number in range(1, 2 * MIN_OBSERVATIONS)}
