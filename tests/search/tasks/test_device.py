"""What is trained on: the device that was asked for, or the CPU and why."""

from dataclasses import replace

import pytest
import torch
from logs import log_store
from stores import here

import data
from objectives.replay import machine
from search import tasks
from search.cli.options import SearchOptions
from search.cli.sessions import session
from search.study.stored import StoredStudy
from search.tasks import device
from search.tasks.provenance import provenance

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")


def test_the_cpu_is_always_there():
    assert device.usable("cpu") == ("cpu", "")


@without_gpu
def test_without_a_gpu_the_reason_is_a_phrase():
    usable, why = device.usable("cuda")
    assert usable == "cpu"
    assert why and "\n" not in why and len(why) < 100 and not why.endswith(".")


@without_gpu
def test_without_a_gpu_a_search_says_so_in_one_line_and_goes_on(bowl, database, capsys):
    assert (
        session.run(
            bowl,
            here(),
            log_store(),
            SearchOptions(trials=2, trainers="inline", device="cuda", study="s", confirm=0),
        )
        == 0
    )
    said = [line for line in capsys.readouterr().out.splitlines() if "DEVICE" in line]
    assert len(said) == 1 and said[0].startswith("DEVICE=cuda: torch sees no GPU here (")
    assert said[0].endswith("); training on the CPU.")
    trials = list(StoredStudy.read(here(), "s").trials())
    assert [trial.state for trial in trials] == ["completed", "completed"]
    assert all(trial.provenance["machine"] == machine() for trial in trials)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_gpu_is_what_a_trial_was_trained_on(bowl, database):
    options = SearchOptions(trials=1, trainers="inline", device="cuda", study="s", confirm=0)
    session.run(bowl, here(), log_store(), options)
    recorded = StoredStudy.read(here(), "s").trial(0).provenance["machine"]
    assert recorded == provenance("cuda")["machine"] != machine()
    assert recorded.keys() == machine().keys()


def test_a_split_is_moved_whole():
    for name in ("langid", "chargpt"):  # a named tuple, a tensor
        source = tasks.find(name).DATA
        split = source.load(data.read(source.prepare("builtin")), "validation")
        moved = device.moved(split, "meta")
        assert type(moved) is type(split)
        for part in [moved] if torch.is_tensor(moved) else moved:
            assert part.is_meta


class UnfusedAdam(torch.optim.Adam):
    """Torch has no fused one for the meta device."""

    def __init__(self, *what, fused, **how):
        super().__init__(*what, **how)


LARGE = pytest.param("chargpt", marks=pytest.mark.integration)


@pytest.mark.parametrize("name", ["regression", "digits", "convolution", "attention", LARGE])
def test_what_a_training_makes_is_on_the_device_of_its_data(name, monkeypatch):
    """The meta device has no numbers, so a training ends where the first is read: after a whole epoch.
    A tensor on the CPU would end it before, in another way.
    """
    monkeypatch.setattr(torch.optim, "Adam", UnfusedAdam)
    task = tasks.find(name)
    arrays = data.read(task.DATA.prepare("builtin"))
    splits = [device.moved(task.DATA.load(arrays, split), "meta") for split in ("train", "validation")]
    wrong = pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta tensors")
    with torch.device("meta"), wrong:
        task.train(replace(task.Config(), epochs=1, batch_size=100), *splits, lambda epoch, metrics: None)
