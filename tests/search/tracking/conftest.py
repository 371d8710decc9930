"""A tracking server that can fail, and a study in a log, for the tests of the log."""

import shutil

import pytest
from faulty import tracking_server
from logs import copy_home, up_to_date
from stores import here

from search import paths
from search.coordinator import search
from search.executors.inline import Inline
from search.study.opening import open_study
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


@pytest.fixture(scope="session")
def logged_home(tmp_path_factory, fresh_database):
    """A home with the study `logged`: it was made once, and is copied."""
    from objectives import bowl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("logged")))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        shutil.copyfile(fresh_database, paths.mlflow_database())
        with open_study(here(), bowl, "logged") as study:
            count = iter(range(5))
            search(study, Inline(study), trials=12, stopping=lambda: next(count, 4) == 4)
            search(study, Inline(study), trials=12)
            up_to_date(study)
        return paths.home()


@pytest.fixture
def logged(bowl, home, logged_home):
    """A study of 12 trials with one that was interrupted among them, in the log."""
    copy_home(logged_home, home)
    with open_study(here(), bowl, "logged") as study:
        yield study
