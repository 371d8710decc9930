"""What the next seconds of a trainer are worth."""

import math
import random
import statistics
from dataclasses import replace
from types import SimpleNamespace

import pytest

from search.strategy import allocation
from search.strategy.allocation import Begun, Contender, Situation, losses, next_work, outlook
from search.strategy.estimates.levels import Estimate
from search.strategy.estimates.posterior import Posterior
from search.strategy.winner import contenders
from search.study.trial import TrialState


def estimate(mean, deviation=0.003, seeds=1):
    return Estimate(mean, deviation, 0.003, seeds)


def contender(number, mean, n_fresh=0, deviation=0.003, full=10.0, **options):
    return Contender(number, estimate(mean, deviation, 1 + n_fresh), full, n_fresh, **options)


def begun(number, mean, deviation=0.003, rest=8.0, full=10.0):
    return Begun(number, estimate(mean, deviation, 0), rest, full)


POOR = [begun(number, 0.8) for number in range(10, 20)]  # draws that gained nothing
BEST = contender(0, 0.9, n_fresh=2)
USUAL = Situation([BEST], recent=POOR, draws=[each.estimate for each in POOR], n_draws=20, draw_seconds=1.0)


def test_without_draws_a_configuration_is_drawn():
    assert next_work(Situation([])).kind == "draw"
    assert next_work(replace(USUAL, recent=POOR[:3])).kind == "draw"


def test_a_paused_trial_that_may_be_the_best_resumes():
    now = replace(USUAL, paused=[begun(5, 0.85), begun(6, 0.905)])
    assert next_work(now)[:2] == ("resume", 6)


def test_of_equal_promise_what_costs_less_is_first():
    now = replace(USUAL, paused=[begun(5, 0.905, full=40.0, rest=32.0), begun(6, 0.905)])
    assert next_work(now)[:2] == ("resume", 6)


def test_where_draws_did_well_another_is_drawn():
    good = [begun(number, 0.9 + 0.002 * (number % 5)) for number in range(10, 20)]
    now = replace(USUAL, recent=good, paused=[begun(5, 0.87)])
    assert next_work(now).kind == "draw"


def test_what_leads_unconfirmed_is_trained_on_a_fresh_seed():
    now = replace(USUAL, contenders=[BEST, contender(1, 0.91)], paused=[begun(5, 0.88)])
    assert next_work(now)[:2] == ("replicate", 1)


def test_contenders_that_cannot_be_told_apart_get_another_seed_and_one_far_behind_gets_none():
    two = [contender(0, 0.9, 2), contender(1, 0.899, 2), contender(2, 0.8, 2)]
    rates = {option.number: option.rate for option in allocation._replicates(replace(USUAL, contenders=two))}
    assert min(rates[0], rates[1]) > 100 * rates[2]


def test_no_configuration_gets_more_seeds_than_asked_for():
    now = replace(
        USUAL, contenders=[contender(0, 0.9, 5), contender(1, 0.9, 4, n_training=1)], may_draw=False
    )
    assert next_work(now) is None
    assert next_work(replace(USUAL, contenders=[contender(0, 0.9)], max_fresh=0)).kind == "draw"


def test_near_the_end_the_best_is_confirmed_and_nothing_starts_that_cannot_end():
    lead = contender(0, 0.9)
    promising = [begun(5, 0.95)]
    assert next_work(replace(USUAL, contenders=[lead], paused=promising, seconds_left=100.0))[0] == "resume"
    assert next_work(replace(USUAL, contenders=[lead], paused=promising, seconds_left=25.0)) == (
        "replicate", 0, math.inf
    )  # fmt: skip
    assert next_work(replace(USUAL, contenders=[lead], paused=promising, seconds_left=5.0)) is None


def test_the_cheapest_that_probably_reaches_a_threshold_is_proved_first():
    slow, fast = contender(0, 0.92, chance=0.9), contender(1, 0.91, full=3.0, chance=0.7)
    assert next_work(replace(USUAL, contenders=[slow, fast])) == ("replicate", 1, math.inf)
    proved = contender(1, 0.91, n_fresh=2, full=3.0, chance=0.96)
    assert proved.surely_reaches and next_work(replace(USUAL, contenders=[proved])).rate < math.inf


def test_losses_are_small_for_the_best_and_for_its_equals():
    loss = losses([contender(0, 0.9), contender(1, 0.9), contender(2, 0.85)])
    assert loss[0] == pytest.approx(loss[1], abs=0.0005) and loss[0] == pytest.approx(0.0017, abs=0.0003)
    assert loss[2] == pytest.approx(0.0517, abs=0.001)


def test_outlook_is_poor_where_draws_gain_nothing_and_good_where_their_best_still_rises():
    poor = outlook(USUAL, 0.002)
    assert poor.gain < 1e-4 and poor.odds > 0.99
    rising = [estimate(0.8 + 0.01 * number) for number in range(10)]
    good = outlook(replace(USUAL, draws=rising, n_draws=10), 0.002)
    assert good.gain > 0.002 and good.odds < 0.75
    assert outlook(replace(USUAL, draws=rising[:3]), 0.002) is None


def test_outlook_of_few_best_draws_is_that_of_all():
    levels = [0.85 + 0.04 * (number / 200) ** 2 for number in range(200)]
    draws = [estimate(level) for level in levels]
    whole = outlook(replace(USUAL, draws=draws, n_draws=200), 0.002)
    best = outlook(replace(USUAL, draws=draws[-64:], n_draws=200), 0.002)
    assert best.gain == pytest.approx(whole.gain, rel=0.02) and best.odds == pytest.approx(
        whole.odds, abs=0.01
    )


def test_outlook_without_draws_is_that_of_what_is_paused():
    promising = replace(USUAL, draws=[estimate(0.9)] * 10, n_draws=10, may_draw=False)
    assert outlook(promising, 0.002).gain == 0
    assert outlook(replace(promising, paused=[begun(1, 0.91)]), 0.002).gain == pytest.approx(0.01, rel=0.1)


def test_the_rate_of_a_draw_breaks_even():
    good = [begun(number, 0.88 + 0.004 * (number % 5)) for number in range(10, 20)]
    rate = allocation._draw_rate(good, 0.9, 1.0)
    gains = allocation.improvement(*allocation._moments([each.estimate for each in good]), 0.9)
    net = [max(0.0, gain - rate * (8.0 + 20.0)) for gain in gains]
    assert statistics.fmean(net) == pytest.approx(rate, rel=0.01) and rate > 0


# Simulated studies


class Simulated:
    """A study of 30 configurations of known means and spreads; larger ones are better, and slower."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.sizes = [self.chance.random() for _ in range(30)]
        self.truth = [0.9 + 0.004 * size + self.chance.gauss(0, 0.004) for size in self.sizes]
        self.spreads = [self.chance.choice((0.002, 0.004, 0.008)) for _ in range(30)]
        self.posterior, self.n_trials, self.spent = Posterior(1, "validation_height"), 0, 0.0
        self.scores = {number: [self.train(number)] for number in range(30)}

    def train(self, number, replicate=None):
        score = self.chance.gauss(self.truth[number], self.spreads[number])
        self.posterior.observe(
            SimpleNamespace(
                number=self.n_trials, state=TrialState.COMPLETED, void=None, params={"x": number},
                replicate_of=None if replicate is None else number, replicate=replicate, score=score,
                standard_error=0.004, curve=[{"epoch": 1, "validation_height": score}], epochs=1,
            )
        )  # fmt: skip
        self.n_trials += 1
        return score

    def full(self, number):
        return 1 + 4 * self.sizes[number]

    def by_value(self, seeds=5):
        """The winner, where each next seed is the one of the largest value per second."""
        self.spent, difference = 0.0, 0.001
        while True:
            few = contenders(self.posterior, self.full)
            loss = losses(few)
            confirmed = [each for each in few if each.confirmed]
            if confirmed and min(loss[each.number] for each in confirmed) < difference:
                break
            option = next_work(Situation(few, may_draw=False, max_fresh=seeds))
            if option is None:
                break
            self.train(option.number, self.posterior.next_seed(option.number))
            self.spent += self.full(option.number)
        near = [each for each in confirmed if loss[each.number] <= max(difference, min(loss.values()))]
        return min(near or confirmed, key=lambda each: self.full(each.number)).number

    def by_mean(self, budget):
        """The best plain mean of the five best first scores, each trained on as many seeds as can be."""
        best = sorted(range(30), key=lambda number: -self.scores[number][0])[:5]
        spent, means = 0.0, {number: [] for number in best}
        while spent < budget or not all(len(each) > 1 for each in means.values()):
            number = min(best, key=lambda number: len(means[number]))
            means[number].append(self.chance.gauss(self.truth[number], self.spreads[number]))
            spent += self.full(number)
        return max(best, key=lambda number: statistics.fmean(means[number]))


def shares(studies):
    """How often the named winner is within the difference of the best: by value, and by plain means."""
    near = {"by value": [], "by plain mean": []}
    for seed in range(studies):
        study = Simulated(seed)
        best = max(study.truth)
        near["by value"].append(best - study.truth[study.by_value()] <= 0.002)
        near["by plain mean"].append(best - study.truth[study.by_mean(study.spent)] <= 0.002)
    return {name: statistics.fmean(each) for name, each in near.items()}


@pytest.mark.thorough
def test_over_1000_simulated_studies_the_winner_is_near_the_best_more_often_than_the_best_plain_mean(capsys):
    found = shares(1000)
    with capsys.disabled():
        print("\nwithin 0.2 points of the best, of 1,000 simulated studies of equal cost:", found)
    assert found["by value"] > found["by plain mean"] + 0.02
