"""Seeds of a configuration that train together, and draws of one shape."""

import re

import pytest
from heard import Watcher
from stores import here

from search.coordinator import Clock, Coordinator, search
from search.executors.inline import Inline
from search.strategy import winner
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.trainers.trainer import Trainer


@pytest.fixture
def gain(monkeypatch):
    """Sets how many times as fast networks train together, as if it had been measured."""
    return lambda times: monkeypatch.setattr(Trainer, "_gain", lambda self, training: times)


def starts(bowl, **limits):
    """How many trials started at once, each time: the baseline, and then its fresh seeds."""
    watcher = Watcher()
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=1, watchers=[watcher], **limits)
    kinds = "".join(event[0] for event, *_ in watcher.heard)
    return [len(run) for run in re.findall("s+", kinds)]


@pytest.mark.parametrize(
    "times, replicates, expected",
    [(1.0, 5, [1, 1]), (1.3, 5, [2]), (2.6, 5, [5]), (2.0, 3, [3]), (9.0, 1, [1])],
    ids=["no gain", "two in the time of two", "five in the time of two", "at most as asked", "one"],
)
def test_fresh_seeds_start_together_as_many_as_take_no_longer_than_those_needed(
    bowl, gain, times, replicates, expected
):
    gain(times)
    assert starts(bowl, replicates=replicates)[: 1 + len(expected)] == [1, *expected]


class Lossy(Inline):
    """Loses all trials that train side by side, as a trainer does that dies."""

    groups = 0

    def start_together(self, configs):
        super().start_together(configs)
        self.groups += len(configs) > 1

    def listen(self, listener, seconds):
        lost = [number for configs in self._started if len(configs) > 1 for number in configs]
        self._started = [] if lost else self._started
        for number in lost:
            listener.lost(number, "the trainer ended")
        super().listen(listener, seconds)


@pytest.mark.parametrize("replicates", [2, 5])
def test_seeds_that_were_lost_together_are_tried_again_alone(bowl, gain, replicates):
    gain(2.6)
    with open_study(here(), bowl) as study:
        executor = Lossy(study)
        search(study, executor, trials=1, replicates=replicates)
        assert executor.groups == 1 and winner.choose(study).confirmed


def test_last_of_several_seeds_that_hangs_fails_as_one_that_was_always_alone(bowl, monkeypatch):
    monkeypatch.setattr("search.executors.silence.MIN_SILENCE", -1.0)
    monkeypatch.setattr("search.executors.silence.FIRST_SILENCE", -1.0)
    with open_study(here(), bowl) as study:
        strategy, executor = Strategy(study), Inline(study)
        coordinator = Coordinator(strategy, executor, [], Clock())
        search(study, executor, trials=1, replicates=0)
        pair = [strategy.replicate(study.trial(0), seed) for seed in (1, 2)]
        coordinator.start(pair)
        monkeypatch.setattr(executor, "training", coordinator.running, raising=False)
        coordinator.finished(pair[0].number, (0.5, 0.1))
        coordinator.end_hanging()
        assert study.trial(pair[1].number).reason.startswith("the trainer hung")


class Starts(Watcher):
    """Keeps the trials that started side by side, each time."""

    def __init__(self):
        super().__init__()
        self.groups = [[]]

    def started(self, trial):
        self.groups[-1].append(trial)

    def reported(self, trial):
        if self.groups[-1]:
            self.groups.append([])

    finished = reported


@pytest.fixture
def rated(edited_bowl):
    """A bowl that has a learning rate in place of x; its baseline has y = 50."""
    return edited_bowl(
        ("x: float", "learning_rate: float"),
        ('x=trial.suggest_float("x"', 'learning_rate=trial.suggest_float("learning_rate"'),
        ("[config.x,", "[config.learning_rate,"),
    )


def drawn(task, executor=Inline, **limits):
    """The trials that started side by side, each time, after the baseline."""
    starts = Starts()
    with open_study(here(), task) as study:
        search(study, executor(study), watchers=[starts], **limits)
        assert study.n_finished() == limits["trials"]
    return [group for group in starts.groups[1:] if group]


def test_draws_of_one_shape_start_together_where_they_learn_much_faster(rated, gain):
    gain(1.75)
    groups = drawn(rated, trials=14)
    assert {len(group) for group in groups[:-1]} == {1, 4}
    for first, *others in groups:
        assert [each.params["y"] for each in others] == len(others) * [first.params["y"]]
        assert all(each.proposal.startswith(f"of the shape of trial {first.number}") for each in others)
        assert len({each.params["learning_rate"] for each in (first, *others)}) == 1 + len(others)
        if first.params["y"] <= 50 and first is not groups[-1][0]:
            assert len(others) == 3


def test_draws_start_alone_where_a_group_gains_less(rated, gain):
    gain(1.7)
    assert {len(group) for group in drawn(rated, trials=14)} == {1}


@pytest.mark.parametrize("times, expected", [(1.3, [5, 1, 1]), (1.2, 7 * [1]), (1.75, [5, 4])])
def test_learning_rates_of_the_courses_order_start_together(rated, gain, times, expected):
    gain(times)
    groups = drawn(rated, trials=1 + sum(expected), in_stages=True)
    assert [len(group) for group in groups] == expected
    assert [each.proposal[:9] for group in groups for each in group][:5] == 5 * ["in order:"]


def test_draws_that_have_no_learning_rate_start_alone(bowl, gain):
    gain(4.0)
    assert {len(group) for group in drawn(bowl, trials=8)} == {1}


def test_draws_that_were_lost_together_are_tried_again_alone(rated, gain):
    gain(4.0)
    groups = drawn(rated, executor=Lossy, trials=14)
    retried = [each for group in groups for each in group if each.retry_of is not None]
    assert len(retried) >= 4
    assert all([each] in groups for each in retried)
