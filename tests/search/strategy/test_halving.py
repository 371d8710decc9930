"""Successive halving whose trials pause."""

import random

import pytest

from search.strategy.halving import ENOUGH, FACTOR, WAITING, Rungs


@pytest.fixture
def rungs():
    """Rungs at epochs 1, 2 and 5 of 20."""
    return Rungs(20)


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
    assert Rungs(epochs).ends == ends


def test_a_rung_is_reached_once_and_by_the_first_report_from_there_on():
    rungs = Rungs(400)  # of which every 50th is reported
    assert [rungs.report(0, before, before + 50, 0.0) for before in range(0, 400, 50)] == [
        True,  # 20 and 40
        True,  # 100
    ] + [False] * 6


def test_one_in_so_many_goes_on_the_best_first(rungs):
    arrive(rungs, range(FACTOR - 1))
    assert rungs.promoted() is None
    arrive(rungs, range(FACTOR - 1, 3 * FACTOR))
    went = []
    while (number := rungs.promoted()) is not None:
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
        waiting = [each for each in order[: len(order) // FACTOR] if each in rungs.paused]
        assert rungs.promoted() == next(iter(waiting), None)
        if waiting and drawn.random() < 0.5:
            rungs.resume(waiting[0])


def test_the_highest_rung_comes_first(rungs):
    arrive(rungs, range(4 * FACTOR))
    for number in range(4):
        rungs.resume(number)
    arrive(rungs, range(4), epoch=2, before=1)
    assert rungs.promoted() == 3
    rungs.resume(3)
    assert rungs.promoted() == 4 * FACTOR - 1


def test_who_waits_for_nothing_is_the_worst_of_many(rungs):
    arrive(rungs, range(WAITING))
    assert rungs.surplus() is None
    arrive(rungs, [WAITING])
    assert rungs.surplus() == 0
    rungs.resume(0)
    assert rungs.surplus() is None and rungs.paused == list(range(1, WAITING + 1))


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
    assert rungs.place(7) == (1, 8) and rungs.place(0) == (8, 8)
    rungs.resume(7)
    arrive(rungs, [7], epoch=2, before=1)
    assert rungs.place(7) == (1, 1)


def test_what_is_expected_is_what_others_gained(rungs):
    for number, gains in enumerate([(1, 2, 4, 8), (2, 3, 5, 9), (3, 4, 6), (4,)]):
        for (before, epoch), level in zip([(0, 1), (1, 2), (2, 5)], gains):
            rungs.report(number, before, epoch, float(level))
        if len(gains) == 4:
            rungs.finish(number, float(gains[3]))
    assert rungs.expected() == {0: 8.0, 1: 9.0, 2: 10.0, 3: 11.0}


def test_what_is_known_is_the_highest_rung_that_enough_trials_reached(rungs):
    for number in range(2 * ENOUGH):
        rungs.report(number, 0, 1, float(number))
        if number < ENOUGH:
            rungs.report(number, 1, 2, 10.0 + number)
    assert rungs.known() == {number: 10.0 + number for number in range(ENOUGH)}
    rungs.forget(0)
    assert rungs.known() == {number: float(number) for number in range(1, 2 * ENOUGH)}
