"""The log in a browser: MLflow's own pages, small and for this machine only."""

import os
import socket
import sys

from search import places, studies
from search.errors import StudyConflict, UsageError
from search.log import Log, is_local
from search.study import Study

SMALL = {"MLFLOW_WORKERS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def serve(port):
    """Bring the log up to date, then become MLflow's server. Raises UsageError where the port is taken."""
    if is_local():
        _must_be_free(port)
    pages = {}
    for name in studies.names():
        try:
            with Study.hold(name) as study:
                log = Log(study)
                log.bring_up_to_date()
        except StudyConflict:
            continue  # its search is running, and writes the log itself
        if log.behind:
            print(f"The log of {name} is incomplete: {log.behind}", file=sys.stderr)
        else:
            pages[name] = log.page()
    if not is_local():
        print("The log is on the server that MLFLOW_TRACKING_URI names: open it there.")
        return 0
    hosts = ",".join(f"{host}:{port}" for host in ("localhost", "127.0.0.1"))
    print(f"The log: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    for name, page in pages.items():
        print(f"  trials of {name}, the best first: http://127.0.0.1:{port}/{page}", flush=True)
    os.chdir(places.home())
    command = ["-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{places.mlflow_database()}"]
    command += ["--allowed-hosts", hosts]
    return os.execve(sys.executable, [sys.executable, *command], {**os.environ, **SMALL})


def _must_be_free(port):
    """Before anything is written: what MLflow says of a port that is taken is no line for a person."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UsageError(f"PORT {port} cannot be had: {error.strerror}") from None
