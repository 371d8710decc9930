"""How a training ends whatever a task's code does, and from where it may report."""

import numpy as np
import pytest
from boundary import trained, trainer_of

from search.errors import TrialbookError
from search.trainers.trainer import GO_ON, PAUSE

# What ends a training

ENDS = {
    "pass": "TypeError: train returned None: it must return the trained network",
    "return build(config)": "ValueError: train reported no epoch: the last report must be of epoch 3, `e",
    "report(2, good()); return build(config)": "ValueError: train ended after the report of epoch 2 of 3",
    "report(4, good())": "ValueError: report: epoch 4 is beyond the last, 3, which is `epochs`",
    "sys.exit(0)": "the training called sys.exit(0)",
    "sys.exit()": "the training called sys.exit()",
    "sys.exit('no use')": "the training called sys.exit('no use')",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "raise RuntimeError('out of\\nsorts \\ud800\\0')": "RuntimeError: out of sorts \\ud800\\x00",
    "raise RuntimeError('x' * 10**7)": "RuntimeError: xxx",
    "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})": (
        "Odd: (its message cannot be shown: ZeroDivisionError)"
    ),
    "with contextlib.suppress(Exception): report(1, {})\n    return build(config)": (
        "ValueError: report: metrics lack train_loss"
    ),
    "try: report(1.0, good())\n    except TypeError: sys.exit(3)": "TypeError: report: epoch is 1.0 of type",
}


@pytest.mark.parametrize("code", ENDS)
def test_a_training_that_goes_wrong_fails_with_one_line(write_task, code):
    task = write_task("wrong", f"def train(config, training, validation, report):\n    {code}\n")
    how, cause = trained(task)
    assert how == "failed" and cause.startswith(ENDS[code])
    assert cause.isprintable() and len(cause) <= 500


@pytest.mark.parametrize("end", ["sys.exit(0)", "raise KeyboardInterrupt", "return 0.5"])
def test_a_score_that_goes_wrong_fails_with_one_line(write_task, end):
    how, cause = trained(write_task("wrong", f"def score(model, split):\n    {end}\n"))
    assert how == "failed"
    assert cause.startswith(
        ("the training called sys.exit(0)", "KeyboardInterrupt", "TypeError: score returned 0.5")
    )


def test_a_config_that_cannot_be_built_fails(write_task):
    how, cause = trainer_of(write_task("plain")).advance(0, {"unheard_of": 1}, lambda entry: GO_ON)
    assert how == "failed" and "unexpected keyword argument 'unheard_of'" in cause


CONSTRUCTED = """
BUILT = Shared()


@dataclass(frozen=True, kw_only=True)
class Config:
    kind: int = 0
    epochs: int = 3
    seed: int = 0

    def __post_init__(self):
        BUILT.append(threading.current_thread().name)
"""


def test_a_config_is_built_once_and_by_the_training(write_task):
    trainer = trainer_of(task := write_task("constructed", CONSTRUCTED))
    while trainer.advance(0, {"kind": 1}, lambda entry: PAUSE)[0] == "paused":
        assert task.BUILT == ["training"]
    assert task.BUILT == ["training"]


@pytest.mark.parametrize("settings", ["epochs: int = 'x'", "seed: int = 'x'", "seed: int = 2**70"])
def test_a_config_that_cannot_be_trained_fails(write_task, settings):
    fields = "@dataclass(frozen=True)\nclass Config:\n    epochs: int = 3\n    seed: int = 0\n    "
    how, cause = trained(write_task("wrong", fields + settings))
    assert how == "failed" and "Error: " in cause


def test_a_training_outside_a_search_that_fails_raises_its_cause(write_task):
    task = write_task("wrong", "def build(config): raise OSError('no such file')")
    with pytest.raises(TrialbookError, match="the training failed: OSError: no such file") as raised:
        trainer_of(task).train(task.Config(), lambda entry: GO_ON)
    assert type(raised.value.__cause__) is OSError


def test_a_training_is_scored_on_another_split_too(write_task):
    task = write_task("plain", "def score(model, split): return split.x_N1[0, 0].item(), 0.1")
    trainer, other = trainer_of(task), task.DATA.load(np.load(task.DATA.prepare("builtin")), "test")
    scores = trainer.test(task.Config(), lambda entry: GO_ON, other)
    assert scores == ((trainer.splits[1].x_N1[0, 0].item(), 0.1), (other.x_N1[0, 0].item(), 0.1))


# Where report is called

ELSEWHERE = """
def train(config, training, validation, report):
    thread = threading.Thread(target=elsewhere, args=(report,))
    thread.start()
    thread.join()
    for epoch in range(1, config.epochs + 1):
        report(epoch, good())
    return build(config)


def elsewhere(report):
    with contextlib.suppress(BaseException):
        report(1, good())
"""


def test_a_report_from_another_thread_fails_its_trial_and_is_not_heard(write_task):
    heard = []
    ended = trained(write_task("elsewhere", ELSEWHERE), heard.append)
    assert ended == (
        "failed",
        "RuntimeError: report was called in another thread: valid is a call by train itself",
    )
    assert heard == []


AFTERWARDS = """
KEPT = Shared()


def train(config, training, validation, report):
    if not KEPT:
        for epoch in range(1, config.epochs + 1):
            report(epoch, good())
    KEPT.append(report)
    return build(config)
"""


def test_a_report_after_the_end_affects_nothing(write_task):
    task, heard = write_task("afterwards", AFTERWARDS), []
    trainer = trainer_of(task)
    assert trainer.advance(0, {}, heard.append)[0] == "finished"
    (report,) = task.KEPT
    with pytest.raises(RuntimeError, match="report was called after the training had ended"):
        report(3, task.good())
    assert len(heard) == 3


FORKED = """
def train(config, training, validation, report):
    def forked(report):
        try:
            report(1, good())
        except RuntimeError:
            os._exit(5)

    child = multiprocessing.get_context("fork").Process(target=forked, args=(report,))
    child.start()
    child.join()
    assert child.exitcode == 5
    for epoch in range(1, config.epochs + 1):
        report(epoch, good())
    return build(config)
"""


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_report_from_another_process_is_not_heard(write_task):
    heard = []
    assert trained(write_task("forked", FORKED), heard.append)[0] == "finished"
    assert [entry["epoch"] for entry in heard] == [1, 2, 3]
