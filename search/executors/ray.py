"""Train on the machines of a Ray cluster. Ray places the trainers; the study's truth stays with Optuna.

Each trainer is an actor with a share of CPUs, GPUs and memory of its own. The data reach each machine once,
through Ray's object store. A trainer says all it has to say since it was heard last in one answer.
"""

import json
import math
import os
import queue
import socket
import threading
import time
from dataclasses import dataclass

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # it would warn that it will be so

import ray
from ray.exceptions import RayError

import data
from search import paths
from search.errors import StoreError
from search.executors.pool import Pool
from search.executors.worker import work
from search.text import one_line
from search.trainers.trainer import CAUSE

GIB = 2**30
PATIENCE = 5.0  # seconds in which a cluster must answer
EVERY = 2.0  # seconds between two looks at how large the cluster is
LEFT = ["/.venv*", "/.git", "/mlruns", "/mlflow.db*", "/data/cache", "/data/course"]  # not sent to machines


@dataclass(frozen=True, kw_only=True)
class Share:
    """What each trainer has of its machine."""

    cpus: float = 1.0
    gpus: float = 0.0  # a fraction: several trainers share one
    memory: float = 0.0  # GiB; 0: as it comes

    def wanted(self):
        """The same in Ray's words."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory * GIB}
        return {name: amount for name, amount in wanted.items() if amount}


class Ray(Pool):
    """As many trainers as the cluster has room for, `jobs` at the most. See `search.trainers.trainer`.

    Args:
        study: a Study.
        jobs: inf for no limit.
        address: of the cluster, as `ray.init` takes it; None starts one here.
        share: what each trainer has of its machine: see `Share`.

    Raises StoreError where there is no cluster.
    """

    def __init__(self, study, jobs=math.inf, address=None, **share):
        self._share = Share(**share)
        self._most = jobs
        _connect(address)
        arrays = ray.put(data.read(study.data_path))
        self._what = study.task.__name__, arrays, study.device, study.about["digest"]
        self._looked = time.monotonic()
        super().__init__(min(self._most, self._room()))

    def _begin(self):
        return _Trainer(self._share, *self._what)

    def _heard(self, seconds):
        self._grow()
        by_answer = {trainer.answer: trainer for trainer in self._trainers}
        answered, _ = ray.wait(list(by_answer), num_returns=len(by_answer), timeout=0)
        if not answered:
            answered, _ = ray.wait(list(by_answer), timeout=seconds)
        return [by_answer[answer] for answer in answered]

    def _room(self):
        """For how many trainers the cluster is large enough; one waits for a machine where it is for none."""
        there, wanted = ray.cluster_resources(), self._share.wanted()
        return max(1, min(math.floor(there.get(name, 0) / amount + 1e-9) for name, amount in wanted.items()))

    def _grow(self):
        """Use machines that joined. In the place of a trainer that was lost one waits for them already."""
        if time.monotonic() > self._looked + EVERY:
            self._looked = time.monotonic()
            more = min(self._most, self._room()) - len(self._trainers)
            self._trainers += [self._begin() for _ in range(more)]

    def __exit__(self, *raised):
        super().__exit__(*raised)
        ray.shutdown()


def _connect(address):
    """Reach a cluster, or start one on this machine. Machines get the code as it is now."""
    environment = {"working_dir": str(paths.ROOT), "excludes": LEFT}
    try:
        _must_answer(address)
        ray.init(
            address or "local",
            runtime_env=environment,
            log_to_driver=False,
            logging_level="ERROR",
            **({} if address else {"include_dashboard": False}),
        )
    except (OSError, RayError, RuntimeError, ValueError, AssertionError) as error:
        raise StoreError(f"no Ray cluster at ADDRESS {address!r}: {one_line(error)}") from None


def _must_answer(address):
    """Raises OSError where nobody is at an address: Ray itself would wait for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), PATIENCE).close()


class _Trainer:
    """A trainer, seen from here. See `search.executors.pool`."""

    def __init__(self, share, *what):
        wanted = share.wanted()
        remote = ray.remote(concurrency_groups={"hear": 1, "say": 1})(Actor)
        self._actor = remote.options(
            num_cpus=wanted.get("CPU", 0), num_gpus=wanted.get("GPU", 0), memory=wanted.get("memory")
        ).remote(*what)
        self._node = self._actor.node.remote()  # to come, as is
        self.answer = self._actor.say.remote()
        self._end = "it was ended"
        self.ready, self.spoiled, self.number, self.waiting = False, False, None, []

    def send(self, *message):
        self._actor.hear.remote(json.dumps(message))

    def receive(self):
        try:
            said = ray.get(self.answer)
        except RayError as error:
            self._end = str(error).strip().splitlines()[-1]
            raise EOFError from None
        self.answer = self._actor.say.remote()
        return [json.loads(message) for message in said]

    def kill(self):
        ray.kill(self._actor)

    def end(self):
        return f"the trainer ended: {self._end}"[:CAUSE]

    def was_lost(self):
        gone = {node["NodeID"] for node in ray.nodes() if not node["Alive"]}
        placed, _ = ray.wait([self._node], timeout=0)
        try:
            return bool(placed) and ray.get(self._node) in gone
        except RayError:
            return True  # it ended before it began


class Actor:
    """A trainer, where it is. Its training has a thread of its own, which pauses in it and goes on."""

    def __init__(self, task_name, arrays, *what):
        self._heard, self._said = queue.SimpleQueue(), queue.SimpleQueue()
        arrays = {name: array.copy() for name, array in arrays.items()}  # Ray's own cannot be written to
        threading.Thread(target=work, args=(self, task_name, arrays, *what), daemon=True).start()

    @ray.method(concurrency_group="hear")
    def node(self):
        """Which machine this is."""
        return ray.get_runtime_context().get_node_id()

    @ray.method(concurrency_group="hear")
    def hear(self, message):
        """Take in a message."""
        self._heard.put(message)

    @ray.method(concurrency_group="say")
    def say(self):
        """All messages that there are, once there is one."""
        said = [self._said.get()]
        while not self._said.empty():
            said.append(self._said.get())
        return said

    # The line: see `search.executors.worker`

    def send(self, *message):
        self._said.put(json.dumps(message))

    def receive(self, seconds):
        try:
            return json.loads(self._heard.get(timeout=seconds))
        except queue.Empty:
            return None
