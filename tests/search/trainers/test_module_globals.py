"""What a training changes at the top of a task's module, no other training sees."""

import pytest

from search.trainers.trainer import GO_ON, PAUSE, Trainer

STATEFUL = """
import functools

COUNT = 0
SEEN = []
TABLE = SEEN
GENERATOR = torch.Generator().manual_seed(3)
NUMPY = np.random.default_rng(3)


@functools.lru_cache
def cached(number):
    return [number]


def train(config, training, validation, report):
    global COUNT, NEW
    for epoch in range(1, config.epochs + 1):
        COUNT += 1
        NEW = globals().get("NEW", 0) + 1
        SEEN.append(epoch)
        cached(0).append(epoch)
        drawn = torch.rand(1, generator=GENERATOR).item() + NUMPY.random() + random.random()
        shown = f"{COUNT} {NEW} {SEEN} {TABLE is SEEN} {cached(0)} {drawn} {config.kind}"
        report(epoch, good() | {"state": shown})
    return build(config)
"""


@pytest.fixture
def stateful(write_task):
    return write_task("stateful", STATEFUL)


def test_a_training_begins_with_the_globals_as_they_were_before_any_training(stateful):
    trainer, states = Trainer(stateful, stateful.DATA.prepare("builtin")), []
    for _ in range(2):
        trainer.train(stateful.Config(), lambda entry: states.append(entry["state"]) or GO_ON)
    assert states[:3] == states[3:]
    assert states[2].startswith("3 3 [1, 2, 3] True [0, 1, 2, 3] ")
    assert (stateful.COUNT, stateful.SEEN, hasattr(stateful, "NEW")) == (0, [], False)


def test_a_training_that_pauses_has_its_own_globals_when_it_goes_on(stateful):
    trainer, states = Trainer(stateful, stateful.DATA.prepare("builtin")), {0: [], 1: []}
    for _ in range(4):
        for number, heard in states.items():
            config = {"kind": number}
            trainer.advance(number, config, lambda entry, to=heard: to.append(entry["state"]) or PAUSE)
    assert [state[:-1] for state in states[0]] == [state[:-1] for state in states[1]]
    assert [state[0] for state in states[0]] == ["1", "2", "3"]
    assert stateful.COUNT == 0
