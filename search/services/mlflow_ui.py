"""MLflow's own pages of the log, for this machine only or behind a password."""

import ipaddress
import os
import secrets
import socket
import sys

from search import paths
from search.errors import StoreError, StudyConflict, TrialbookError, UsageError
from search.reports.page import log_files
from search.storage import StudyStore
from search.study.opening import hold_study
from search.tracking import TrackingStore
from search.tracking.client import REMEDY
from search.tracking.projection import Projection

SMALL = {"MLFLOW_WORKERS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
LOCALHOST = "127.0.0.1"
PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # a variable that MLflow's server reads: of its first user, "admin"
MIN_PASSWORD_LETTERS = 12


def serve(studies: StudyStore, store: TrackingStore, port: int, host: str = LOCALHOST) -> int:
    """Bring the log up to date, then become MLflow's server. Raises UsageError, StoreError.

    If other machines can reach the host, PASSWORD must be in the environment. Returns 0 if another server
    shows the log.
    """
    guarded = guard(host)
    if store.backend_uri:
        require_free(host, port)
    pages = _bring_up_to_date(studies, store)
    if not store.backend_uri:
        print("The log is on the server that MLFLOW_TRACKING_URI names: open it there.")
        return 0
    root = f"http://{host_names(host)[0]}:{port}"
    print(f"The log: {root} (Ctrl-C ends it)", flush=True)
    for name, page in pages.items():
        print(f"  trials of {name}, the best first: {root}/{page}", flush=True)
    if guarded:
        print("User admin; the password travels unencrypted: let others in over TLS or ssh.", flush=True)
    store.connect()  # makes it where there is none, under a lock: MLflow's server takes none
    os.chdir(paths.home())
    command = server(host, port, store.backend_uri, guarded)
    return os.execve(command[0], command, {**os.environ, **SMALL, **guarded})


def server(host: str, port: int, backend_uri: str, guarded: dict[str, str]) -> list[str]:
    """The command of MLflow's server on a database. `guarded` comes from `guard`."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    command += ["--backend-store-uri", backend_uri]
    command += ["--allowed-hosts", ",".join(f"{name}:{port}" for name in host_names(host))]
    return command + (["--app-name", "basic-auth"] if guarded else [])


def guard(host: str) -> dict[str, str]:
    """The environment in which MLflow asks for a password; empty if only this machine reaches the host.

    Raises UsageError if the host is no address, or if there is no good password.
    """
    if is_local(host):
        return {}
    if len(os.environ.get(PASSWORD, "")) < MIN_PASSWORD_LETTERS:
        raise UsageError(
            f"HOST {host} lets others in without a password: set {PASSWORD} to one of at least "
            f"{MIN_PASSWORD_LETTERS} letters, or omit HOST= and use `ssh -L 5000:{LOCALHOST}:5000 machine`"
        )
    return {"MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex()}


def is_local(host: str) -> bool:
    """Whether only this machine reaches a host. Raises UsageError if it is no address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise UsageError(
            f"HOST {host!r} is not valid: an address of this machine, or 0.0.0.0 for all of them"
        ) from None


def host_names(host: str) -> list[str]:
    """The names by which a browser may call the server. A foreign page could use any other name."""
    if host in ("localhost", LOCALHOST):
        return [LOCALHOST, "localhost"]
    names = [socket.gethostname(), socket.getfqdn(), host, LOCALHOST, "localhost"]
    names += [str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return list(dict.fromkeys(names))


def _bring_up_to_date(studies: StudyStore, store: TrackingStore) -> dict[str, str]:
    """Complete the log of all studies. Returns the page of each, by name. Raises StoreError."""
    pages = {}
    for name in studies.names():
        try:
            with hold_study(studies, name) as study:
                log = Projection(study, store, log_files)
                log.bring_up_to_date()
        except StudyConflict:
            continue  # a search is running, and writes the log itself
        except TrialbookError as error:  # it is damaged, or its task was deleted: show the others
            print(f"Study {name} cannot be shown as it is now: {error}", file=sys.stderr)
            continue
        if log.behind:
            print(f"The log of {name} is incomplete: {log.behind}", file=sys.stderr)
            if broken := store.fault():
                raise StoreError(f"{broken}: {REMEDY}")
        else:
            pages[name] = log.page()
    for stray in studies.strays():
        print(stray, file=sys.stderr)
    return pages


def require_free(host: str, port: int) -> None:
    """Raise UsageError if a port is in use. MLflow itself would print a traceback, and only later."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise UsageError(
            f"PORT {port} of {host} cannot be opened: {error.strerror}; choose another PORT="
        ) from None
