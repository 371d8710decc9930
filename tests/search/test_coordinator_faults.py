"""A search goes on, or ends in words, whatever a task or the disk does to it."""

import math
import resource

import pytest
from heard import entry
from proposals import fixed
from stores import here

from search import paths, tasks
from search.coordinator import Clock, Coordinator, search
from search.errors import StoreError, TrialbookError
from search.executors.inline import Inline
from search.strategy.draws.sampler import N_STARTUP_TRIALS
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.stored import StoredStudy
from search.study.trial import numbers

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
