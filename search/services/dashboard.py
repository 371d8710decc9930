"""Optuna's dashboard of a copy of a study, for this machine only.

The copy shows the study as the search sees it: without replicates and void trials, each trial with its own
number. It lies in memory, so changes made in the browser end with the server.

`optuna_dashboard.run_server` is not used. It answers whatever name a browser calls it by, so a foreign page
could read and delete studies. It also answers one connection at a time, and prints every request.
"""

import warnings
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna.exceptions import ExperimentalWarning
from optuna_dashboard import save_note, wsgi

from search.errors import UsageError
from search.study.trial import Trial
from search.study.view import StudyView
from search.tracking import descriptions

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # an open connection does not keep the server alive


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def serve(study: StudyView, port: int) -> None:
    """Serve a copy of a study until Ctrl-C. Raises UsageError if the port is in use."""
    copy, storage = study.optuna_copy(_attributes)
    with warnings.catch_warnings(category=ExperimentalWarning, action="ignore"):
        copy.set_metric_names([f"validation {study.description.metric}"])
    save_note(copy, descriptions.of_study(study))
    application = _refuse_foreign_names(wsgi(storage), port)
    try:
        server = make_server(HOST, port, application, _Server, _QuietHandler)
    except OSError as error:
        raise UsageError(f"PORT {port} cannot be opened: {error.strerror}; choose another PORT=") from None
    with server:
        print(f"Study {study.name} as it is now: http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
        server.serve_forever()


def _attributes(trial: Trial) -> dict[str, Any]:
    """The attributes that a trial's page shows besides its values."""
    return {"state": trial.state, "why tried": trial.proposal, "why ended": trial.reason}


def _refuse_foreign_names(application: WSGIApplication, port: int) -> WSGIApplication:
    """Answer only requests that call this machine by its own name.

    A page from elsewhere may bind its own name to this machine's address, but its requests carry that name.
    """
    names = {f"{name}:{port}" for name in (HOST, "localhost")}

    def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environment.get("HTTP_HOST") in names:
            return application(environment, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"This is for this machine only.\n"]

    return answer
