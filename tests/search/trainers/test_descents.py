"""Calls of `descend` by the code of a task, alone and side by side with others."""

import threading

import pytest
from boundary import trainer_of

from search.trainers.trainer import GO_ON

HEAD = """
import objectives.descent
from objectives.descent import descend
from torch.nn import functional as F

SCALE = 1.0


def criterion(scores, y):
    return F.mse_loss(SCALE * scores, y)


def batches(config):
    return list(zip(torch.randn(5, 4, 1), torch.randn(5, 4, 1)))


def prepare(config):
    pass


def train(config, training, validation, report):
    prepare(config)
    torch.manual_seed(config.seed)
    model = build(config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(1, config.epochs + 1):
        loss = descend(model, optimizer, criterion, batches(config), 5 * [0.1])
        report(epoch, good(loss))
    return model
"""

CODES = {
    "plain": "",
    "global": "def prepare(config):\n    global SCALE\n    SCALE = 3.0",
    "default type": "def prepare(config): torch.set_default_dtype(torch.float64)",
    "random batches": (
        "def batches(config): return ((torch.randn(4, 1), torch.randn(4, 1)) for _ in range(5))"
    ),
    "descend of an ended training": (
        "KEPT = Shared()\n"
        "def prepare(config):\n"
        "    global descend\n"
        "    KEPT.append(descend)\n"
        "    descend = KEPT[0]"
    ),
    "mixed precision": (
        "def train(*steps, train=train):\n"
        "    with torch.autocast('cpu', torch.bfloat16):\n"
        "        return train(*steps)"
    ),
    "numpy's batches": (
        "def batches(config):\n"
        "    return ((torch.from_numpy(np.random.randn(4, 1)).float(), torch.ones(4, 1)) for _ in range(5))"
    ),
}


@pytest.mark.parametrize("code", CODES)
def test_seeds_side_by_side_learn_as_each_does_alone(write_task, sizes, code):
    trainer = trainer_of(write_task("descending", HEAD + CODES[code]))
    alone, together = {1: [], 2: []}, {1: [], 2: []}
    others = set(threading.enumerate())
    for seed in alone:
        trainer.advance(seed, {"seed": seed}, lambda entry, own=alone[seed]: own.append(entry) or GO_ON)
        for thread in set(threading.enumerate()) - others:  # the next one may get its number
            thread.join(10)
    list(
        trainer.advance_together(
            {seed: {"seed": seed} for seed in together},
            lambda seed, entry: together[seed].append(entry) or GO_ON,
        )
    )
    for seed in alone:
        losses = [[entry["train_loss"] for entry in entries[seed]] for entries in (alone, together)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert sizes == ([2, 2, 2] if code in ("plain", "global", "default type") else [])


@pytest.mark.parametrize(
    "rates, cause",
    [
        ("itertools.repeat(0.1)", "ValueError: zip() argument 2 is longer than argument 1"),
        ("(0.1 for _ in range(4))", "ValueError: zip() argument 2 is shorter than argument 1"),
        ("", "TypeError: descend() missing 1 required positional argument: 'rates'"),
        ("[0.1], 3", "TypeError: descend() takes 5 positional arguments but 6 were given"),
    ],
)
def test_wrong_call_fails_with_what_the_plain_loop_says_of_it(write_task, rates, cause):
    trainer = trainer_of(write_task("descending", "import itertools\n" + HEAD.replace("5 * [0.1]", rates)))
    outcome = trainer.advance(1, {"seed": 1}, lambda entry: GO_ON)
    assert outcome[0] == "failed" and outcome[1].startswith(cause)


def test_measuring_a_gain_changes_no_globals_that_a_training_sees(write_task):
    counted = HEAD.replace("    return F.mse_loss", "    CALLS.append(1)\n    return F.mse_loss").replace(
        "good(loss)", 'good(loss) | {"calls": len(CALLS)}'
    )
    trainer, heard = trainer_of(write_task("descending", "CALLS = []\n" + counted)), []
    for number in (1, 2):
        trainer.advance(number, {"seed": 1}, lambda entry: heard.append(entry["calls"]) or GO_ON)
    assert heard == [5, 10, 15, 5, 10, 15]
