"""Start the stack, say what is to be typed elsewhere, and watch over it until it is stopped."""

import functools
import os
import shlex
import signal
import socket
import time

from search import paths
from search.cli.session import Signals
from search.errors import StudyConflict, UsageError
from search.services import mlflow_ui
from search.services.stack import database
from search.services.stack.part import Part, pause
from search.storage import files

HIGHEST = 65534  # port of MLflow: PostgreSQL has the next
LEFT = 5.0  # seconds in which a stack that was killed lets go of its ports
ENDS = {signal.SIGTERM: 2.0}  # what MLflow ends by, and the seconds that it has
SEVERAL = """Each part may have a host of its own: STORAGE= and MLFLOW_TRACKING_URI may name other servers.
For one Ray cluster of several hosts, with RAY_AUTH_MODE=token and one ~/.ray/auth_token on all of them:
`.venv/bin/ray start --head` on the first, `.venv/bin/ray start --address=FIRST:6379` on each other, then
`make search TASK=.. TRAINERS=ray ADDRESS=auto` on the first. docs/cluster.md tells the rest."""


def serve(port, host=mlflow_ui.HERE):
    """Run MLflow on a port, and PostgreSQL on the next, until a signal comes. Returns the exit code.

    A `host` that others can reach needs a password for MLflow: see `ui.serve`. Raises UsageError, StoreError,
    StudyConflict.
    """
    host = mlflow_ui.HERE if host == "localhost" else host
    guarded = mlflow_ui.guard(host)
    database.programs()
    lock = paths.stack() / "stack"
    if by := files.holder(lock):
        raise StudyConflict(f"the stack in {paths.stack()} is run by process {by}")
    _must_be_free(host, port)
    with Signals() as signals, files.lock(lock):
        database.set_up()
        _watch(host, port, guarded, lambda: signals.received is not None)
    return signals.exit_code


def _must_be_free(host, port):
    """Raises UsageError where a port cannot be had, once one that was just killed had the time to let go."""
    if port > HIGHEST:
        raise UsageError(f"PORT {port} is not valid: PostgreSQL takes the next one, so {HIGHEST} at the most")
    deadline = time.monotonic() + LEFT
    for each in (port, port + 1):
        while _is_open(host, each) and time.monotonic() < deadline:
            pause()
        mlflow_ui.must_be_free(host, each)


def _watch(host, port, guarded, stopping):
    """Run both parts until all is to stop."""
    command, ends, how = database.server(host, port + 1)
    parts = Part("PostgreSQL", command, ends, **how), _mlflow(host, port, guarded)
    answers = functools.partial(database.answers, port + 1), functools.partial(_is_open, host, port)
    try:
        for part, answer in zip(parts, answers):
            if not stopping():
                part.start(answer, stopping)
        if not stopping():
            print(_said(mlflow_ui.names_of(host)[0], port, guarded), flush=True)
        while not stopping():
            for part in parts:
                part.look()
            pause()
    finally:
        for part in reversed(parts):
            part.stop()


def _mlflow(host, port, guarded):
    """MLflow's server, whose files lie where those of a local log do."""
    store = f"postgresql+psycopg://mlflow@{database.HERE}:{port + 1}/mlflow"
    command = mlflow_ui.server(host, port, store, guarded)
    command += ["--artifacts-destination", str(paths.artifacts()), "--uvicorn-opts", "--log-level warning"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    own |= {**mlflow_ui.SMALL, **guarded, "PGPASSFILE": str(database.password_file("mlflow"))}
    return Part("MLflow", command, ENDS, cwd=paths.stack(), env=own)


def _is_open(host, port):
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def _said(name, port, guarded):
    """What is to be typed to search with this stack, on machines that reach it by a name."""
    password = database.password_file("trialbook")
    lines = [
        f"Ready: MLflow on http://{name}:{port}, PostgreSQL on the next port. Ctrl-C ends both. Type:",
        f"  export MLFLOW_TRACKING_URI=http://{name}:{port}",
        f"  export TRIALBOOK_STORAGE=postgresql://trialbook@{name}:{port + 1}/trialbook",
    ]
    if guarded:
        lines += [
            f"  export MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD=...  # what {mlflow_ui.PASSWORD} is",
            f"  scp -p {shlex.quote(f'{name}:{password}')} ~/.trialbook.pgpass",
            "  export PGPASSFILE=~/.trialbook.pgpass",
            "Nothing of this is encrypted on its way: let others in over a VPN, or a network that you trust.",
        ]
    else:
        lines += [f"  export PGPASSFILE={shlex.quote(str(password))}"]
    return "\n".join([*lines, SEVERAL])
