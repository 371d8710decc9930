"""A service over real HTTP in a thread of the test's process."""

import contextlib
import socket
import threading
from types import SimpleNamespace

import uvicorn

from search.services.queue.queue import Queue
from search.services.queue.runner import Place, Runner
from search.services.queue.tables import engine as open_engine
from search.services.web.app import application
from search.services.web.events import Feeds
from search.services.web.service import Service


class Standing(Runner):
    """A runner that starts no search."""

    def tick(self):
        pass


class Server(uvicorn.Server):
    """A server that leaves signals to the tests."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


def serving(guard, store, log_level="warning"):
    """A service over HTTP on a free port, whose queue stands still; stop it by `should_exit`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    queue = Queue(open_engine(None))
    service = Service(queue, Feeds(queue, store), Standing(queue, store, Place(1)), guard(port), store)
    app = application(service)
    server = Server(
        uvicorn.Config(app, port=port, log_level=log_level, server_header=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.01)
    return SimpleNamespace(
        port=port, app=app, queue=queue, url=f"http://127.0.0.1:{port}", server=server, thread=thread
    )
