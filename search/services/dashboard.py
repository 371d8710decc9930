"""Optuna's dashboard of a study, on this machine only, and on a copy: looking disturbs no search.

The copy is as the search sees the study: repeats and what is crossed out are not in it, and each trial
has its own number. It lies in memory, so whatever is done to it in the browser ends with the server.
"""

import warnings
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.exceptions import ExperimentalWarning
from optuna_dashboard import save_note, wsgi

from search.errors import UsageError
from search.tracking import descriptions

HOST = "127.0.0.1"


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser that waits does not keep the server


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Say nothing of each request."""


def serve(study, port):
    """Serve a copy of a study until Ctrl-C."""
    copy = study.copy(told)
    with warnings.catch_warnings(category=ExperimentalWarning, action="ignore"):
        copy.set_metric_names([f"validation {study.about['metric']}"])
    save_note(copy, descriptions.of_study(study))
    try:
        server = make_server(HOST, port, ours(wsgi(copy._storage), port), Server, Quiet)
    except OSError as error:
        raise UsageError(f"PORT {port} cannot be had: {error.strerror}") from None
    with server:
        print(f"Study {study.name} as it is now: http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
        server.serve_forever()


def told(trial):
    """What a page says of a trial besides its values."""
    return {"state": trial.state, "why tried": trial.proposal, "why ended": trial.reason}


def ours(application, port):
    """The application, for who calls this machine by its own name: no page from elsewhere can use it."""
    hosts = {f"{name}:{port}" for name in (HOST, "localhost")}

    def answer(environment, start_response):
        if environment.get("HTTP_HOST") in hosts:
            return application(environment, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"This is for this machine only.\n"]

    return answer
