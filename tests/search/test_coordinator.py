"""The loop: asks, prunes, tells, and ends."""

import math
import os
import re
import resource
import signal

import pytest
from proposals import fixed
from stores import here

from search import paths, tasks
from search.coordinator import Clock, Coordinator, confirm, search
from search.errors import StoreError, TrialbookError
from search.executors.inline import Inline
from search.strategy import winner
from search.strategy.assessment import MIN_COMPLETED, MIN_DRAWS, Limits
from search.strategy.sampler import N_STARTUP_TRIALS
from search.strategy.strategy import Strategy
from search.study.opening import hold_study, open_study
from search.study.stored import StoredStudy
from search.study.trial import numbers
from search.trainers.trainer import GO_ON, PAUSE, STOP


class Watcher:
    """Writes down what it hears."""

    def __init__(self):
        self.heard = []

    def started(self, trial):
        self.heard.append(("started", trial.number, trial.state))

    def reported(self, trial):
        self.heard.append(("reported", trial.number, trial.curve[-1]["epoch"]))

    def paused(self, trial):
        self.heard.append(("paused", trial.number, trial.curve[-1]["epoch"]))

    def finished(self, trial):
        self.heard.append(("finished", trial.number, trial.state))


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
            ear.start(ear.strategy.ask())
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


def test_it_stops_when_the_time_is_over(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), seconds=0)
        assert study.n_finished() == 0
        search(study, Inline(study), seconds=0.2)
        states = [trial.state for trial in study.trials()]
    assert states and "running" not in states
    assert states.count("interrupted") <= 1


def test_what_is_interrupted_is_closed_and_retried(bowl):
    watcher = Watcher()
    with open_study(here(), bowl) as study:
        search(study, Inline(study), watchers=[watcher], stopping=lambda: len(watcher.heard) >= 3)
        assert study.trial(0).state == "interrupted"
        assert study.trial(0).reason == "the search was stopped"
        assert watcher.heard[-1] == ("finished", 0, "interrupted")
        search(study, Inline(study), trials=2)
        assert study.trial(1).retry_of == 0
        assert study.trial(1).config == study.trial(0).config


NO_SCORE = "TypeError: score returned None of type NoneType: valid is (value, standard_error)"


@pytest.mark.parametrize(
    "mood, state, reason, epochs",
    [
        ("nan", "diverged", "train_loss not finite at epoch 1", 0),
        ("late nan", "diverged", "train_loss not finite at epoch 2", 1),
        ("nan score", "diverged", "score not finite", 3),
        ("error", "failed", "RuntimeError: out of sorts", 1),
        ("no score", "failed", NO_SCORE, 3),
    ],
)
def test_what_goes_wrong_is_recorded_and_the_search_goes_on(moody, mood, state, reason, epochs):
    with open_study(here(), moody(mood, baseline=mood)) as study:
        search(study, Inline(study), trials=12)
        first = study.trial(0)
        assert study.n_finished() == 12 and study.best().params == {"mood": "well"}
    assert (first.state, first.reason, len(first.curve)) == (state, reason, epochs)
    assert first.score is None
    assert all(math.isfinite(value) for entry in first.curve for value in numbers(entry).values())


def test_the_sampler_learns_from_what_diverged(moody):
    with open_study(here(), moody("nan")) as study:
        search(study, Inline(study), trials=90)
        diverged = [trial.state == "diverged" for trial in study.trials()]
    assert sum(diverged[:N_STARTUP_TRIALS]) > N_STARTUP_TRIALS / 3
    assert (
        sum(diverged[N_STARTUP_TRIALS:]) < len(diverged[N_STARTUP_TRIALS:]) / 3
    )  # half of each eighth, drawn at random


def test_a_full_disk_ends_the_search_and_loses_nothing(bowl):
    with open_study(here(), bowl, "full") as study:
        search(study, Inline(study), trials=4)
        before = list(study.trials())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (paths.studies() / "full.journal").stat().st_size
    for more in (10, 3000, 5000):
        with open_study(here(), bowl, "full") as study:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + more, hard))
            try:
                with pytest.raises(StoreError, match="full.journal: File too large; what it holds is whole"):
                    search(study, Inline(study), trials=20)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(StoredStudy.read(here(), "full").trials())[:4] == before
    with open_study(here(), bowl, "full") as study:
        search(study, Inline(study), trials=20)
        assert study.n_finished() == 20 and not any(trial.state == "running" for trial in study.trials())


def test_failures_in_a_row_with_one_cause_end_the_search_with_that_cause(moody, monkeypatch):
    with open_study(here(), moody("error")) as study:
        monkeypatch.setattr("objectives.moody.train", lambda *_: 1 / 0)
        with pytest.raises(
            TrialbookError, match="3 trials in a row failed with one cause: ZeroDivisionError"
        ):
            search(study, Inline(study), trials=100)
        assert [trial.state for trial in study.trials()] == ["failed"] * 3


def entry(epoch):
    heights = {"validation_height": 1 / epoch, "validation_loss": 1 / epoch, "train_loss": 1 / epoch}
    return {"epoch": epoch, **heights, "seconds": 1.0, "time": 1.0}


def test_a_trainer_is_not_heard_any_more_once_its_trial_has_ended(bowl):
    with open_study(here(), bowl) as study:
        ear = Coordinator(Strategy(study), Inline(study), [], Clock())
        ear.start(ear.strategy.ask())
        ear.interrupt("enough")
        assert ear.reported(0, entry(1)) == STOP
        ear.finished(0, (0.5, 0.1))
        ear.failed(0, "too late")
        assert (study.trial(0).state, study.trial(0).curve) == ("interrupted", [])


def test_a_trainer_that_hears_late_that_it_is_to_pause_loses_nothing(bowl):
    with open_study(here(), bowl) as study:
        ear = Coordinator(Strategy(study), Inline(study), [], Clock())
        ear.start(ear.strategy.ask())
        ear.start(ear.strategy.ask())
        assert [ear.reported(1, entry(epoch)) for epoch in (1, 2, 3)] == [PAUSE, PAUSE, PAUSE]
        assert study.trial(1).paused and study.trial(1).epochs == 3
        ear.finished(1, (0.5, 0.1))
        assert study.trial(1).state == "completed" and not Strategy(study).paused


def test_a_trial_that_is_trained_again_up_to_where_it_was_is_not_reported_twice(bowl):
    with open_study(here(), bowl) as study:
        ear = Coordinator(Strategy(study), Inline(study), [], Clock())
        ear.start(ear.strategy.ask())
        assert [ear.reported(0, entry(epoch)) for epoch in (1, 2, 1, 2, 3)] == [GO_ON] * 5
        assert [each["epoch"] for each in study.trial(0).curve] == [1, 2, 3]


def test_the_leader_is_confirmed_on_fresh_seeds_and_no_more_than_is_needed(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=12)
        confirm(study, Inline(study), replicates=3)
        replicates = [trial for trial in study.trials() if trial.replicate_of is not None]
        won = winner.choose(study)
        assert won.confirmed and won.trial == study.best() and study.n_finished() == 12
        assert len(replicates) < 12 and {trial.replicate for trial in replicates} <= {1, 2, 3}
        confirm(study, Inline(study), replicates=3)
        assert len(list(study.trials())) == 12 + len(replicates)


def test_replicates_that_were_interrupted_are_made_up_for(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=4)
        watcher = Watcher()
        confirm(
            study, Inline(study), replicates=2, watchers=[watcher], stopping=lambda: len(watcher.heard) >= 2
        )
        assert [trial.state for trial in study.trials()].count("interrupted") == 1
        confirm(study, Inline(study), replicates=2)
        lost = next(trial for trial in study.trials() if trial.state == "interrupted")
        again = [
            (trial.replicate_of, trial.replicate) for trial in study.trials() if trial.state == "completed"
        ]
        assert (lost.replicate_of, lost.replicate) in again and winner.choose(study).confirmed


def test_a_search_confirms_as_it_goes_and_stops_by_itself(bowl, monkeypatch):
    monkeypatch.setattr(bowl, "MEANINGFUL_DIFFERENCE", 1.0, raising=False)  # half as high is no better
    with open_study(here(), bowl) as study:
        strategy = search(study, Inline(study), replicates=2, stops=True)
        kinds = [trial.replicate_of is not None for trial in study.trials()]
        assert winner.choose(study).confirmed and winner.choose(study).mean < 0.05
        assert kinds.index(True) < MIN_DRAWS  # long before the end
        assert strategy.outlook(strategy.situation(Limits(replicates=2))).odds > 0.5


def test_a_search_is_over_once_its_threshold_is_surely_reached(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), replicates=2, threshold=0.5, stops=True)
        assert study.n_started() < MIN_DRAWS
        assert winner.cheapest(study, 0.5).mean < 0.5


def test_the_end_of_time_interrupts_no_trial_in_its_last_quarter(bowl):
    clock = Clock(seconds=0)
    with open_study(here(), bowl) as study:
        early, late = Strategy(study).ask(), Strategy(study).ask()
        for trial, epochs in ((early, 3), (late, 4)):
            for epoch in range(1, epochs + 1):
                study.report(trial.number, entry(epoch))
        assert clock.interrupts(study.trial(early.number)) == "the time was over"
        assert clock.interrupts(study.trial(late.number)) is None
        assert Clock(stopping=lambda: True).interrupts(study.trial(late.number)) == "the search was stopped"


def test_a_setting_that_always_fails_does_not_end_a_search_that_works(moody):
    with open_study(here(), moody("error", baseline="well")) as study:
        search(study, Inline(study), trials=40)
        assert [trial.state for trial in study.trials()].count("failed") > 3


def diverge(study, rate, seed, **params):
    """Have a trial of regression diverge in its first epoch. Returns the reason that is written down."""
    from objectives import regression

    strategy = Strategy(study)
    trial = study.start(fixed(tasks.baseline(regression) | params | {"learning_rate": rate}, seed))
    listener = Coordinator(strategy, Inline(study), [], Clock())
    listener.running.add(trial.number)
    listener.reported(trial.number, entry(20) | {"train_loss": math.nan, "validation_mse": 0.5})
    return study.trial(trial.number).reason


def test_divergence_names_the_lowest_rate_at_which_networks_of_similar_size_diverged():
    from objectives import regression

    with open_study(here(), regression) as study:
        cause = "train_loss not finite at epoch 20"
        shape = "hidden_size 200, layers 1, batch_size 20"
        assert diverge(study, 0.004, 1) == f"{cause}: learning_rate 0.004 is probably too high for {shape}"
        small = shape.replace("200", "100")
        assert diverge(study, 0.009, 2, hidden_size=100) == (
            f"{cause}: learning_rate 0.009 is probably too high for {small}; "
            "networks of its size diverge from 0.004 on (trial 0)"
        )
        large = shape.replace("200", "500").replace("layers 1", "layers 3")
        assert diverge(study, 0.009, 3, hidden_size=500, layers=3) == (
            f"{cause}: learning_rate 0.009 is probably too high for {large}"
        )


def test_divergence_does_not_blame_a_rate_at_which_a_network_of_its_size_trained_well():
    from objectives import regression

    with open_study(here(), regression) as study:
        trial = study.start(fixed(tasks.baseline(regression) | {"learning_rate": 0.0097}, 1))
        study.report(trial.number, entry(20) | {"validation_mse": 0.5})
        assert diverge(study, 0.008, 2) == "train_loss not finite at epoch 20"
        assert diverge(study, 0.00015, 3, layers=3) == "train_loss not finite at epoch 20"
