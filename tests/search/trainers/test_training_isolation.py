"""Whatever a training does to its process, no other training sees it."""

import gc
import os
import sys
import threading
import warnings

import numpy as np
import torch
from boundary import plain, trained, trainer_of

from search.trainers.trainer import GO_ON, PAUSE

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
