"""A search service that is served as users have it: over HTTP, on a free port of 127.0.0.1."""

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import plain
import pytest
import requests
from stores import here

from search.client.models import SearchRequest, State
from search.coordinator import search
from search.executors.inline import Inline
from search.services.queue import tables
from search.services.queue.queue import SERVICE, Queue
from search.services.queue.runner import Place, Runner
from search.services.web.app import Server
from search.services.web.auth import Guard, Tokens
from search.services.web.events import Feeds
from search.services.web.service import Service
from search.study.opening import open_study

TOYS = Path(plain.__file__).parent


@dataclass
class Served:
    """A service and its address. `token(name, role)` makes a token of a person; `end()` stops serving."""

    address: str
    service: Service
    tokens: Tokens
    end: Callable[[], None]

    def token(self, name: str, role: str = "student") -> str:
        return self.tokens.create(name, role)

    def call(self, method: str, path: str, token: str | None = None, **options) -> requests.Response:
        """Send a request as a program does; redirects are not followed."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        options = {"timeout": 60, "allow_redirects": False} | options
        return requests.request(method, self.address + path, headers=headers, **options)

    def get(self, path: str, token: str | None = None, **options) -> requests.Response:
        return self.call("GET", path, token, **options)

    def post(self, path: str, token: str | None = None, **options) -> requests.Response:
        return self.call("POST", path, token, **options)

    def add(self, owner: str = "local", task: str = "bowl", **asked):
        """Queue a search that does not start: it is paused at once."""
        found = self.service.queue.add(owner, SearchRequest(task=task, **asked), "builtin")
        return self.service.queue.pause(found.id, owner)

    def searched(self, owner: str = "local", trials: int = 8, state: State = State.DONE, **asked):
        """A search of the bowl in a state, whose study has trials. No process of it was started."""
        from objectives import bowl

        queued = self.add(owner, trials=trials, **asked)
        with open_study(here(), bowl, queued.study) as study:
            study.set_budget(trials, None)
            search(study, Inline(study), trials=trials)
        return self.service.queue.set_state(queued.id, state, SERVICE, "as the test has it")


@pytest.fixture
def serve_web(home, monkeypatch):
    """`serve_web()` serves on 127.0.0.1 without tokens; `serve_web(tokens=True)` as for other machines.

    Processes of searches find the toy tasks. Options are those of `Place` and `Queue`.
    """
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOYS), os.environ.get("PYTHONPATH", "")]))
    ends = []

    def serve(tokens=False, jobs=2, quota=None) -> Served:
        listener = socket.create_server(("127.0.0.1", 0))
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        engine, store = tables.engine(None), here()
        queue, known = Queue(engine, quota), Tokens(engine)
        guard = Guard(known, []) if tokens else Guard(None, [host])
        runner = Runner(queue, store, Place(jobs))
        service = Service(queue, Feeds(queue, store), runner, guard, store)
        server = Server(service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()

        def end():
            server.should_exit = True
            thread.join()
            assert runner.stop(30)

        ends.append(end)
        return Served(f"http://{host}", service, known, end)

    yield serve
    for end in ends:
        end()


@pytest.fixture
def web(serve_web):
    """A service on 127.0.0.1, which needs no token."""
    return serve_web()


@pytest.fixture
def class_web(serve_web):
    """A service for other machines: each request needs a token."""
    return serve_web(tokens=True)
