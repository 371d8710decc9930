"""Trainers in processes: whole searches, and the processes themselves."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
from executor_tests import (
    KILLED,
    Recorder,
    assert_same_trainings,
    is_alive,
    listen_until,
    path_of_toys,
    train,
    until_free,
    wait_until,
)
from stores import here

from data import read
from search.coordinator import search
from search.executors.inline import Inline
from search.executors.processes import Processes
from search.study.opening import open_study
from search.study.stored import StoredStudy

pytestmark = pytest.mark.integration

EXECUTORS = {
    "inline": Inline,
    "one": lambda study: Processes(study, 1),
    "two": lambda study: Processes(study, 2),
}


@pytest.mark.parametrize("kind", EXECUTORS)
def test_trials_are_trained_to_the_end(bowl, kind):
    with open_study(here(), bowl) as study, EXECUTORS[kind](study) as executor:
        search(study, executor, trials=6)
        trials = list(study.trials())
    assert len(trials) == 6
    for trial in trials:
        assert trial.state in ("completed", "pruned")
        assert [entry["epoch"] for entry in trial.curve] == list(range(1, len(trial.curve) + 1))
    assert sum(trial.state == "completed" for trial in trials) >= 3


def test_one_process_trains_exactly_as_inline_does(bowl):
    for kind in ("inline", "one"):
        with open_study(here(), bowl, kind) as study, EXECUTORS[kind](study) as executor:
            search(study, executor, trials=20)
    assert_same_trainings(*(StoredStudy.read(here(), kind) for kind in ("inline", "one")))


@pytest.mark.parametrize(
    "mood, reason",
    [
        ("exit", "the trainer exited with code 7"),
        ("kill", KILLED),
        ("segfault", "the trainer was ended by SIGSEGV"),
        ("error", "RuntimeError: out of sorts"),
    ],
)
def test_a_search_goes_on_where_a_trainer_dies(moody, mood, reason):
    with open_study(here(), moody(mood, baseline=mood)) as study:
        with Processes(study, 1) as executor:
            search(study, executor, trials=6)
        first = study.trial(0)
        assert study.n_finished() == 6 and study.best().params == {"mood": "well"}
    assert (first.state, first.reason) == ("failed", reason)


def test_a_search_ends_a_trainer_that_hangs(moody, monkeypatch):
    monkeypatch.setattr("search.executors.silence.MIN_SILENCE", 1.0)
    monkeypatch.setattr("search.executors.silence.FIRST_SILENCE", 30.0)
    with open_study(here(), moody("hang", baseline="hang")) as study:
        with Processes(study, 1) as executor:
            search(study, executor, trials=6)
        first = study.trial(0)
        assert study.n_finished() == 6 and study.best().params == {"mood": "well"}
    assert (first.state, first.epochs) == ("failed", 1)
    assert first.reason == "the trainer hung: no epoch in 10 times as long as one takes"
    assert not is_alive(first.curve[0]["process"])


def test_the_end_leaves_no_process(bowl):
    before = set(multiprocessing.active_children())
    with open_study(here(), bowl) as study, Processes(study, 2):
        begun = set(multiprocessing.active_children()) - before
        assert len(begun) == 2 and all(process.is_alive() for process in begun)
    assert not any(process.is_alive() for process in begun)


COORDINATOR = """
import multiprocessing, signal
from objectives import bowl
from search.executors.processes import Processes
from search.study.opening import open_study
from stores import here
with open_study(here(), bowl) as study:
    executor = Processes(study, 1)
    executor.listen(None, 60)  # the trainer is ready
    print(multiprocessing.active_children()[0].pid, flush=True)
    signal.pause()
"""


def test_trainers_end_with_their_coordinator():
    command, environment = [sys.executable, "-c", COORDINATOR], {**os.environ, "PYTHONPATH": path_of_toys()}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as coordinator:
        trainer = int(coordinator.stdout.readline())
        assert is_alive(trainer)
        coordinator.kill()
    wait_until(lambda: not is_alive(trainer))


LOADER = """
def train(config, training, validation, report):
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*training), 64, num_workers=2, persistent_workers=True,
        collate_fn=lambda rows: torch.stack([x for x, _ in rows]),
    )
    for epoch in range(1, config.epochs + 1):
        total = sum(float(x.sum()) for x in loader)
        workers = " ".join(str(child.pid) for child in multiprocessing.active_children())
        report(epoch, good(total) | {"workers": workers, "process": os.getpid()})
    if config.kind:
        threading.Event().wait()
    return build(config)
"""


def test_a_task_may_load_its_data_by_processes(write_task):
    task, listener = write_task("loader", LOADER), Recorder()
    with open_study(here(), task) as study, Processes(study, 1) as executor:
        assert train(executor, listener, 0, {"kind": 0}) == [("finished", (0.5, 0.01))]
        split = task.DATA.load(read(study.data_path), "train")
    entries = listener.entries[0]
    assert [entry["train_loss"] for entry in entries] == pytest.approx(
        [float(split.x_N1.sum())] * 3, abs=1e-3
    )
    assert all(len(entry["workers"].split()) == 2 for entry in entries)
    wait_until(lambda: not any(map(is_alive, entries[0]["workers"].split())))


def test_processes_of_a_task_end_with_a_trainer_that_is_killed(write_task):
    task, listener = write_task("loader", LOADER), Recorder()
    with open_study(here(), task) as study, Processes(study, 1) as executor:
        until_free(executor, listener)
        executor.start(0, {"kind": 1})
        listen_until(executor, listener, lambda: listener.epochs(0) == [1, 2, 3])
        entry = listener.entries[0][0]
        workers = entry["workers"].split()
        assert len(workers) == 2 and all(map(is_alive, workers))
        os.kill(entry["process"], signal.SIGKILL)
        listen_until(executor, listener, lambda: listener.ends)
        assert listener.ends == {0: [("failed", KILLED)]}
        wait_until(lambda: not any(map(is_alive, workers)))
