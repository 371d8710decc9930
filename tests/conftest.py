"""What tests share: a home of their own, tasks that train in no time, and a ready log."""

import importlib
import linecache
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch

import objectives
from objectives.replay import THREADS
from search import freeze, log, places, tasks, winner
from search.coordinator import confirm, search
from search.live import Live
from search.study import Study
from search.trainers.inline import Inline

ROOT = Path(__file__).parents[1]
PATIENCE = 60  # seconds until a server must answer

torch.set_num_threads(THREADS)  # as trainers do


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Studies, log and frozen scripts of a test lie in a folder of its own; it has no course data."""
    monkeypatch.setenv("TRIALBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "no-course"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRIALBOOK_STORAGE", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory):
    """An MLflow database as it is when new. Making one takes seconds: it is made once, and copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("database")))
        log.connect()
        return places.mlflow_database()


@pytest.fixture
def database(home, fresh_database):
    """The test's home has an MLflow database."""
    home.mkdir(exist_ok=True)
    shutil.copyfile(fresh_database, places.mlflow_database())
    return places.mlflow_database()


@pytest.fixture
def bowl():
    """A task with a known optimum."""
    from objectives import bowl

    return bowl


class TaskFiles:
    """`task_file(name, (old, new), ...)` writes the bowl as another task, with changes; returns its module.

    They lie in the folder `objectives` of `tmp_path`, and so in reach of a PYTHONPATH.
    """

    def __init__(self, folder, bowl):
        self.folder, self._bowl, self._names = folder, bowl, set()

    def __call__(self, name, *changes):
        text = Path(self._bowl.__file__).read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self._write(name, text)
        return importlib.import_module(f"objectives.{name}")

    def break_(self, name, text):
        """Give a task's file another text, or delete it."""
        self._write(name, text or "")
        if text is None:
            (self.folder / f"{name}.py").unlink()

    def _write(self, name, text):
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{name}.py").write_text(text)
        self._names.add(name)
        self.forget()

    def forget(self):
        """Let each be imported anew."""
        for name in self._names:
            sys.modules.pop(f"objectives.{name}", None)
        importlib.invalidate_caches()


@pytest.fixture
def task_file(tmp_path, monkeypatch, bowl):
    """Tasks of this test alone: see TaskFiles."""
    import objectives

    files = TaskFiles(tmp_path / "objectives", bowl)
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(files.folder)])
    yield files
    files.forget()


@pytest.fixture
def edited_bowl(tmp_path, monkeypatch, bowl):
    """`edited_bowl((old, new), ...)` is the bowl with these changes of its text, as a task of its own.

    It may be edited again: each call gives the task `edited` anew, as a new process would see it.
    """
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(tmp_path / "tasks")])
    (tmp_path / "tasks").mkdir()

    def edited(*changes, name="edited"):
        text = Path(bowl.__file__).read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "tasks" / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        linecache.checkcache(str(path))
        importlib.invalidate_caches()
        sys.modules.pop(f"objectives.{name}", None)
        path.with_name("__pycache__").exists() and shutil.rmtree(path.with_name("__pycache__"))
        return importlib.import_module(f"objectives.{name}")

    yield edited
    for name in [name for name in sys.modules if name.startswith("objectives.edited")]:
        del sys.modules[name]


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


@pytest.fixture
def write_task(tmp_path, monkeypatch):
    """`write_task(name, (old, new), ...)` writes a variant of the task in tests/toys/plain.py; returns it.

    Trainers and other processes find it too. A name that is written again is another module.
    """
    import plain

    import objectives

    folder = tmp_path / "tasks" / "objectives"
    folder.mkdir(parents=True)
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(folder)])
    path = os.pathsep.join(
        [str(folder.parent), str(ROOT / "tests" / "toys"), os.environ.get("PYTHONPATH", "")]
    )
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # of two texts of one second and one length
    written = set()

    def write(name, *changes, text=None):
        (folder / f"{name}.py").write_text(text or plain.variant(*changes), encoding="utf-8")
        written.add(f"objectives.{name}")
        for module in written:
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return tasks.find(name)

    yield write
    for module in written:
        sys.modules.pop(module, None)


@pytest.fixture
def searched(bowl):
    """A study of the bowl, of 12 trials."""
    with Study.open(bowl, "searched") as study:
        search(study, Inline(study), trials=12)
        yield study


@pytest.fixture(scope="session")
def audited_home(tmp_path_factory, fresh_database):
    """A home with the study `audited`: it was made once, and is copied."""
    from objectives import bowl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("audited")))
        shutil.copyfile(fresh_database, places.mlflow_database())
        with Study.open(bowl, "audited") as study:
            looks, written = iter(range(3)), log.Log(study)
            with Live(written) as live:
                search(study, Inline(study), trials=8, watchers=[live], stopping=lambda: next(looks, 2) == 2)
                study.set_budget(8, None)
                search(study, Inline(study), trials=8, watchers=[live])
                confirm(study, Inline(study), repeats=2, watchers=[live])
            written.bring_up_to_date()
            assert written.behind is None
            standing = winner.choose(study)
            text = freeze.freeze(study, standing, log.run_of(study, standing.trial.number))
            freeze.write(places.frozen("bowl"), text)
        return places.home()


@pytest.fixture
def audited(home, audited_home):
    """A study of 8 trials, one of which was interrupted and retried; confirmed, logged and frozen."""
    shutil.copytree(audited_home, home)
    with closing(sqlite3.connect(places.mlflow_database())) as database, database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(moved, (str(audited_home), str(home)))
    return "audited"


@pytest.fixture
def tell():
    """Tell a study of a trial that nobody trained: `tell(study, 0.5, layers=2)`; returns its number."""

    def tell(study, score=None, state="completed", curve=(), error=0.01, **params):
        params = tasks.baseline(study.task) | params
        number = len(list(study.trials()))
        trial = study._begin(params, number, number, {"draw": number, "retry_of": None, "start": False})
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
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "toys")}
        command = [sys.executable, "-m", "search", verb, *options, "--port", str(port)]
        with open(tmp_path / "said", "w") as said:
            servers.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said))
        deadline = time.monotonic() + PATIENCE
        while not listens("127.0.0.1", port):
            ended = servers[-1].poll() is not None or time.monotonic() > deadline
            assert not ended, (tmp_path / "said").read_text()
            threading.Event().wait(0.1)
        return port

    yield start
    for server in servers:
        server.terminate()
        server.wait(10)
