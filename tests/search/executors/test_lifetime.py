"""The contract of executors for their beginning and their end: see `search.executors.executor`."""

import subprocess
import sys
import threading
from dataclasses import asdict

import pytest
from executor_tests import (
    RAY,
    Recorder,
    is_alive,
    listen_until,
    open_executor,
    shown,
    until_free,
    wait_until,
)

from data import DataError
from objectives import moody, regression
from search import paths
from search.errors import TrialbookError
from search.trainers.messages import GO_ON, PAUSE
from search.trainers.trainer import Trainer

pytestmark = pytest.mark.integration

WELL = {"mood": "well"}
each_kind = pytest.mark.parametrize("kind", ["inline", "process", "two processes", RAY])
each_elsewhere = pytest.mark.parametrize("kind", ["process", RAY])


@each_kind
def test_trials_that_pause_in_turn_equal_whole_ones_to_the_last_bit(request, kind):
    configs = [asdict(regression.Config(seed=seed, hidden_size=100, epochs=60)) for seed in (1, 2)]
    trainer = Trainer(regression, regression.DATA.prepare("builtin"))
    whole = [_trained(trainer, config) for config in configs]
    listener = Recorder(lambda number, entry: PAUSE)
    with open_executor(request, kind, regression) as executor:
        while len(listener.ends) < len(configs):
            for number, config in enumerate(configs):
                if number not in listener.ends:
                    listen_until(executor, listener, lambda: executor.free == executor.jobs)
                    executor.start(number, config)
                    known = listener.epochs(number)
                    listen_until(
                        executor,
                        listener,
                        lambda number=number, known=known: (
                            number in listener.ends or listener.epochs(number) != known
                        ),
                    )
    assert [len(entries) for entries, _ in whole] == [3, 3]
    for number, (entries, score) in enumerate(whole):
        assert [*map(shown, listener.entries[number])] == entries
        assert listener.ends[number] == [("finished", score)]


def _trained(trainer, config):
    """The entries and the score of a training that is not paused."""
    entries = []
    score = trainer.train(regression.Config(**config), lambda entry: entries.append(shown(entry)) or GO_ON)
    return entries, score


@each_kind
@pytest.mark.parametrize(
    "source, cause",
    [
        ({"data_path": paths.ROOT / "nothing.npz"}, "cannot read"),
        ({"digest": "0" * 12}, ".* has changed: its digest is [0-9a-f]{12}, the study's 0{12}"),
    ],
    ids=["missing", "changed"],
)
def test_data_that_cannot_be_used_are_an_error_and_no_endless_loop(request, kind, source, cause):
    here = kind == "inline" or (kind == "ray" and "data_path" in source)  # where the data are read
    listener, begins = Recorder(), "^" if here else "^trainers do not start: DataError: "
    with (
        pytest.raises(DataError if here else TrialbookError, match=begins + cause),
        open_executor(request, kind, moody, **source) as executor,
    ):
        until_free(executor, listener)
    assert not listener.ends


@each_kind
def test_an_error_of_the_listener_passes_and_everything_ends(request, kind):
    def refuse(number, entry):
        raise TrialbookError("the study is gone")

    listener = Recorder(refuse)
    with (
        pytest.raises(TrialbookError, match="^the study is gone$"),
        open_executor(request, kind, moody) as executor,
    ):
        until_free(executor, listener)
        executor.start(0, WELL)
        listen_until(executor, listener, lambda: listener.ends)
    assert listener.epochs(0) == [1] and not listener.ends


@each_elsewhere
def test_the_end_stops_what_trains(request, kind):
    listener = Recorder()
    with open_executor(request, kind, moody) as executor:
        until_free(executor, listener)
        executor.start(0, {"mood": "hang"})
        listen_until(executor, listener, lambda: listener.entries)
        process = listener.entries[0][0]["process"]
        assert is_alive(process)
    wait_until(lambda: not is_alive(process))
    assert not listener.ends


def test_the_end_stops_what_is_paused_in_this_process(request):
    before, listener = set(threading.enumerate()), Recorder(lambda number, entry: PAUSE)
    with open_executor(request, "inline", moody) as executor:
        executor.start(0, WELL)
        executor.listen(listener, 1)
        (training,) = set(threading.enumerate()) - before
    training.join(10)
    assert not training.is_alive() and listener.epochs(0) == [1]


def test_the_coordinators_process_needs_no_torch():
    code = "import search.executors.processes, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, timeout=60).returncode == 0
