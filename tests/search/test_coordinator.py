"""The loop: asks, prunes, tells, and ends."""

import math
import statistics

import pytest

from search import tasks, winner
from search.coordinator import Coordinator, confirm, search
from search.errors import TrialbookError
from search.study import Study
from search.trainers.inline import Inline
from search.trial import numbers


class Watcher:
    """Writes down what it hears."""

    def __init__(self):
        self.heard = []

    def started(self, trial):
        self.heard.append(("started", trial.number, trial.state))

    def reported(self, trial):
        self.heard.append(("reported", trial.number, trial.curve[-1]["epoch"]))

    def finished(self, trial):
        self.heard.append(("finished", trial.number, trial.state))


def test_it_finds_the_optimum(bowl):
    with Study.open(bowl) as study:
        search(study, Inline(study), trials=60)
        assert study.best().score < 0.01


def test_trials_are_counted_in_total(bowl):
    for trials in (3, 5, 5, 4):
        with Study.open(bowl) as study:
            search(study, Inline(study), trials=trials)
            assert study.counted() == max(trials, study.counted())
    assert Study.read("bowl-builtin").counted() == 5


def test_watchers_hear_everything_in_order(bowl):
    watcher = Watcher()
    with Study.open(bowl) as study:
        search(study, Inline(study), trials=2, watchers=[watcher])
    for number in range(2):
        reports = [("reported", number, epoch) for epoch in range(1, 6)]
        mine = [event for event in watcher.heard if event[1] == number]
        assert mine == [("started", number, "running"), *reports, ("finished", number, "completed")]


def test_what_falls_behind_is_pruned_with_its_reason(bowl):
    with Study.open(bowl) as study:
        search(study, Inline(study), trials=40)
        trials = list(study.trials())
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        epoch, best = trial.curve[-1]["epoch"], min(entry["validation_height"] for entry in trial.curve)
        earlier = [t for t in trials[: trial.number] if t.state == "completed"]
        median = statistics.median(t.curve[epoch - 1]["validation_height"] for t in earlier)
        assert trial.score is None and best > median
        assert trial.reason == (
            f"at epoch {epoch}: {best:.4g} at best, against a median of {median:.4g} "
            f"of {len(earlier)} completed trials"
        )


def test_it_stops_when_the_time_is_over(bowl):
    with Study.open(bowl) as study:
        search(study, Inline(study), seconds=0)
        assert study.counted() == 0
        search(study, Inline(study), seconds=0.2)
        states = [trial.state for trial in study.trials()]
    assert states and "running" not in states
    assert states.count("interrupted") <= 1


def test_what_is_interrupted_is_closed_and_retried(bowl):
    watcher = Watcher()
    with Study.open(bowl) as study:
        search(study, Inline(study), watchers=[watcher], stopping=lambda: len(watcher.heard) >= 10)
        assert study.trial(1).state == "interrupted"
        assert study.trial(1).reason == "the search was stopped"
        assert watcher.heard[-1] == ("finished", 1, "interrupted")
        search(study, Inline(study), trials=2)
        assert study.trial(2).retry_of == 1
        assert study.trial(2).config == study.trial(1).config


@pytest.mark.parametrize(
    "mood, state, reason, epochs",
    [
        ("nan", "diverged", "train_loss not finite at epoch 1", 0),
        ("late nan", "diverged", "train_loss not finite at epoch 2", 1),
        ("nan score", "diverged", "score not finite", 3),
        ("error", "failed", "RuntimeError: out of sorts", 1),
        ("no score", "failed", "TypeError: cannot unpack non-iterable NoneType object", 3),
    ],
)
def test_what_goes_wrong_is_recorded_and_the_search_goes_on(moody, mood, state, reason, epochs):
    with Study.open(moody(mood)) as study:
        search(study, Inline(study), trials=12)
        trials = [trial for trial in study.trials() if trial.params["mood"] == mood]
        assert study.counted() == 12 and study.best().params == {"mood": "well"}
    assert trials
    for trial in trials:
        assert (trial.state, trial.reason, len(trial.curve)) == (state, reason, epochs)
        assert trial.score is None
        assert all(math.isfinite(value) for entry in trial.curve for value in numbers(entry).values())


def test_the_sampler_learns_from_what_diverged(moody):
    with Study.open(moody("nan")) as study:
        search(study, Inline(study), trials=40)
        diverged = [trial.state == "diverged" for trial in study.trials()]
    assert sum(diverged[10:]) < len(diverged[10:]) / 3


def test_failures_in_a_row_with_one_cause_end_the_search_with_that_cause(moody, monkeypatch):
    with Study.open(moody("error")) as study:
        monkeypatch.setattr("objectives.moody.train", lambda *_: 1 / 0)
        with pytest.raises(
            TrialbookError, match="3 trials in a row failed with one cause: ZeroDivisionError"
        ):
            search(study, Inline(study), trials=100)
        assert [trial.state for trial in study.trials()] == ["failed"] * 3


def test_a_trainer_is_not_heard_any_more_once_its_trial_has_ended(bowl):
    class Late(Inline):
        """Goes on after it was told to stop, as a trainer far away may."""

        def listen(self, ear, seconds):
            number, _ = self._waiting.pop()
            for epoch in range(1, 6):
                height = 1 / epoch + number
                entry = {"epoch": epoch, "validation_height": height, "validation_loss": height}
                ear.reported(number, entry | {"train_loss": height, "seconds": 1.0, "time": 1.0})
            ear.finished(number, (float(number), 0.1))
            ear.failed(number, "too late")

    with Study.open(bowl) as study:
        search(study, Late(study), trials=8)
        states = [trial.state for trial in study.trials()]
    assert states == ["completed"] * 4 + ["pruned"] * 4


def test_the_best_few_are_trained_again_on_fresh_seeds(bowl):
    with Study.open(bowl) as study:
        search(study, Inline(study), trials=12)
        few = [trial.number for trial in winner.candidates(study)]
        confirm(study, Inline(study), repeats=3)
        repeats = [trial for trial in study.trials() if trial.confirms is not None]
        assert [trial.confirms for trial in repeats[:3]] == few  # in turn
        # Without noise two repeats show who is worse, and one that is alone needs no third.
        assert [(trial.confirms, trial.repeat) for trial in repeats[3:]] == [
            (few[0], 2),
            (few[1], 2),
            (few[2], 2),
        ]
        confirm(study, Inline(study), repeats=3)
        assert len(list(study.trials())) == 18 and study.counted() == 12
        assert winner.choose(study).trial.number == few[0]


def test_repeats_that_were_interrupted_are_made_up_for(bowl):
    with Study.open(bowl) as study:
        search(study, Inline(study), trials=4)
        asked = iter(range(8))
        confirm(study, Inline(study), repeats=2, stopping=lambda: next(asked, 8) == 8)
        assert [trial.state for trial in study.trials()].count("interrupted") == 1
        confirm(study, Inline(study), repeats=2)
        assert all(len(standing.scores) == 2 for standing in winner.standings(study))


def test_what_diverges_names_what_is_probably_to_blame():
    from objectives import regression

    hot = tasks.baseline(regression) | {"learning_rate": 0.0097}
    with Study.open(regression) as study:
        trial = study._begin(hot, 1, 1, {"draw": 0, "retry_of": None})
        ear = Coordinator(study, Inline(study), [], lambda: None)
        ear.running.add(trial.number)
        ear.reported(trial.number, {"epoch": 20, "train_loss": math.nan, "validation_mse": 0.5})
        assert study.trial(trial.number).reason == (
            "train_loss not finite at epoch 20: learning_rate 0.0097 is probably too high for "
            "hidden_size 200, layers 1, batch_size 20"
        )
