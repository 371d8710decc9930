"""The log in a browser: MLflow's own pages, small and for this machine only, or behind a password."""

import ipaddress
import os
import secrets
import socket
import sys

from search import paths
from search.errors import StoreError, StudyConflict, TrialbookError, UsageError
from search.reports.page import log_files
from search.study.opening import hold_study
from search.tracking import TrackingStore
from search.tracking.client import REMEDY
from search.tracking.projection import Projection

SMALL = {"MLFLOW_WORKERS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
HERE = "127.0.0.1"
PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # that MLflow gives its first user, "admin"
LEAST = 12  # letters of it


def serve(studies, store: TrackingStore, port, host=HERE):
    """Bring the log in a store up to date, then become MLflow's server. Raises UsageError.

    A `host` that others can reach needs PASSWORD in the environment.
    """
    guarded = guard(host)
    if store.backend_uri:
        must_be_free(host, port)
    pages = _bring_up_to_date(studies, store)
    if not store.backend_uri:
        print("The log is on the server that MLFLOW_TRACKING_URI names: open it there.")
        return 0
    names = names_of(host)
    root = f"http://{names[0]}:{port}"
    print(f"The log: {root} (Ctrl-C ends it)", flush=True)
    for name, page in pages.items():
        print(f"  trials of {name}, the best first: {root}/{page}", flush=True)
    if guarded:
        print(
            "User admin; the password is not encrypted on its way: let others in over TLS or ssh.", flush=True
        )
    os.chdir(paths.home())
    command = server(host, port, store.backend_uri, guarded)
    return os.execve(command[0], command, {**os.environ, **SMALL, **guarded})


def server(host, port, store, guarded):
    """The command of MLflow's server on a `store`: the address of a database."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    command += ["--backend-store-uri", store]
    command += ["--allowed-hosts", ",".join(f"{name}:{port}" for name in names_of(host))]
    return command + (["--app-name", "basic-auth"] if guarded else [])


def guard(host):
    """What the environment needs so that MLflow asks for a password; nothing for this machine alone."""
    try:
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return {}
    except ValueError:
        raise UsageError(
            f"HOST {host!r} is not valid: an address of this machine, as 0.0.0.0 for all"
        ) from None
    if len(os.environ.get(PASSWORD, "")) < LEAST:
        raise UsageError(
            f"HOST {host} lets others in, and nobody is asked for a password: set {PASSWORD} to one of "
            f"{LEAST} letters or more, or leave HOST= and come through `ssh -L 5000:{HERE}:5000 machine`"
        )
    return {"MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex()}


def names_of(host):
    """By which names a browser may call the server: others could be a foreign page's."""
    if host in ("localhost", HERE):
        return [HERE, "localhost"]
    names = [socket.gethostname(), socket.getfqdn(), host, HERE, "localhost"]
    names += [each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return list(dict.fromkeys(names))


def _bring_up_to_date(studies, store):
    """Complete the log of all studies. Returns the page of each, by name. Raises StoreError."""
    pages = {}
    for name in studies.names():
        try:
            with hold_study(studies, name) as study:
                log = Projection(study, store, log_files)
                log.bring_up_to_date()
        except StudyConflict:
            continue  # its search is running, and writes the log itself
        except TrialbookError as error:  # it is damaged, or its task's file was deleted: the others are shown
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


def must_be_free(host, port):
    """Before anything is written: what MLflow says of a port that is taken is no line for a person."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise UsageError(f"PORT {port} of {host} cannot be had: {error.strerror}") from None
