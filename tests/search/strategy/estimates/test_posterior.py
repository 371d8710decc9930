"""The estimates of configurations, from every epoch of every seed."""

import itertools
import random
import statistics
from types import SimpleNamespace

import pytest

from search.strategy.estimates.levels import Scale
from search.strategy.estimates.posterior import Posterior
from search.study.trial import TrialState


class Trials:
    """Trials of 4 epochs, numbered as they come; the score of an epoch is halfway to the end."""

    def __init__(self, sign=1):
        self.posterior, self._numbers = Posterior(sign, "validation_height"), itertools.count()

    def add(
        self, scores, state=TrialState.COMPLETED, replicate_of=None, replicate=None, params=None, error=0.01
    ):
        """A trial with these scores after its epochs; of a completed one the last is its score."""
        number = next(self._numbers)
        entries = [{"epoch": n, "validation_height": score} for n, score in enumerate(scores, 1)]
        trial = SimpleNamespace(
            number=number,
            state=state,
            void=None,
            replicate_of=replicate_of,
            replicate=replicate,
            params={"x": number} if params is None else params,
            score=scores[-1] if state == TrialState.COMPLETED else None,
            standard_error=error,
            curve=entries,
            epochs=len(entries),
        )
        self.posterior.observe(trial)
        return number

    def train(self, score, seeds=(), **options):
        """A configuration, and its scores on fresh seeds."""
        number = self.add([score / 2, score], **options)
        for replicate, fresh in enumerate(seeds, 1):
            self.add([fresh / 2, fresh], replicate_of=number, replicate=replicate, **options)
        return number


@pytest.fixture
def trials():
    return Trials()


def test_the_luckiest_of_many_first_scores_is_shrunk_towards_the_others(trials):
    numbers = [trials.train(0.8 + 0.01 * n) for n in range(5)]
    lucky = trials.train(0.9)
    assert 0.83 < trials.posterior.estimate(lucky).mean < 0.89
    assert trials.posterior.estimate(numbers[2]).mean == pytest.approx(0.82, abs=0.01)


def test_a_configuration_far_below_the_others_is_shrunk_by_two_standard_errors_at_most(trials):
    for n in range(8):
        trials.train(0.9 + 0.002 * n)
    bad = trials.train(0.5)
    assert (
        0.5 < trials.posterior.estimate(bad).mean <= 0.5 + 2 * trials.posterior.estimate(bad).seed_deviation
    )


def test_estimates_of_simulated_configurations_are_near_the_truth_as_often_as_they_say():
    chance, inside = random.Random(0), []
    for _ in range(60):
        trials, truth = Trials(), {}
        for _ in range(15):
            mean, spread = chance.gauss(0.8, 0.02), chance.choice((0.007, 0.014))
            seeds = [chance.gauss(mean, spread) for _ in range(chance.choice((1, 1, 3, 5)))]
            truth[trials.train(seeds[0], seeds[1:])] = mean
        for number, mean in truth.items():
            known = trials.posterior.estimate(number)
            inside.append(abs(known.mean - mean) <= 2 * known.deviation)
    assert 0.8 < statistics.fmean(inside) < 0.97  # not 95%: all spreads are estimates themselves


def test_an_unstable_network_makes_no_other_uncertain(trials):
    best = trials.train(0.910, [0.9107, 0.9093, 0.9100])
    worse = trials.train(0.900, [0.9007, 0.8993, 0.9000])
    wild = trials.train(0.85, [0.5, 0.95, 0.7])
    known = {number: trials.posterior.estimate(number) for number in (best, worse, wild)}
    assert known[best].mean - known[worse].mean > 3 * known[best].deviation
    assert known[wild].seed_deviation > 5 * known[best].seed_deviation


def test_two_seeds_that_tie_do_not_make_the_mean_certain(trials):
    number = trials.train(0.9, [0.9])
    assert trials.posterior.estimate(number).deviation > 0.002


def test_an_unfinished_training_is_extrapolated_by_those_that_ended(trials):
    for n in range(6):
        trials.train(0.8 + 0.01 * n)
    paused = trials.add([0.43], TrialState.PRUNED)
    known = trials.posterior.estimate(paused)
    assert known.n_seeds == 0 and known.mean == pytest.approx(0.86, abs=0.02)
    assert known.deviation > trials.posterior.estimate(0).deviation


def test_a_training_that_came_farther_teaches_how_others_go_on(trials):
    """Half of the gain is made in the second epoch, as two trials show that did not end."""
    trials.add([0.5, 0.7, 0.8])
    before = trials.posterior.extrapolate(1, [0.5])[0]
    trials.add([0.5, 0.6], TrialState.PRUNED)
    trials.add([0.5, 0.6], TrialState.PRUNED)
    assert trials.posterior.extrapolate(1, [0.5])[0].mean < before.mean


def test_nothing_is_known_before_a_training_ended(trials):
    number = trials.add([0.5], TrialState.RUNNING)
    assert trials.posterior.estimate(number) is None and trials.posterior.estimate(99) is None


def test_what_diverged_has_no_estimate(trials):
    trials.train(0.8)
    number = trials.add([0.4], TrialState.RUNNING)
    trials.posterior.observe(
        SimpleNamespace(number=number, state=TrialState.DIVERGED, void=None, replicate_of=None, curve=[])
    )
    assert trials.posterior.estimate(number) is None


def test_the_same_hyperparameters_are_one_configuration(trials):
    first = trials.train(0.8, params={"x": 1})
    trials.train(0.82, params={"x": 1})
    assert len(trials.posterior.completed()) == 1
    assert trials.posterior.estimate(first).n_seeds == 2


def test_seeds_are_counted_and_those_that_fail_are_named(trials):
    number = trials.train(0.8, [0.81])
    failed = trials.add([0.4], TrialState.DIVERGED, replicate_of=number, replicate=2)
    trials.add([0.4], TrialState.INTERRUPTED, replicate_of=number, replicate=3)
    assert (trials.posterior.n_fresh(number), trials.posterior.next_seed(number)) == (1, 3)
    assert trials.posterior.unsound == {number: failed}


def test_losses_are_compared_by_their_ratios_unless_one_is_negative():
    trials = Trials(sign=-1)
    for loss in (1e-6, 1e-3, 1.0):
        trials.train(loss, [2 * loss, loss / 2], error=loss / 10)
    assert trials.posterior.scale == Scale(-1, relative=True)
    assert trials.posterior.seed_variance == pytest.approx(0.48, rel=0.5)  # (log 2)^2
    trials.train(-1.0)
    assert trials.posterior.scale == Scale(-1, relative=False)


@pytest.mark.parametrize("scale", [Scale(1, False), Scale(-1, False), Scale(-1, True)])
def test_a_score_comes_back_from_its_level(scale):
    assert scale.score(scale.level(0.25)) == pytest.approx(0.25)
    assert scale.level(0.2) < scale.level(0.3) if scale.sign > 0 else scale.level(0.2) > scale.level(0.3)


def test_the_meaningful_difference_is_the_task_s_or_what_another_seed_makes(trials):
    trials.train(0.8, error=0.02)
    assert trials.posterior.difference(SimpleNamespace()) == pytest.approx(0.02)
    assert trials.posterior.difference(SimpleNamespace(MEANINGFUL_DIFFERENCE=0.003)) == 0.003


def test_a_loss_of_zero_has_an_estimate_that_can_be_told():
    losses = Trials(sign=-1)
    number = losses.train(0.0, seeds=(0.0,), error=0.001)
    known, scale = losses.posterior.estimate(number), losses.posterior.scale
    assert scale.relative and scale.score(known.mean) < 1e-6 and known.deviation < 2
    assert scale.describe(losses.posterior.difference(SimpleNamespace()), "loss").endswith("%")
