"""What the tests of executors share: a source of data, and a listener that writes down what it is told."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from search.executors.inline import Inline
from search.executors.processes import Processes
from search.trainers.messages import GO_ON

PATIENCE = 120  # seconds in which an executor must say something
KILLED = "the trainer was ended by SIGKILL, as a system does that runs out of memory"


@dataclass
class Source:
    """A TrainingSource that is no study."""

    task: ModuleType
    data_path: Path = None
    device: str = "cpu"
    digest: str | None = None

    def __post_init__(self):
        self.data_path = self.data_path or self.task.DATA.prepare("builtin")


RAY = pytest.param(
    "ray",
    marks=[
        pytest.mark.thorough,
        pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
    ],
)


def open_executor(request, kind, task, **source):
    """An Executor of a kind: "inline", "process", "two processes" or "ray"; `source` as in Source."""
    source = Source(task, **source)
    if kind == "inline":
        return Inline(source)
    if kind == "ray":
        cluster = request.getfixturevalue("cluster")
        from search.executors.ray import Ray

        return Ray(source, 1, cluster.address)
    return Processes(source, 2 if kind == "two processes" else 1)


class Recorder:
    """A Listener that answers with `verdict(number, entry)`, and keeps each trial's entries and its ends."""

    def __init__(self, verdict=lambda number, entry: GO_ON):
        self.entries, self.ends, self.gains, self._verdict = {}, {}, {}, verdict

    def reported(self, number, entry):
        self.entries.setdefault(number, []).append(entry)
        return self._verdict(number, entry)

    def finished(self, number, score):
        self.ends.setdefault(number, []).append(("finished", score))

    def failed(self, number, cause):
        self.ends.setdefault(number, []).append(("failed", cause))

    def lost(self, number, cause):
        self.ends.setdefault(number, []).append(("lost", cause))

    def measured(self, number, gain):
        self.gains[number] = gain

    def epochs(self, number):
        """The epochs that were reported of a trial."""
        return [entry["epoch"] for entry in self.entries.get(number, [])]


def listen_until(executor, listener, condition):
    """Listen until a condition holds."""
    for _ in range(PATIENCE * 4):
        if condition():
            return
        executor.listen(listener, 0.25)
    raise AssertionError(f"nothing came of it in {PATIENCE} seconds: {listener.ends}")


def until_free(executor, listener):
    """Listen until a trial can start."""
    listen_until(executor, listener, lambda: executor.free)


def train(executor, listener, number, config):
    """Train a trial until it ends."""
    until_free(executor, listener)
    executor.start(number, config)
    listen_until(executor, listener, lambda: number in listener.ends)
    return listener.ends[number]


def shown(entry):
    """An epoch without what its clock says."""
    return {name: value for name, value in entry.items() if name not in ("seconds", "time")}


def assert_same_trainings(one, other):
    """Two studies made the same draws, which trained alike.

    How far each was trained may differ: that depends on how long epochs took, by the clock.
    """
    for mine, theirs in zip(one.trials(), other.trials(), strict=True):
        assert (mine.draw, mine.config) == (theirs.draw, theirs.config)
        common = min(mine.epochs, theirs.epochs)
        assert common and list(map(shown, mine.curve[:common])) == list(map(shown, theirs.curve[:common]))
        if mine.state == theirs.state == "completed":
            assert mine.score == theirs.score


def is_alive(process):
    """Whether a process of this number runs."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition):
    """Wait until a condition holds, for ten seconds at most."""
    for _ in range(100):
        if condition():
            return
        threading.Event().wait(0.1)
    raise AssertionError("the condition does not hold")


def path_of_toys():
    """PYTHONPATH of another process that is to find the toys."""
    toys = Path(__file__).parent
    return os.pathsep.join(map(str, (toys.parents[1], toys)))
