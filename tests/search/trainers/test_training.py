"""The boundary during training: whatever a task's code does, its trial alone hears of it."""

import gc
import os
import sys
import threading
import warnings

import numpy as np
import pytest
import torch

from search.errors import TrialbookError
from search.trainers import training
from search.trainers.trainer import GO_ON, PAUSE, STOP, Stop, Trainer


def trainer_of(task):
    return Trainer(task, task.DATA.prepare("builtin"))


def trained(task, reported=lambda entry: GO_ON):
    """How a trial of a task with its defaults ends."""
    return trainer_of(task).advance(0, {}, reported)


def plain(entry):
    """An entry without what its clock says."""
    return {name: value for name, value in entry.items() if name not in ("seconds", "time")}


# What one training does, no other sees

STEADY = '''
def train(config, training, validation, report):
    """Draw from each generator, compute in each mode, and say what the modes are."""
    model = build(config)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for epoch in range(1, config.epochs + 1):
        noise = random.random() + np.random.rand() + np.random.normal() + torch.rand(()).item()
        loss = ((model(training.x_N1) - training.y_N1 * noise) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report(epoch, good(loss.item()) | {"modes": modes()})
    return model


def score(model, split):
    with torch.no_grad():
        return (model(split.x_N1) ** 2).mean().item() + random.random() + np.random.normal(), 0.1


def modes():
    return repr(
        [
            torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"),
            torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled(),
            torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark, np.geterr(),
            np.get_printoptions()["precision"], sorted(os.environ.items()), os.getcwd(), sys.path,
            type(sys.stdout).__name__, len(warnings.filters), sys.getrecursionlimit(), gc.isenabled(),
            locale.setlocale(locale.LC_ALL), decimal.getcontext().prec,
            multiprocessing.get_start_method(allow_none=True),
        ]
    )
'''

HOSTILE = (
    STEADY
    + '''
def train(config, training, validation, report):
    """Change everything that can be changed, and report in the midst of it."""
    training.x_N1.zero_()
    validation.y_N1.mul_(7)
    with contextlib.ExitStack() as stack:
        for mode in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16),
                     warnings.catch_warnings(), np.errstate(all="raise"), decimal.localcontext()):
            stack.enter_context(mode)
        stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        change(config)
        before = modes()
        for epoch in range(1, config.epochs + 1):
            torch.rand(epoch), np.random.normal(), random.gauss(0, 1)
            report(epoch, good())
            assert modes() == before, f"{modes()} is not {before}"
    return build(config)


def change(config):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.use_deterministic_algorithms(True)
    torch.set_anomaly_enabled(True)
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(2)
    torch.backends.cudnn.benchmark = True
    np.set_printoptions(precision=2)
    os.environ["HOSTILE"], os.environ["HOME"] = "1", "/"
    del os.environ["DATA_DIR"]
    os.chdir("/")
    sys.path.insert(0, "/hostile")
    warnings.simplefilter("error")
    sys.setrecursionlimit(5000)
    gc.disable()
    locale.setlocale(locale.LC_ALL, "C")
    decimal.getcontext().prec = 3
    multiprocessing.set_start_method("spawn", force=True)


def score(model, split):
    return 0.5, 0.01
'''
)


def in_turn(trainers, config):
    """Train a trial in each trainer, an epoch of each in turn. Returns what each reported, and its end."""
    heard = [[] for _ in trainers]
    ends = [None] * len(trainers)
    while None in ends:
        for place, trainer in enumerate(trainers):
            if ends[place] is None:
                reported = lambda entry, to=heard[place]: to.append(plain(entry)) or PAUSE  # noqa: E731
                how, content = trainer.advance(place, config, reported)
                ends[place] = None if how == "paused" else (how, content)
    return [(entries, end) for entries, end in zip(heard, ends, strict=True)]


def test_a_training_among_hostile_ones_equals_one_alone_to_the_last_bit(write_task):
    steady, hostile = write_task("steady", STEADY), write_task("hostile", HOSTILE)
    config = {"epochs": 4, "seed": 5}
    trainer = trainer_of(steady)
    (alone,) = in_turn([trainer], config)
    before = steady.modes()
    others = trainer_of(hostile)
    first, *_ = between = in_turn([trainer, others, trainer_of(steady), others], config)
    assert [end for _, end in between[1::2]] == [("finished", (0.5, 0.01))] * 2  # they keep their modes
    assert first == between[2] == alone and len(alone[0]) == 4
    assert in_turn([trainer], config) == [alone]
    assert steady.modes() == before
    heard = []
    score = trainer.train(steady.Config(**config), lambda entry: heard.append(plain(entry)) or GO_ON)
    assert (heard, ("finished", score)) == alone


def test_generators_of_the_process_are_as_they_were(write_task):
    trainer = trainer_of(write_task("hostile", HOSTILE))
    torch.manual_seed(3), np.random.seed(3)
    np.random.normal()  # a second one waits
    expected = torch.rand(2), np.random.normal()
    torch.manual_seed(3), np.random.seed(3)
    np.random.normal()
    trainer.advance(0, {}, lambda entry: PAUSE)
    assert trainer.advance(0, {}, lambda entry: GO_ON)[0] == "finished"
    assert torch.equal(torch.rand(2), expected[0]) and np.random.normal() == expected[1]


def test_the_listener_is_asked_with_the_settings_of_the_process(write_task):
    here, seen = os.getcwd(), []

    def reported(entry):
        modes = torch.is_grad_enabled(), torch.get_default_dtype(), "HOSTILE" in os.environ, gc.isenabled()
        seen.append((threading.current_thread(), os.getcwd(), sys.stdout, modes))
        warnings.warn("not an error here", stacklevel=1)
        return GO_ON

    with warnings.catch_warnings(record=True):
        assert trained(write_task("hostile", HOSTILE), reported)[0] == "finished"
    assert seen == [(threading.main_thread(), here, sys.stdout, (True, torch.float32, False, True))] * 3


IN_PLACE = """    for split in (training, validation):
        split.x_N1.div_(3)
"""
COPYING = """    training, validation = (s._replace(x_N1=s.x_N1 / 3) for s in (training, validation))
"""


def test_a_training_that_preprocesses_in_place_reports_what_one_that_copies_does(write_task):
    curves = []
    for name, code in (("changing", IN_PLACE), ("copying", COPYING)):
        task = write_task(name, STEADY.replace("    model = build", f"{code}    model = build", 1))
        trainer = trainer_of(task)
        for _ in range(3):
            curves.append([])
            trainer.train(task.Config(seed=2), lambda entry: curves[-1].append(entry["train_loss"]))
    assert len(curves[0]) == 3 and all(curve == curves[0] for curve in curves)


def test_a_task_that_does_not_seed_repeats(write_task):
    task = write_task("steady", STEADY)
    scores = {trainer_of(task).train(task.Config(seed=seed), lambda entry: GO_ON) for seed in (1, 2, 1, 2)}
    assert len(scores) == 2


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


# How a training is stopped

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
