"""A tracking server that can fail, for the tests of the log."""

import shutil

import pytest
from faulty import tracking_server

from search.tracking import background


@pytest.fixture(scope="session")
def running(tmp_path_factory, fresh_database):
    """A server for all tests: MLflow opens its store once in a process."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copyfile(fresh_database, folder / "log.db")
    with tracking_server(folder / "log.db", folder / "artifacts") as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    """A tracking server that is used, and without faults at first. What fails is tried again soon."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running.address)
    monkeypatch.setattr(background, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(background, "LONGEST_RETRY", 0.05)
    running.fault = lambda: "none"
    yield running
    running.answers.set()
