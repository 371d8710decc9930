"""MLflow's own server in a thread, with faults between it and whoever asks."""

import os
import socket
import threading
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

PATIENCE = 60  # seconds until what is waited for must have happened


class Faulty:
    """A tracking server at `address`. What it does to a request is what `fault()` says: see FAULTS."""

    def __init__(self, application):
        self._application = application
        self._asked = threading.Condition()
        self.requests = 0
        self.fault = lambda: "none"
        self.answers = threading.Event()  # while it is not set, whoever asks waits
        self.answers.set()
        self._server = make_server("127.0.0.1", 0, self._answer, _Server, _Connection)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def until_asked(self, more):
        """Wait until so many more requests have come."""
        with self._asked:
            until = self.requests + more
            assert self._asked.wait_for(lambda: self.requests >= until, PATIENCE)

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environment, start_response):
        with self._asked:
            self.requests += 1
            fault = self.fault()
            self._asked.notify_all()
        self.answers.wait(PATIENCE)
        if fault == "500":
            return _broken(start_response)
        answer = b"".join(self._application(environment, start_response))
        if fault == "500 once it is done":
            return _broken(start_response)
        if fault == "cut once it is done":
            environment["connection"].shutdown(socket.SHUT_RDWR)
        return [answer]


FAULTS = ("500", "500 once it is done", "cut once it is done")


def _broken(start_response):
    start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
    return [b"broken"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A connection that was cut is no error here."""


class _Connection(WSGIRequestHandler):
    def get_environ(self):
        return {**super().get_environ(), "connection": self.connection}

    def log_message(self, *_):
        """Say nothing of each request."""


@contextmanager
def tracking_server(database, artifacts):
    """A Faulty server of the log in a sqlite file."""
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{database}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifacts),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    os.environ.update(settings)
    from mlflow.server import app

    server = Faulty(app)
    try:
        yield server
    finally:
        server.close()
        for name in settings:
            del os.environ[name]
