"""The search service in parts: its queue, the processes of its searches, and the service itself over HTTP."""

import signal
import tempfile
import threading
import time

import pytest
from nursery import Nursery
from stores import here

from search.client.models import SearchRequest
from search.services.queue import process, tables
from search.services.queue.queue import Queue
from search.services.queue.runner import Runner
from search.services.queue.steps import Place

PATIENCE = 30.0  # seconds that a search may take


@pytest.fixture(scope="session")
def forks_of_searches():
    with tempfile.TemporaryDirectory() as folder:
        nursery = Nursery(folder)
        yield nursery
        nursery.close()


@pytest.fixture
def nursery(forks_of_searches, database, monkeypatch):
    """Searches are forks, which train at once; the home has a log."""
    monkeypatch.setattr(process, "start", forks_of_searches.start)


@pytest.fixture
def engine(home):
    """The database of a service."""
    return tables.engine(None)


@pytest.fixture
def queue(engine):
    return Queue(engine)


@pytest.fixture
def ask(queue):
    """`ask("ann", trials=3)` queues a search of the bowl."""

    def ask(owner="ann", key=None, **request):
        return queue.add(owner, SearchRequest(**{"task": "bowl", "trials": 4} | request), "builtin", key)

    return ask


@pytest.fixture
def make_runner(queue):
    """A Runner of the queue, as another start of the service makes it. No search outlives the test."""
    yield lambda jobs=2: Runner(queue, here(), Place(jobs))
    for search in queue.all():
        process.send(search.id, signal.SIGKILL)


@pytest.fixture
def until(queue):
    """`until(runner, number, test)` lets a runner tick until a search is as wanted; returns the search."""

    def until(runner, number, test, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not test(search := queue.find(number)):
            output = process.folder(number) / "output.txt"
            said = output.read_text() if output.exists() else ""
            assert time.monotonic() < deadline, (search.state, search.reason, runner.fault, said)
            runner.tick()
            threading.Event().wait(0.01)
        return search

    return until
