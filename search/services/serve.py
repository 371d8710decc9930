"""The command that serves: it opens the queue, prints the address, and pauses all searches at its end."""

from collections.abc import Iterator

import uvicorn

from search import paths, storage
from search.errors import StudyConflict, UsageError, unknown
from search.executors.executor import cores
from search.services import mlflow_ui
from search.services.queue import tables
from search.services.queue.queue import Queue
from search.services.queue.runner import Place, Runner
from search.services.web.app import application
from search.services.web.auth import Guard, Tokens
from search.services.web.events import Feeds
from search.services.web.service import Service
from search.storage import journal
from search.tracking import TrackingStore

STOP_SECONDS = 9.0  # until which searches have paused after a signal


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
    """Make a token of a person. Returns it, for the only time."""
    return Tokens(tables.engine(storage)).create(name, role)


def revoke(storage: str | None, name: str) -> str:
    """Revoke the tokens of a person. Returns a sentence."""
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
    with journal.lock(lock):
        engine, store = tables.engine(place.storage), storage.chosen(place.storage)
        queue, tokens = Queue(engine, quota), Tokens(engine)
        names = [f"{name}:{port}" for name in mlflow_ui.host_names(host)] if is_local else []
        guard = Guard(None if is_local else tokens, names)
        runner = Runner(queue, store, place)
        service = Service(queue, Feeds(queue, store), runner, guard, store)
        print(f"Trialbook: http://{mlflow_ui.host_names(host)[0]}:{port} (Ctrl-C ends it)", flush=True)
        runner.recover()
        server = uvicorn.Server(
            uvicorn.Config(
                application(service),
                host=host,
                port=port,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=1,
                server_header=False,
            )
        )
        server.run()
        runner.stop(STOP_SECONDS)
    return 0
