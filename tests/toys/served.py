"""A search service that is served as users have it: over HTTP, on a free port of 127.0.0.1."""

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Self

import plain
import pytest
import requests
from stores import here

from search.client.models import SearchRequest, State
from search.coordinator import search
from search.executors.inline import Inline
from search.services.mlflow_ui import LOCALHOST, host_names
from search.services.queue import tables
from search.services.queue.queue import SERVICE, Queue
from search.services.queue.runner import Runner
from search.services.queue.steps import Place
from search.services.web.app import Server
from search.services.web.auth import Guard, Tokens
from search.services.web.feeds.streams import Feeds
from search.services.web.service import Service
from search.study.opening import open_study

TOYS = Path(plain.__file__).parent


class Standing(Runner):
    """A runner that starts no search."""

    def tick(self) -> None:
        pass

    def stop(self, seconds: float) -> bool:
        return True


class Served:
    """A service in a thread of this process, until `end()` or the end of a `with`.

    Args:
        tokens: whether each request needs one, as on other machines.
        starts: whether the searches of the queue are started.
        jobs: see `Place`.
        quota: see `Queue`.
    """

    def __init__(
        self, tokens: bool = False, starts: bool = True, jobs: int = 2, quota: float | None = None
    ) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        engine, store = tables.engine(None), here()
        self.queue, self.tokens = Queue(engine, quota), Tokens(engine)
        names = [f"{name}:{self.port}" for name in host_names(LOCALHOST)]
        guard = Guard(self.tokens, []) if tokens else Guard(None, names)
        self._runner = (Runner if starts else Standing)(self.queue, store, Place(jobs))
        self.service = Service(self.queue, Feeds(self.queue, store), self._runner, guard, store)
        self._server = Server(self.service)
        self.app = self._server.config.app
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()

    def end(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        assert self._runner.stop(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def token(self, name: str, role: str = "student") -> str:
        """Make a token of a person."""
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
        found = self.queue.add(owner, SearchRequest(task=task, **asked), "builtin")
        return self.queue.pause(found.id, owner)

    def searched(self, owner: str = "local", trials: int = 8, state: State = State.DONE, **asked):
        """A search of the bowl in a state, whose study has trials. No process of it was started."""
        from objectives import bowl

        queued = self.add(owner, trials=trials, **asked)
        with open_study(here(), bowl, queued.study) as study:
            study.set_budget(trials, None)
            search(study, Inline(study), trials=trials)
        return self.queue.set_state(queued.id, state, SERVICE, "as the test has it")


@pytest.fixture
def serve_web(home, monkeypatch):
    """`serve_web(tokens=True)` is `Served(tokens=True)`, which ends with the test.

    Processes of searches find the toy tasks.
    """
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOYS), os.environ.get("PYTHONPATH", "")]))
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(Served(**options))


@pytest.fixture
def web(serve_web):
    """A service on 127.0.0.1, which needs no token."""
    return serve_web()


@pytest.fixture
def class_web(serve_web):
    """A service for other machines: each request needs a token."""
    return serve_web(tokens=True)
