"""Seeds of a configuration that train together."""

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
    return lambda times: monkeypatch.setattr(Trainer, "gain", lambda self, number: times)


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


@pytest.mark.parametrize("replicates", [2, 5])
def test_seeds_that_were_lost_together_are_tried_again_alone(bowl, gain, replicates):
    gain(2.6)

    class Lossy(Inline):
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
