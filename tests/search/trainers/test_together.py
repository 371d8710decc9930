"""Trials that train side by side in one trainer."""

import gc
import threading
from dataclasses import asdict

import pytest

from objectives import regression
from search import tasks
from search.trainers.trainer import GO_ON, PAUSE, STOP, Trainer
from search.trainers.training import Training

CONFIGS = {seed: asdict(regression.Config(seed=seed, hidden_size=10, epochs=60)) for seed in (1, 2, 3)}


@pytest.fixture(scope="module")
def trainer():
    """A Trainer of a real task."""
    return Trainer(regression, regression.DATA.prepare("builtin"))


def alone(trainer, number):
    entries = []
    outcome = trainer.advance(number, CONFIGS[number], lambda entry: entries.append(entry) or GO_ON)
    return outcome, entries


def assert_alike(trainer, number, outcome, entries):
    """A trial went as it goes alone, but for rounding."""
    (_, (score, _)), expected = alone(trainer, number)
    assert outcome[0] == "finished" and outcome[1][0] == pytest.approx(score, rel=1e-3)
    assert [entry["epoch"] for entry in entries] == [entry["epoch"] for entry in expected]
    for name in ("train_loss", "validation_loss"):
        assert [entry[name] for entry in entries] == pytest.approx([e[name] for e in expected], rel=1e-3)


@pytest.mark.integration
def test_trials_that_train_together_end_as_they_do_alone(trainer, sizes):
    curves = {number: [] for number in CONFIGS}
    ends = dict(
        trainer.advance_together(CONFIGS, lambda number, entry: curves[number].append(entry) or GO_ON)
    )
    assert sizes == [3, 3, 3]  # until epoch 20, 40 and 60
    for number in CONFIGS:
        assert_alike(trainer, number, ends[number], curves[number])
        assert all(entry["seconds"] > 0 for entry in curves[number])


@pytest.mark.integration
def test_trial_that_pauses_or_stops_leaves_its_group_which_goes_on(trainer, sizes):
    curves = {number: [] for number in CONFIGS}
    verdicts = {1: PAUSE, 2: STOP, 3: GO_ON}

    def on_report(number, entry):
        curves[number].append(entry)
        return verdicts[number] if entry["epoch"] == 20 else GO_ON

    ends = list(trainer.advance_together(CONFIGS, on_report))
    assert ends[:2] == [(1, ("paused", None)), (2, ("stopped", None))]
    assert sizes == [3]
    assert_alike(trainer, 3, ends[2][1], curves[3])
    outcome = trainer.advance(1, CONFIGS[1], lambda entry: curves[1].append(entry) or GO_ON)
    assert_alike(trainer, 1, outcome, curves[1])


@pytest.mark.integration
def test_trial_that_waited_joins_others_that_are_as_far(trainer, sizes):
    for number in CONFIGS:
        trainer.advance(number, CONFIGS[number], lambda entry: PAUSE)
    curves = {number: [] for number in CONFIGS}
    ends = dict(
        trainer.advance_together(CONFIGS, lambda number, entry: curves[number].append(entry) or GO_ON)
    )
    assert sizes == [3, 3] and [entry["epoch"] for entry in curves[2]] == [40, 60]
    for number in CONFIGS:
        (_, (score, _)), _ = alone(trainer, number)
        assert ends[number][1][0] == pytest.approx(score, rel=1e-3)


def test_trials_of_different_shapes_train_side_by_side_without_a_group(trainer, sizes):
    configs = {1: CONFIGS[1], 2: CONFIGS[2] | {"hidden_size": 11}}
    ends = dict(trainer.advance_together(configs, lambda number, entry: GO_ON))
    assert ends[1] == alone(trainer, 1)[0] and ends[2][0] == "finished" and sizes == []


def gains(trainer, configs):
    """What was said of the gains of trials that train side by side, one after the other."""
    said = []
    list(trainer.advance_together(configs, lambda number, entry: GO_ON, lambda *gain: said.append(gain)))
    return said


def test_gain_is_told_of_the_first_trial_before_its_steps_and_of_others_when_they_finish():
    trainer = Trainer(regression, regression.DATA.prepare("builtin"))
    (first, gain), *others = gains(trainer, CONFIGS)
    assert first == 1 and gain > 0.0 and others == [(number, gain) for number in CONFIGS]
    assert gains(trainer, {7: CONFIGS[1]}) == [(7, gain)]  # it is measured once for each shape


def test_gain_of_trials_that_formed_no_group_is_1(trainer):
    configs = {number: CONFIGS[1] | {"hidden_size": 20 + number} for number in (1, 2)}
    assert gains(trainer, configs) == 2 * [(1, 1.0), (2, 1.0)]  # before their steps, and at their end


def test_trials_of_a_task_that_takes_its_own_steps_train_side_by_side(bowl):
    trainer = Trainer(bowl, bowl.DATA.prepare("builtin"))
    config = {"x": 0.5, "y": 100, "epochs": 3}
    ends = dict(trainer.advance_together({1: config, 2: config}, lambda number, entry: GO_ON))
    assert ends[1] == ends[2] == trainer.advance(3, config, lambda entry: GO_ON)


def test_error_of_the_caller_ends_all_trials(trainer):
    before = set(threading.enumerate())

    def on_report(number, entry):
        if number == 2:
            raise KeyboardInterrupt
        return GO_ON

    with pytest.raises(KeyboardInterrupt):
        list(trainer.advance_together(CONFIGS, on_report))
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("verdict", [GO_ON, STOP])
def test_nothing_holds_a_training_that_has_ended(trainer, verdict):
    def alive():
        return {id(each) for each in gc.get_objects() if type(each) is Training}

    gc.collect()
    before = alive()  # of other tests, which hang
    gc.disable()
    try:
        list(trainer.advance_together(CONFIGS, lambda number, entry: verdict))
        assert alive() <= before
    finally:
        gc.enable()


TINY = {
    "attention": {"n_embd": 4, "epochs": 1},
    "chargpt": {"n_embd": 4, "n_layer": 1, "epochs": 1},
    "digits": {"hidden_size": 8, "epochs": 1},
    "langid": {"hidden_size": 8, "epochs": 1},
    "regression": {"hidden_size": 8, "epochs": 20},
}


@pytest.mark.integration
@pytest.mark.parametrize("name", TINY)
def test_two_seeds_of_a_task_of_the_course_form_a_group(name, sizes):
    task = tasks.find(name)
    trainer = Trainer(task, task.DATA.prepare("builtin"))
    configs = {seed: asdict(task.Config(**TINY[name], seed=seed)) for seed in (1, 2)}
    ends = list(trainer.advance_together(configs, lambda number, entry: GO_ON))
    assert [how for _, (how, _) in ends] == ["finished", "finished"] and sizes == [2]
