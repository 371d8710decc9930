"""Train on the machines of a Ray cluster. Ray places the trainers; the study stays with the coordinator.

Each trainer is an actor with a share of CPUs, GPUs and memory of its own. The data reach each machine once,
through Ray's object store. One answer of a trainer carries all its messages since the last answer.
"""

import json
import math
import os
import queue
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the future default: no warning

import ray
from ray.exceptions import RayError

import data
from search import paths
from search.errors import StoreError
from search.executors.executor import TrainingSource
from search.executors.pool import Pool, RemoteTrainer
from search.executors.worker import Message, work
from search.primitives.text import one_line
from search.trainers.messages import MAX_CAUSE

GIB = 2**30
CONNECT_TIMEOUT = 5.0  # seconds in which a cluster must answer
RESIZE_INTERVAL = 2.0  # seconds between two checks of the cluster's size
EXCLUDED = ["/.venv*", "/.git", "/mlruns", "/mlflow.db*", "/data/cache", "/data/course"]


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of a machine that each trainer has."""

    cpus: float = 1.0
    gpus: float = 0.0  # a fraction: several trainers share one
    memory: float = 0.0  # GiB; 0: no limit

    def resources(self) -> dict[str, float]:
        """The same by Ray's names."""
        amounts = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory * GIB}
        return {name: amount for name, amount in amounts.items() if amount}


class _RayTrainer(RemoteTrainer):
    """One trainer on the cluster, as the coordinator's process sees it."""

    def __init__(self, share: Share, *args: Any) -> None:
        super().__init__()
        resources = share.resources()
        declare: Any = ray.remote  # whose annotations lack concurrency_groups
        self._actor = (
            declare(concurrency_groups={"deliver": 1, "collect": 1})(Actor)
            .options(
                num_cpus=resources.get("CPU", 0),
                num_gpus=resources.get("GPU", 0),
                memory=resources.get("memory"),
            )
            .remote(*args)
        )
        self._node = self._actor.node.remote()  # this and the next are references to results
        self.answer = self._actor.collect.remote()
        self._end = "it was ended"

    def send(self, *message: Any) -> None:
        self._actor.deliver.remote(json.dumps(message))

    def receive(self) -> list[Message]:
        try:
            messages = ray.get(self.answer)
        except RayError as error:
            self._end = str(error).strip().splitlines()[-1]
            raise EOFError from None
        self.answer = self._actor.collect.remote()
        return [json.loads(message) for message in messages]

    def kill(self) -> None:
        ray.kill(self._actor)

    def end(self) -> str:
        return f"the trainer ended: {self._end}"[:MAX_CAUSE]

    def was_lost(self) -> bool:
        gone = {node["NodeID"] for node in ray.nodes() if not node["Alive"]}
        placed, _ = ray.wait([self._node], timeout=0)
        try:
            return bool(placed) and ray.get(self._node) in gone
        except RayError:
            return True  # it ended before it started


class Ray(Pool[_RayTrainer]):
    """An Executor of as many trainers as fit into the cluster, at most `jobs`.

    Args:
        jobs: inf for no limit.
        address: of the cluster, as `ray.init` takes it; None starts one here.
        share: the part of a machine that each trainer has: see `Share`.

    Raises StoreError if there is no cluster; data.DataError.
    """

    def __init__(
        self, study: TrainingSource, jobs: float = math.inf, address: str | None = None, **share: float
    ) -> None:
        self._share = Share(**share)
        self._max_jobs = jobs
        arrays = data.read(study.data_path)  # before a connection that would have to be closed again
        _connect(address)
        self._args = study.task.__name__, ray.put(arrays), study.device, study.digest
        self._resized_at = time.monotonic()
        super().__init__(self._capacity())

    def _new_trainer(self) -> _RayTrainer:
        return _RayTrainer(self._share, *self._args)

    def _poll(self, seconds: float) -> list[_RayTrainer]:
        self._grow()
        by_answer = {trainer.answer: trainer for trainer in self._trainers}
        answered, _ = ray.wait(list(by_answer), num_returns=len(by_answer), timeout=0)
        if not answered:
            answered, _ = ray.wait(list(by_answer), timeout=seconds)
        return [by_answer[answer] for answer in answered]

    def _capacity(self) -> int:
        """The number of trainers that fit into the cluster, at least one, which may wait."""
        available, needed = ray.cluster_resources(), self._share.resources()
        room = min(math.floor(available.get(name, 0) / amount + 1e-9) for name, amount in needed.items())
        return int(min(self._max_jobs, max(1, room)))

    def _grow(self) -> None:
        """Start trainers on machines that joined. A lost trainer has been replaced already."""
        if time.monotonic() > self._resized_at + RESIZE_INTERVAL:
            self._resized_at = time.monotonic()
            more = self._capacity() - len(self._trainers)
            self._trainers += [self._new_trainer() for _ in range(more)]

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        ray.shutdown()


def _connect(address: str | None) -> None:
    """Connect to a cluster, or start one on this machine. Its machines get today's code."""
    environment = {"working_dir": str(paths.ROOT), "excludes": EXCLUDED}
    settings: dict[str, Any] = {} if address else {"include_dashboard": False}
    settings |= {"runtime_env": environment, "log_to_driver": False, "logging_level": "ERROR"}
    try:
        _require_answer(address)
        ray.init(address or "local", **settings)
    except (OSError, RayError, RuntimeError, ValueError, AssertionError) as error:
        raise StoreError(f"no Ray cluster at ADDRESS {address!r}: {one_line(error)}") from None


def _require_answer(address: str | None) -> None:
    """Raise OSError if nothing answers at an address. Ray itself would wait for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT).close()


class Actor:
    """A trainer, where it runs, and the channel to it. Its work has a thread of its own."""

    def __init__(self, task_name: str, arrays: dict[str, Any], device: str, digest: str | None) -> None:
        self._received: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._to_send: queue.SimpleQueue[str] = queue.SimpleQueue()
        arrays = {name: array.copy() for name, array in arrays.items()}  # Ray's own cannot be written to
        args = self, task_name, arrays, device, digest
        threading.Thread(target=work, args=args, daemon=True).start()

    # Called by the coordinator's process

    @ray.method(concurrency_group="deliver")
    def node(self) -> str:
        """The id of this machine."""
        return str(ray.get_runtime_context().get_node_id())

    @ray.method(concurrency_group="deliver")
    def deliver(self, message: str) -> None:
        """Take in a message."""
        self._received.put(message)

    @ray.method(concurrency_group="collect")
    def collect(self) -> list[str]:
        """Wait for a message, then return all messages."""
        messages = [self._to_send.get()]
        while not self._to_send.empty():
            messages.append(self._to_send.get())
        return messages

    # The channel: see `search.executors.worker`

    def send(self, *message: Any) -> None:
        self._to_send.put(json.dumps(message))

    def receive(self, seconds: float | None) -> Message | None:
        try:
            message: Message = json.loads(self._received.get(timeout=seconds))
            return message
        except queue.Empty:
            return None
