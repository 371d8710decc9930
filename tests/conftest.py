"""What tests share: a home of their own, tasks that train in no time, and a ready log."""

import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import forks
import plain
import pytest
import torch
from logs import copy_home, log_client, log_store, projection
from proposals import fixed
from stores import here
from task_files import TaskFiles, changed

import data
from objectives.replay import THREADS
from search import paths, tasks
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.frozen_script import files
from search.strategy import winner
from search.study.opening import open_study
from search.tracking.background import Background
from search.tracking.client import run_of
from search.winners import freezing

ROOT = Path(__file__).parents[1]
PATIENCE = 60  # seconds until a server must answer
NEEDS = {  # fixture -> what a test that uses it is: see `markers` in pyproject.toml
    "fresh_database": "integration",  # it writes a log
    "serve": "integration",
    "storage": "integration",
    "cluster": "thorough",
    "browser": "thorough",
    "stack": "thorough",
}
SHARED = {"storage", "running", "cluster", "stack", "members"}  # the tests of each run in one process

torch.set_num_threads(THREADS)  # as trainers do
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests by the fixtures that they use."""
    for item in items:
        for name in NEEDS.keys() & set(item.fixturenames):
            item.add_marker(NEEDS[name])
        for name in SHARED & set(item.fixturenames):
            item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Studies, log and frozen scripts of a test lie in a folder of its own; it has no course data."""
    monkeypatch.setenv("TRIALBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "no-course"))
    data.use_course_folder(tmp_path / "no-course")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRIALBOOK_STORAGE", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory):
    """An MLflow database as it is when new. Making one takes seconds: it is made once, and copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("database")))
        log_client()
        return paths.mlflow_database()


@pytest.fixture
def database(home, fresh_database):
    """The test's home has an MLflow database."""
    home.mkdir(exist_ok=True)
    shutil.copyfile(fresh_database, paths.mlflow_database())
    return paths.mlflow_database()


@pytest.fixture
def bowl():
    """A task with a known optimum."""
    from objectives import bowl

    return bowl


@pytest.fixture
def task_files(tmp_path, monkeypatch):
    """Tasks of this test alone: see tests/toys/task_files.py."""
    files = TaskFiles(tmp_path / "tasks", monkeypatch)
    yield files
    files.forget()


@pytest.fixture
def write_task(task_files):
    """`write_task(name, (old, new), ...)` is a variant of the task in tests/toys/plain.py: its module."""
    return lambda name, *changes: task_files.write(name, changed(plain.TEXT, *changes))


@pytest.fixture
def edited_bowl(task_files, bowl):
    """`edited_bowl((old, new), ..., name="edited")` is a variant of the bowl: its module."""
    text = Path(bowl.__file__).read_text(encoding="utf-8")
    return lambda *changes, name="edited": task_files.write(name, changed(text, *changes))


@pytest.fixture
def moody(monkeypatch):
    """A task that fails as it is told: `moody("nan", "error")` lets these be drawn.

    The `baseline` is not paused, so that it comes to its end.
    """
    from objectives import moody

    def in_moods(*moods, baseline="well"):
        monkeypatch.setenv("MOOD", baseline)
        monkeypatch.setenv("MOODS", ",".join(("well", *moods)))
        return moody

    return in_moods


@pytest.fixture(scope="session")
def searched_records(tmp_path_factory):
    """The records of the study `searched`, which is searched once."""
    from objectives import bowl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("searched")))
        patch.delenv("TRIALBOOK_STORAGE", raising=False)
        with open_study(here(), bowl, "searched") as study:
            search(study, Inline(study), trials=12)
        return list(here().open("searched").read_logs(0))


@pytest.fixture
def searched(bowl, searched_records):
    """A study of the bowl, of 12 trials."""
    paths.studies().mkdir(parents=True)
    here().create("searched", searched_records)
    with open_study(here(), bowl, "searched") as study:
        yield study


@pytest.fixture(scope="session")
def audited_home(tmp_path_factory, fresh_database):
    """A home with the study `audited`: it was made once, and is copied."""
    from objectives import bowl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("audited")))
        shutil.copyfile(fresh_database, paths.mlflow_database())
        with open_study(here(), bowl, "audited") as study:
            looks, written = iter(range(5)), projection(study)
            with Background(written) as live:
                search(study, Inline(study), trials=8, watchers=[live], stopping=lambda: next(looks, 4) == 4)
                study.set_budget(8, None)
                search(study, Inline(study), trials=8, watchers=[live])
                confirm(study, Inline(study), replicates=2, watchers=[live])
            written.bring_up_to_date()
            assert written.behind is None
            candidate = winner.choose(study)
            text = freezing.freeze(study, candidate, run_of(log_store(), study, candidate.trial.number))
            files.write(paths.frozen("bowl"), text)
        return paths.home()


@pytest.fixture
def audited(home, audited_home):
    """A study of 8 trials, one of which was interrupted and retried; confirmed, logged and frozen."""
    copy_home(audited_home, home)
    return "audited"


@pytest.fixture
def tell():
    """Tell a study of a trial that nobody trained: `tell(study, 0.5, layers=2)`; returns its number."""

    def tell(study, score=None, state="completed", curve=(), error=0.01, **params):
        params = tasks.baseline(study.task) | params
        number = len(list(study.trials()))
        trial = study.start(fixed(params, number))
        losses = {"train_loss": 1.0, "validation_loss": 1.0, f"validation_{study.task.METRIC}": 1.0}
        if score is not None and not curve:
            curve = [{}] * trial.config["epochs"]
        for epoch, entry in enumerate(curve, 1):
            study.report(trial.number, {"epoch": epoch, "seconds": 0.1, "time": 1e9, **losses, **entry})
        told = (score, error) if score is not None else (None, None)
        study.tell(trial.number, state, "told so", told)
        return trial.number

    return tell


@pytest.fixture
def listens():
    """`listens(host, port)` says whether somebody answers there."""

    def answers(host, port):
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            return False
        return True

    return answers


@pytest.fixture
def serve(tmp_path, listens):
    """`serve(verb, *options)` starts `python -m search` on a free port, waits for it and returns the port."""
    servers = []

    def start(verb, *options):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        servers.append(forks.start_into(tmp_path / "printed", verb, *options, "--port", str(port)))
        deadline = time.monotonic() + PATIENCE
        while not listens("127.0.0.1", port):
            ended = servers[-1].exitcode is not None or time.monotonic() > deadline
            assert not ended, (tmp_path / "printed").read_text()
            threading.Event().wait(0.1)
        return port

    yield start
    for server in servers:
        server.terminate()
        server.join(10)
        assert server.exitcode is not None
