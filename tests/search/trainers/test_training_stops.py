"""How a training is stopped."""

import pytest
from boundary import trained, trainer_of

from search.errors import TrialbookError
from search.trainers import training
from search.trainers.trainer import PAUSE, STOP, Stop

STUBBORN = """
LEFT = Shared()


def train(config, training, validation, report):
    for epoch in range(1, config.epochs + 1):
        try:
            report(epoch, good())
        except {caught}:
            LEFT.append(epoch)
    LEFT.append("end")
    return build(config)
"""


@pytest.mark.parametrize("caught, left", [("Exception", []), ("BaseException", [1, 2, 3, "end"])])
def test_a_training_that_is_stopped_is_heard_no_more(write_task, caught, left):
    task, heard = write_task("stubborn", STUBBORN.format(caught=caught)), []
    assert trained(task, lambda entry: heard.append(entry["epoch"]) or STOP) == ("stopped", None)
    assert (heard, task.LEFT) == ([1], left)


def test_a_trial_that_is_dropped_ends_at_its_report(write_task):
    task = write_task(
        "stubborn", STUBBORN.format(caught="Exception").replace('LEFT.append("end")', "") + CLEANUP
    )
    trainer = trainer_of(task)
    assert trainer.advance(7, {}, lambda entry: PAUSE) == ("paused", None)
    trainer.drop(7)
    assert task.LEFT == ["clean"]
    assert not trainer.is_spoiled
    trainer.drop(7)  # it is not there any more


CLEANUP = """
trained = train


def train(config, training, validation, report):
    try:
        return trained(config, training, validation, report)
    finally:
        LEFT.append("clean")
"""

ENDLESS = """
GO = threading.Event()


def train(config, training, validation, report):
    while not GO.is_set():
        try:
            report(1, good())
        except BaseException:
            with contextlib.suppress(BaseException):
                GO.wait(0.01)
"""


def test_a_training_that_does_not_end_spoils_its_trainer_and_nothing_else(write_task, monkeypatch):
    monkeypatch.setattr(training, "GRACE", 0.1)
    endless, heard = write_task("endless", ENDLESS), []
    trainer = trainer_of(endless)
    assert trainer.advance(0, {}, lambda entry: heard.append(entry) or STOP) == (
        "stopped",
        None,
    )
    assert trainer.is_spoiled and len(heard) == 1
    endless.GO.set()


def test_a_listener_that_raises_is_no_failure_of_the_task(write_task):
    task = write_task("stubborn", STUBBORN.format(caught="Exception"))

    def reported(entry):
        raise TrialbookError("the study is gone")

    with pytest.raises(TrialbookError, match="^the study is gone$"):
        trained(task, reported)
    assert task.LEFT == []


INTERRUPTED = """
LEFT = Shared()


def train(config, training, validation, report):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            threading.Event().wait(0.01)
    finally:
        LEFT.append("clean")
"""


def test_ctrl_c_ends_a_training_and_passes(write_task):
    task = write_task("interrupted", INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        trained(task)
    assert task.LEFT == ["clean"]


def test_stop_is_raised_where_a_training_outside_a_search_is_stopped(write_task):
    task = write_task("plain")
    with pytest.raises(Stop):
        trainer_of(task).train(task.Config(), lambda entry: STOP)
