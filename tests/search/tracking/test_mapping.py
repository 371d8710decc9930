"""What MLflow shows of a trial and a study."""

import math
from dataclasses import replace
from datetime import datetime

import pytest

from search.study.trial import TrialState, VoidEntry
from search.tracking import mapping
from search.tracking.client import PARENT


@pytest.fixture
def trial(searched):
    return searched.best()


def test_every_state_has_a_status_and_only_a_completed_trial_is_finished(trial):
    shown = {state: mapping.status_of(replace(trial, state=state)) for state in TrialState}
    assert [state for state, status in shown.items() if status == "FINISHED"] == ["completed"]
    assert [state for state, status in shown.items() if status == "RUNNING"] == ["running"]
    assert {shown[state] for state in ("failed", "diverged", "infeasible")} == {"FAILED"}


def test_name_says_the_number_the_replicate_and_the_void_entry(trial):
    entry = VoidEntry("void", (7,), "wrong", "me", "2026-01-01T00:00:00+00:00")
    assert mapping.name_of(replace(trial, number=7)) == "trial-0007"
    assert mapping.name_of(replace(trial, number=7, replicate_of=3)) == "trial-0007 repeats 3"
    assert mapping.name_of(replace(trial, number=7, void=entry)) == "trial-0007 (void)"


def test_beginning_of_a_replicate_and_of_a_retry_name_their_first_trials(trial, searched):
    replicate = replace(trial, replicate_of=3, replicate=2, retry_of=5)
    tags = mapping.beginning(replicate, "searched", searched.description, "parent")
    expected = {"kind": "repeat", "repeats": "3", "repeat": "2", "retry of": "5", PARENT: "parent"}
    assert expected.items() <= tags.items()
    assert mapping.beginning(trial, "searched", searched.description, "parent")["kind"] == "trial"


def test_same_trial_gives_the_same_entities(trial, searched):
    for entities in (
        lambda: mapping.ending(trial),
        lambda: mapping.params_of(trial),
        lambda: [mapping.metrics_of(entry) for entry in trial.curve],
        lambda: mapping.summary(trial, searched.description),
    ):
        assert entities() == entities()


def test_names_in_summary_do_not_hide_those_of_the_curve(trial, searched):
    assert not mapping.summary(trial, searched.description).keys() & trial.curve[-1].keys()


def test_summary_knows_the_direction_of_the_metric(trial, searched):
    curve = [entry | {"validation_height": value} for entry, value in zip(trial.curve, (3.0, 1.0, 2.0))]
    lowest, highest = (
        mapping.summary(replace(trial, curve=curve), replace(searched.description, direction=direction))
        for direction in ("minimize", "maximize")
    )
    assert (lowest["best_validation_height"], highest["best_validation_height"]) == (1.0, 3.0)
    assert lowest["last_validation_height"] == 2.0


def test_an_epoch_is_numbers_at_its_time_and_texts_by_path():
    entry = {"epoch": 3, "time": 12.5, "seconds": 0.5, "train_loss": 1.0, "diary": "I am well."}
    metrics = {
        (metric.key, metric.value, metric.timestamp, metric.step) for metric in mapping.metrics_of(entry)
    }
    assert metrics == {("seconds", 0.5, 12500, 3), ("train_loss", 1.0, 12500, 3)}
    assert list(mapping.texts_of(entry)) == [("diary/epoch-0003.txt", "I am well.")]


def test_long_values_are_cut_to_what_mlflow_keeps(trial):
    [param] = mapping.params_of(replace(trial, config={"prompt": "b" * 7000}))
    assert param.value == "b" * 6000
    assert mapping.as_tags({"why": "c" * 9000}) == {"why": "c" * 8000}


def test_note_of_a_person_is_kept_and_ours_is_renewed():
    ours = mapping.note({}, "first\n\nold", 100)
    assert ours[mapping.NOTE] == "first\n\nold"
    assert mapping.note(ours, "new", 100)[mapping.NOTE] == "new"
    assert mapping.note(ours | {mapping.NOTE: "mine"}, "new", 100) == {}
    assert mapping.note(ours | {mapping.NOTE: ""}, "new", 100)[mapping.NOTE] == "new"
    assert (
        mapping.note({mapping.NOTE: "first\n\nearlier"}, "first\n\nnew", 100)[mapping.NOTE] == "first\n\nnew"
    )


def test_differing_estimates_are_those_that_a_run_shows_otherwise():
    estimate = {"estimate": 0.5, "estimate_standard_error": 0.1}
    assert mapping.differing({}, estimate) == estimate
    assert mapping.differing(estimate, estimate | {"estimate": 0.5 * (1 + 1e-12)}) == {}
    assert mapping.differing(estimate, estimate | {"estimate": 0.5001}) == {"estimate": 0.5001}
    gone = mapping.differing(estimate, {})
    assert gone.keys() == estimate.keys() and all(map(math.isnan, gone.values()))
    assert mapping.differing(gone, {}) == mapping.differing({}, {}) == {}


def test_time_is_in_ms():
    assert mapping.ms(datetime.fromtimestamp(1.25)) == 1250
