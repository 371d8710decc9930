"""Start the stack, print what to type on other machines, and watch it until a signal comes."""

import contextlib
import os
import shlex
import signal
import socket
import time
from collections.abc import Callable

from search import paths
from search.errors import StudyConflict, UsageError
from search.primitives.signals import Signals
from search.services import mlflow_ui
from search.services.stack import database
from search.services.stack.supervised_process import POLL_SECONDS, Server, SupervisedProcess
from search.storage import journal

HIGHEST_PORT = 65534  # of MLflow: PostgreSQL has the next one
RELEASE_SECONDS = 5.0  # a stack that was just killed releases its ports by then
STOP_SIGNALS = {signal.SIGTERM: 2.0}  # of MLflow
SEVERAL_HOSTS = """\
Each part may have a host of its own: STORAGE= and MLFLOW_TRACKING_URI may name other servers.
For one Ray cluster of several hosts, with RAY_AUTH_MODE=token and one ~/.ray/auth_token on all of them:
`.venv/bin/ray start --head` on the first, `.venv/bin/ray start --address=FIRST:6379` on each other, then
`make search TASK=.. TRAINERS=ray ADDRESS=auto` on the first. docs/cluster.md explains the rest."""


def serve(port: int, host: str = mlflow_ui.LOCALHOST) -> int:
    """Run MLflow on a port, and PostgreSQL on the next, until a signal comes. Returns the exit code.

    If other machines reach the `host`, MLflow needs a password: see `mlflow_ui.serve`. Raises UsageError,
    StoreError, StudyConflict.
    """
    host = mlflow_ui.LOCALHOST if host == "localhost" else host
    guarded = mlflow_ui.guard(host)
    database.programs()
    lock = paths.stack() / "stack"
    if holder := journal.holder(lock):
        raise StudyConflict(f"the stack in {paths.stack()} is run by process {holder}")
    _require_free_ports(host, port)
    with Signals() as signals, journal.lock(lock):
        database.set_up(port + 1)
        _run(host, port, guarded, lambda: signals.received is not None)
    return int(signals.exit_code)


def _require_free_ports(host: str, port: int) -> None:
    """Raise UsageError if a port is in use. A stack that was just killed gets the time to release it."""
    if port > HIGHEST_PORT:
        raise UsageError(
            f"PORT {port} is not valid: PostgreSQL takes the next one, so {HIGHEST_PORT} at the most"
        )
    deadline = time.monotonic() + RELEASE_SECONDS
    for each in (port, port + 1):
        while _is_open(host, each) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        mlflow_ui.require_free(host, each)


def _run(host: str, port: int, guarded: dict[str, str], stopping: Callable[[], bool]) -> None:
    """Run both servers until `stopping`."""
    with contextlib.ExitStack() as running:
        processes = []
        for server in (database.server(host, port + 1), _mlflow(host, port, guarded)):
            if not stopping():
                print(f"Starting {server.name} ...", flush=True)
                processes.append(running.enter_context(SupervisedProcess(server)))
                processes[-1].start(stopping)
        if not stopping():
            print(_instructions(mlflow_ui.host_names(host)[0], port, guarded), flush=True)
        while not stopping():
            for process in processes:
                process.watch()
            time.sleep(POLL_SECONDS)


def _mlflow(host: str, port: int, guarded: dict[str, str]) -> Server:
    """MLflow's server. Its artifacts lie where those of a local log lie."""
    store = f"postgresql+psycopg://mlflow@{database.LOCALHOST}:{port + 1}/mlflow"
    command = mlflow_ui.server(host, port, store, guarded)
    command += ["--artifacts-destination", str(paths.artifacts()), "--uvicorn-opts", "--log-level warning"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {**mlflow_ui.SMALL, **guarded, "PGPASSFILE": str(database.password_file("mlflow"))}
    return Server(
        name="MLflow",
        command=command,
        answers=lambda: _is_open(host, port),
        stop_signals=STOP_SIGNALS,
        options={"cwd": paths.stack(), "env": environment},
    )


def _is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def _instructions(name: str, port: int, guarded: dict[str, str]) -> str:
    """What to type on machines that reach the stack by a name, so that searches use it."""
    password = database.password_file("trialbook")
    lines = [
        f"Ready: MLflow on http://{name}:{port}, PostgreSQL on the next port. Ctrl-C ends both. Type:",
        f"  export MLFLOW_TRACKING_URI=http://{name}:{port}",
        f"  export TRIALBOOK_STORAGE=postgresql://trialbook@{name}:{port + 1}/trialbook",
    ]
    if guarded:
        lines += [
            "  export MLFLOW_TRACKING_USERNAME=admin "
            f"MLFLOW_TRACKING_PASSWORD=...  # the value of {mlflow_ui.PASSWORD}",
            f"  scp -p {shlex.quote(f'{name}:{password}')} ~/.trialbook.pgpass",
            "  export PGPASSFILE=~/.trialbook.pgpass",
            "None of this is encrypted on its way: use a VPN, or a network that you trust.",
        ]
    else:
        lines += [f"  export PGPASSFILE={shlex.quote(str(password))}"]
    return "\n".join([*lines, SEVERAL_HOSTS])
