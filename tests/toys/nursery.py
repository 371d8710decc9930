"""A process that forks the processes of searches for a service: they need no seconds to import libraries.

Such a fork is what the service would start: a session of its own that holds the lock, writes its number and
its output, does what `python -m search` does, and outlives the service. The nursery has no threads, which a
process that forks must not have.
"""

import array
import contextlib
import importlib
import json
import multiprocessing
import os
import signal
import socket
from multiprocessing import forkserver
from pathlib import Path

from search.services.queue import process

FORK = multiprocessing.get_context("fork")
LIBRARIES = (
    *("mlflow.store.tracking.sqlalchemy_store", "matplotlib.pyplot", "pandas", "plotly.graph_objects"),
    *("search.reports.trials_table", "search.reports.page", "search.reports.report", "sklearn.ensemble"),
    *("search.executors.inline", "search.executors.processes", "sqlalchemy.dialects.sqlite"),
    *("search.cli.app", "torch._dynamo"),
)


class Nursery:
    """Forks what a service asks for; `close` ends it.

    Args:
        folder: for its socket.
        trainers: how its searches train: inline, which needs no other processes, or processes.
    """

    def __init__(self, folder, trainers="inline"):
        for name in LIBRARIES:
            importlib.import_module(name)
        self.path = str(Path(folder) / "nursery")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.path)
        listener.listen(64)
        self._process = FORK.Process(target=_serve, args=(listener, trainers))
        self._process.start()
        listener.close()

    def close(self):
        """End it, but none of its searches."""
        self._process.kill()
        self._process.join()

    def start(self, number, command, lock, storage):
        """Start the process of a search, in place of `process.start`. Returns it, as Popen would."""
        return Child(self.path, number, command, lock, storage)


class Child:
    """The process of a search."""

    def __init__(self, path, number, command, lock, storage):
        asked = {"arguments": command[3:], "number": number, "environment": dict(os.environ)}
        asked["environment"].pop(process.STORAGE, None)
        if storage:
            asked["environment"][process.STORAGE] = storage
        self.returncode = None
        self._nursery = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._nursery.connect(path)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [lock]))]
        self._nursery.sendmsg([json.dumps(asked).encode()], rights)
        self.pid = int(self._nursery.recv(32))
        self._nursery.setblocking(False)

    def poll(self):
        """The exit code; None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self.returncode = int(self._nursery.recv(32) or -signal.SIGKILL)
        return self.returncode


def _serve(listener, trainers):
    os.setsid()
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in 0, 1, 2:  # who reads what the tests print waits for no search
        os.dup2(silent, stream)
    children = {}
    listener.settimeout(0.05)
    parent = os.getppid()
    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            client, _ = listener.accept()
            client.settimeout(None)
            text, rights, *_ = client.recvmsg(262144, socket.CMSG_SPACE(4))
            if not text:
                continue  # the service was killed before it asked
            [(_, _, held)] = rights
            lock = array.array("i", held)[0]
            child = FORK.Process(target=_live, args=(json.loads(text), lock, trainers))
            child.start()
            os.close(lock)
            children[child] = client
            with contextlib.suppress(OSError):
                client.send(f"{child.pid}".encode())
        for child in [child for child in children if child.exitcode is not None]:
            with contextlib.suppress(OSError):
                children[child].send(f"{child.exitcode}".encode())
            children.pop(child).close()


def _live(asked, lock, trainers):
    os.setsid()
    forkserver._forkserver._forkserver_pid = None  # one that serves the tests serves no child of theirs
    os.environ.clear()
    os.environ.update(asked["environment"])
    process._pid_file(asked["number"]).write_text(f"{os.getpid()}\n")
    for number, action in (signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler):
        signal.signal(number, action)
    arguments = asked["arguments"]
    if arguments[0] == "search":
        arguments = [*(each for each in arguments if not each.startswith("--jobs")), f"--trainers={trainers}"]
    import forks

    with open(process._output(asked["number"]), "a") as output:
        forks._call(os.dup(output.fileno()), os.dup(output.fileno()), forks._command, arguments)
