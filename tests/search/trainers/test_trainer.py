"""A trainer holds trials that pause, and its data."""

import threading
from dataclasses import asdict

import pytest

from data import DataError
from objectives import regression
from search.trainers.trainer import PAUSE, Trainer


@pytest.fixture
def trainer():
    """A Trainer of a real task."""
    return Trainer(regression, regression.DATA.prepare("builtin"))


CONFIGS = [regression.Config(seed=seed, hidden_size=100, epochs=60) for seed in (1, 2)]


def shown(entry):
    """An epoch without what its clock says."""
    return {name: value for name, value in entry.items() if name not in ("seconds", "time")}


@pytest.mark.integration
def test_trainings_that_pause_in_turn_equal_whole_ones_to_the_last_bit(trainer):
    whole = [
        (entries := [], trainer.train(config, lambda e, to=entries: to.append(shown(e))))
        for config in CONFIGS
    ]
    parts = [([], []) for _ in CONFIGS]
    while not all(ended for _, ended in parts):
        for number, config in enumerate(CONFIGS):  # in turn, an epoch each

            def on_report(entry, to=parts[number][0]):
                to.append(shown(entry))
                return PAUSE

            if not parts[number][1]:
                how, score = trainer.advance(number, asdict(config), on_report)
                assert how in ("paused", "finished")
                parts[number][1].extend([score] if how == "finished" else [])
    assert [(entries, [score]) for entries, score in whole] == parts


def test_a_trial_that_was_dropped_is_trained_from_its_first_epoch(trainer):
    epochs, config = [], asdict(CONFIGS[0])
    for _ in range(2):
        trainer.advance(0, config, lambda entry: epochs.append(entry["epoch"]) or PAUSE)
        trainer.drop(0)
    assert epochs == [20, 20]


def test_a_trainer_that_is_closed_ends_what_is_paused(trainer):
    before = set(threading.enumerate())
    for number, config in enumerate(CONFIGS):
        assert trainer.advance(number, asdict(config), lambda entry: PAUSE) == ("paused", None)
    paused = set(threading.enumerate()) - before
    assert len(paused) == len(CONFIGS)
    trainer.close()
    for thread in paused:
        thread.join(10)
        assert not thread.is_alive()


def test_a_trainer_refuses_data_that_changed_since_the_study_began(bowl):
    with pytest.raises(DataError, match="has changed: its digest is [0-9a-f]{12}, the study's 0{12}"):
        Trainer(bowl, bowl.DATA.prepare("builtin"), digest="0" * 12)
