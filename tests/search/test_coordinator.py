"""The loop: asks, prunes, tells, and goes on where it was stopped or killed."""

import os
import re
import signal

import pytest
from heard import Watcher, entry
from stores import here

from search.coordinator import Clock, Coordinator, search
from search.executors.inline import Inline
from search.strategy.assessment import MIN_COMPLETED
from search.strategy.draws.sampler import N_STARTUP_TRIALS
from search.strategy.strategy import Strategy
from search.study.opening import hold_study, open_study
from search.study.stored import StoredStudy
from search.trainers.trainer import GO_ON, PAUSE, STOP


def test_it_finds_the_optimum(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=60)
        assert study.best().score < 0.01


def test_trials_are_counted_in_total(bowl):
    for trials in (3, 5, 5, 4):
        with open_study(here(), bowl) as study:
            search(study, Inline(study), trials=trials)
            assert study.n_finished() == max(trials, study.n_finished())
    assert StoredStudy.read(here(), "bowl-builtin").n_finished() == 5


def test_watchers_hear_everything_in_order(bowl):
    watcher = Watcher()
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=2, watchers=[watcher])
    for number, rungs in (0, ()), (1, (1, 2)):
        way = [("started", number, "running")]
        for epoch in range(1, 6):
            way += [("reported", number, epoch)] + [("paused", number, epoch)] * (epoch in rungs)
        mine = [event for event in watcher.heard if event[1] == number]
        assert mine == [*way, ("finished", number, "completed")]


def test_most_trials_are_given_up_early_with_their_reason(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=40)
        trials = list(study.trials())
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert len(pruned) > len(trials) / 2
    for trial in pruned:
        height = f"{trial.curve[-1]['validation_height']:.4g}"
        assert re.fullmatch(
            rf"at epoch {trial.epochs}: {re.escape(height)}, \d+ of \d+ there; one in 4 goes on", trial.reason
        )
        assert trial.score is None and trial.epochs in (1, 2)
    assert trials[0].state == "completed"  # the baseline


def test_a_trial_that_was_paused_goes_on_where_it_was(bowl):
    watcher = Watcher()
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=30, watchers=[watcher])
        completed = [trial.number for trial in study.completed()]
    assert len(completed) >= MIN_COMPLETED
    for number in completed[1:]:
        heard = [event for event in watcher.heard if event[1] == number]
        assert [event[2] for event in heard if event[0] == "reported"] == [1, 2, 3, 4, 5]
        assert [event[2] for event in heard if event[0] == "paused"] == ([1, 2] if number else [])


def test_draws_are_modelled_before_any_trial_has_a_score(bowl):
    with open_study(here(), bowl) as study:
        ear = Coordinator(Strategy(study), Inline(study), [], Clock())
        for draw in range(N_STARTUP_TRIALS + 1):
            ear.start([ear.strategy.ask()])
            ear.reported(draw, entry(1))
        assert not study.completed()
        assert Strategy(study).ask().proposal == "TPE: from first epochs alone, as no trial has a score yet"


def test_a_few_are_trained_to_the_end_however_few_there_are(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=4)
        assert len(study.completed()) >= MIN_COMPLETED and study.n_finished() == 4


def test_what_is_paused_when_the_search_is_stopped_waits_on(bowl):
    watcher = Watcher()
    with open_study(here(), bowl) as study:
        search(study, Inline(study), watchers=[watcher], stopping=lambda: len(watcher.heard) >= 40)
        paused = Strategy(study).paused
        assert len(paused) > 2 and all(study.trial(number).paused for number in paused)
        assert {trial.number for trial in study.trials() if not trial.ended} == set(paused)
    with open_study(here(), bowl) as study:
        assert Strategy(study).paused == paused
        search(study, Inline(study), trials=study.n_started())
        assert {study.trial(number).state for number in paused} <= {"pruned", "completed"}
        assert not any(trial.state == "running" for trial in study.trials())


def test_search_that_is_stopped_again_and_again_finds_the_same_best_and_promotes_what_was_paused(bowl):
    stops, waited = 0, {}
    with open_study(here(), bowl, "whole") as whole:
        search(whole, Inline(whole), trials=24)
    stopped = True
    while stopped:
        heard, stops = Watcher(), stops + 1
        with open_study(here(), bowl, "stopped") as study:
            search(
                study,
                Inline(study),
                trials=24,
                watchers=[heard],
                stopping=lambda: len(heard.heard) >= 10 + stops,  # noqa: B023
            )
            stopped = any(trial.paused for trial in study.trials())
            waited |= {trial.number: trial.epochs for trial in study.trials() if trial.paused}
    assert stops > 5 and whole.n_finished() == study.n_finished() == 24
    assert (whole.best().score, whole.best().draw) == (study.best().score, study.best().draw)
    ended = [trial for trial in study.trials() if trial.state != "interrupted"]
    assert sorted(trial.draw for trial in ended) == list(range(24))
    assert any(study.trial(number).epochs > epochs for number, epochs in waited.items())


def test_what_is_paused_at_the_end_of_the_time_is_given_up(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), seconds=0.5)
        assert not any(trial.state == "running" for trial in study.trials())
        assert any(trial.state == "pruned" for trial in study.trials())


@pytest.fixture
def killed(bowl):
    """The name of a study whose search was killed while it trained one trial and another was paused."""
    with open_study(here(), bowl) as study:
        trial = Strategy(study).ask()
        study.report(trial.number, entry(1))
        assert study.pause(trial.number).paused and Strategy(study).ask().number == 1
    return study.name


def test_what_is_paused_when_the_search_is_killed_waits_on(killed, bowl):
    with open_study(here(), bowl) as study:
        assert [trial.state for trial in study.trials()] == ["running", "interrupted"]
        assert Strategy(study).paused == [0] and study.n_started() == 1 and study.n_finished() == 0
        search(study, Inline(study), trials=2)
        states = [trial.state for trial in study.trials()]
        assert states == ["completed", "interrupted", "completed"] and study.trial(2).retry_of == 1
        assert [each["epoch"] for each in study.trial(0).curve] == [1, 2, 3, 4, 5]


class Kills(Watcher):
    """Kills its process after so many events, as `kill -9` does."""

    def __init__(self, events):
        super().__init__()
        self.left = events

    def __getattribute__(self, name):
        if name in ("started", "reported", "paused", "finished"):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__getattribute__(name)


def lives(bowl, name, events):
    """Search in a process of its own until it is killed; returns whether it was."""
    child = os.fork()
    if child == 0:
        with open_study(here(), bowl, name) as study:
            search(study, Inline(study), trials=24, watchers=[Kills(events)])
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("events", [3, 8, 13])
@pytest.mark.integration
def test_a_search_that_is_killed_again_and_again_finds_the_same_best(bowl, events):
    kills = 0
    while lives(bowl, "killed", events + kills):
        kills += 1
    lives(bowl, "whole", 10**6)
    assert kills >= 5
    found = [StoredStudy.read(here(), name) for name in ("killed", "whole")]
    assert [study.n_finished() for study in found] == [24, 24]
    assert len({(study.best().score, study.best().draw) for study in found}) == 1
    ended = [trial for trial in found[0].trials() if trial.state != "interrupted"]
    assert sorted(trial.draw for trial in ended) == list(range(24))


def test_hold_of_a_killed_study_ends_nothing_and_a_search_goes_on_as_if_it_had_not_been(bowl, killed):
    with hold_study(here(), killed) as study:
        assert [trial.state for trial in study.trials()] == ["running", "running"]
    with open_study(here(), bowl, killed) as study:
        assert [trial.state for trial in study.trials()] == ["running", "interrupted"]
        assert Strategy(study).paused == [0]


def test_a_trainer_is_not_heard_any_more_once_its_trial_has_ended(bowl):
    with open_study(here(), bowl) as study:
        ear = Coordinator(Strategy(study), Inline(study), [], Clock())
        ear.start([ear.strategy.ask()])
        ear.interrupt("enough")
        assert ear.reported(0, entry(1)) == STOP
        ear.finished(0, (0.5, 0.1))
        ear.failed(0, "too late")
        assert (study.trial(0).state, study.trial(0).curve) == ("interrupted", [])


def test_a_trainer_that_hears_late_that_it_is_to_pause_loses_nothing(bowl):
    with open_study(here(), bowl) as study:
        ear = Coordinator(Strategy(study), Inline(study), [], Clock())
        ear.start([ear.strategy.ask()])
        ear.start([ear.strategy.ask()])
        assert [ear.reported(1, entry(epoch)) for epoch in (1, 2, 3)] == [PAUSE, PAUSE, PAUSE]
        assert study.trial(1).paused and study.trial(1).epochs == 3
        ear.finished(1, (0.5, 0.1))
        assert study.trial(1).state == "completed" and not Strategy(study).paused


def test_a_trial_that_is_trained_again_up_to_where_it_was_is_not_reported_twice(bowl):
    with open_study(here(), bowl) as study:
        ear = Coordinator(Strategy(study), Inline(study), [], Clock())
        ear.start([ear.strategy.ask()])
        assert [ear.reported(0, entry(epoch)) for epoch in (1, 2, 1, 2, 3)] == [GO_ON] * 5
        assert [each["epoch"] for each in study.trial(0).curve] == [1, 2, 3]
