"""The command that serves: it opens the queue, prints the address, and pauses all searches at its end."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

from search import paths, storage
from search.errors import StudyConflict, TrialbookError, UsageError, unknown
from search.executors.executor import cores
from search.primitives.signals import Signals
from search.services import mlflow_ui
from search.services.queue import tables
from search.services.queue.claim import PATIENCE, claim
from search.services.queue.queue import Queue
from search.services.queue.runner import Runner
from search.services.queue.steps import Place
from search.services.stack.supervised_process import Server as SupervisedServer
from search.services.stack.supervised_process import SupervisedProcess
from search.services.web.app import Server
from search.services.web.auth import Guard, Tokens, check_person
from search.services.web.feeds.streams import Feeds
from search.services.web.service import Service
from search.storage import journal
from search.tracking import TrackingStore
from search.tracking.descriptions import page

STOP_SECONDS = 9.0  # after a signal, until which the service waits for its searches to pause
WATCH_SECONDS = 0.2  # between two looks at signals and MLflow's pages


def place(jobs: int | None, trainers: str | None, address: str | None, storage: str | None) -> Place:
    """Where searches run. Raises UsageError.

    Args:
        jobs: trainers of all searches together; by default one a core, or what a cluster has.
        trainers: processes or ray.
        address: of a Ray cluster.
    """
    if trainers not in (None, "processes", "ray"):
        raise unknown("TRAINERS", trainers, ("processes", "ray"))
    if trainers != "ray":
        if address is not None:
            raise UsageError("ADDRESS is for TRAINERS=ray alone")
        return Place(jobs or cores(), (), storage)
    options = ["--trainers=ray"] + ([f"--address={address}"] if address else [])
    return Place(jobs, tuple(options), storage)


def create_token(storage: str | None, name: str, role: str) -> str:
    """Make a token of a person. Returns it, for the only time. Raises UsageError before it writes."""
    check_person(name, role)
    return Tokens(tables.engine(storage)).create(name, role)


def revoke(storage: str | None, name: str) -> str:
    """Revoke the tokens of a person. Returns a sentence. Raises UsageError if there are none."""
    if not storage and not tables.file().exists():
        raise unknown("NAME", name, set())
    count = Tokens(tables.engine(storage)).revoke(name)
    return f"revoked {count} token{'s' if count > 1 else ''} of {name}"


def list_tokens(storage: str | None) -> Iterator[str]:
    """A line for each token: its person, role and times, never the token."""
    found = Tokens(tables.engine(storage)).all()
    if not found:
        yield "no tokens yet: make token NAME=login ROLE=student"
    for token in found:
        ended = f"revoked {token.revoked:%Y-%m-%d %H:%M}" if token.revoked else "valid"
        yield f"{token.name:24} {token.role:8} made {token.created:%Y-%m-%d %H:%M} UTC, {ended}"


def serve(host: str, port: int, place: Place, tracking: TrackingStore, quota: float | None) -> int:
    """Serve until a signal comes. Returns the exit code. Raises UsageError, StoreError, StudyConflict.

    On 127.0.0.1 no token is needed; elsewhere each request needs one.
    """
    is_local = mlflow_ui.is_local(host)
    lock = paths.service() / "service"
    if holder := journal.holder(lock):
        raise StudyConflict(f"the service in {paths.service()} is run by process {holder}")
    mlflow_ui.require_free(host, port)
    with journal.lock(lock), claim(place.storage) as check, Signals() as signals:
        engine, store = tables.engine(place.storage), storage.chosen(place.storage, PATIENCE)
        queue, tokens = Queue(engine, quota), Tokens(engine)
        names = [f"{name}:{port}" for name in mlflow_ui.host_names(host)] if is_local else []
        guard = Guard(None if is_local else tokens, names)
        runner = Runner(queue, store, place, check)
        pages = Pages(host, port + 1, tracking)
        service = Service(queue, Feeds(queue, store), runner, guard, store, mlflow=pages.of)
        print(_welcome(host, port, is_local, tokens, pages), flush=True)
        runner.recover()
        with pages:
            deadline = _serve(service, host, port, signals, pages) + STOP_SECONDS
            ending = threading.Thread(target=pages.stop)  # which takes seconds, too
            ending.start()
            have_paused = runner.stop(deadline - time.monotonic())
            ending.join()
        if not have_paused:
            print("Some searches have not ended yet: they go on by themselves.", flush=True)
    return signals.exit_code


def _serve(service: Service, host: str, port: int, signals: Signals, pages: "Pages") -> float:
    """Answer requests until a signal comes. Returns when it came, by the monotonic clock."""
    server = Server(service, host=host, port=port)
    thread = threading.Thread(target=server.run, name="web")  # where it leaves signals to this one
    thread.start()
    while signals.received is None and thread.is_alive():
        pages.watch()
        time.sleep(WATCH_SECONDS)
    told = time.monotonic()
    server.should_exit = True
    thread.join()
    return told


class Pages:
    """MLflow's pages beside the service, as a process that is started again when it ends.

    They have no persons: who may see them sees all searches. So other machines see them only behind the
    password of `make ui`; without one they are for this machine.

    Args:
        host, port: where they are served.
        tracking: the store of the log; one on a server has its own pages.
    """

    def __init__(self, host: str, port: int, tracking: TrackingStore) -> None:
        self._tracking, self._process = tracking, None
        if not tracking.backend_uri:
            self.address = ""
            return
        if not mlflow_ui.is_local(host) and not os.environ.get(mlflow_ui.PASSWORD):
            host = mlflow_ui.LOCALHOST
        mlflow_ui.guard(host)
        mlflow_ui.require_free(host, port)
        self.address = f"http://{mlflow_ui.host_names(host)[0]}:{port}"
        self._process = SupervisedProcess(
            SupervisedServer(
                name="MLflow",
                command=[sys.executable, "-m", "search", "ui", f"--host={host}", f"--port={port}"],
                answers=lambda: True,
                stop_signals={signal.SIGTERM: 2.0},
                options={"cwd": paths.ROOT},
                folder=paths.service(),
            )
        )

    def of(self, task: str, study: str) -> str | None:
        """The address of the trials of a study; None if there is none yet."""
        with contextlib.suppress(TrialbookError):
            if self.address and (experiment := self._tracking.experiment_id(task)):
                return f"{self.address}/{page(experiment, study)}"
        return None

    def __enter__(self) -> "Pages":
        if self._process:
            self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process."""
        if self._process:
            self._process.stop()

    def watch(self) -> None:
        """Start the process again if it ended."""
        if self._process:
            self._process.watch()


def _welcome(host: str, port: int, is_local: bool, tokens: Tokens, pages: Pages) -> str:
    """What a person sees at the start."""
    lines = [f"Trialbook: http://{mlflow_ui.host_names(host)[0]}:{port} (Ctrl-C pauses all searches)"]
    if pages.address:
        lines.append(f"MLflow's pages of all trials: {pages.address}, in some seconds")
    if not is_local:
        if not any(token.revoked is None for token in tokens.all()):
            lines.append("Nobody has a token yet: make token NAME=login ROLE=staff")
        lines.append("Tokens travel unencrypted: let others in over TLS or ssh.")
        if pages.address.startswith(f"http://{mlflow_ui.LOCALHOST}:"):
            lines.append(f"MLflow's pages are for this machine: {mlflow_ui.PASSWORD} would let others in.")
    return "\n".join(lines)
