"""Where the log lies: a store on this machine, or a server. MLflow is imported when a store is opened.

Choosing a `TrackingStore` opens nothing. All other code asks the store, and never which kind it is.
"""

import contextlib
import fcntl
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from search import paths, tasks
from search.errors import StoreError
from search.primitives.text import one_line
from search.tracking import artifact_locations
from search.tracking.writers import ClientWriter, RunWriter, SqliteWriter

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

REMEDY = "`make doctor FIX=1` mends it or makes it again"  # of a database that cannot be read
PARENT = "mlflow.parentRunId"  # the tag that makes a run one of a study


class TrackingStore(Protocol):
    """A place where MLflow keeps runs."""

    def connect(self) -> "MlflowClient":
        """Open the store to write to it; a local one is made where there is none."""

    def reader(self) -> "MlflowClient | None":
        """Open the store to look at it; None where there is none. Raises StoreError."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep other processes of this machine from what MLflow cannot do twice at once."""

    def open_experiment(self, client: "MlflowClient", name: str) -> str:
        """Find, restore or make an experiment. Returns its id."""

    def writer(self, client: "MlflowClient", experiment: str) -> RunWriter:
        """The fastest writer of runs that this store takes."""

    def experiment_id(self, name: str) -> str | None:
        """The id of an experiment; None if there is none yet. Raises StoreError."""

    def analyze(self) -> None:
        """Let the database plan its searches by what it holds."""

    def exists(self) -> bool:
        """Whether there is a store, as far as this machine knows."""

    def damage(self) -> Iterator[str]:
        """Damage of the stored bytes, in lines. Raises StoreError while another process writes them."""

    def fault(self) -> str | None:
        """Why the store cannot be used as a whole, in one line; None where it can."""

    def files(self) -> list[Path]:
        """The files on this machine that hold the store, to be backed up before it is changed."""

    def folder(self, location: str) -> Path | None:
        """The folder of an artifact location; None where it is not on this machine."""

    def is_misplaced(self, location: str) -> bool:
        """Whether a run's artifacts lie where this project's folder was before it moved."""

    @property
    def backend_uri(self) -> str | None:
        """The address by which `mlflow ui` opens the store; None where a server shows it already."""


def chosen(uri: str | None) -> TrackingStore:
    """The store at an address; the one in the project's root where there is none."""
    if uri:
        return ServerTracking(uri, _lock_in(paths.artifacts()))
    return LocalTracking(paths.mlflow_database(), paths.artifacts())


@dataclass(frozen=True)
class ServerTracking:
    """The log on a tracking server, or in a database that MLflow opens by its address."""

    uri: str
    lock: Path  # a file of this machine

    def connect(self) -> "MlflowClient":
        return open_client(self.uri)

    def reader(self) -> "MlflowClient | None":
        with _readable():
            return self.connect()

    def exclusive(self) -> AbstractContextManager[None]:
        return _exclusive(self.lock)

    def open_experiment(self, client: "MlflowClient", name: str) -> str:
        return _open_experiment(self, client, name, None)

    def writer(self, client: "MlflowClient", experiment: str) -> RunWriter:
        return ClientWriter(client, experiment)

    def experiment_id(self, name: str) -> str | None:
        with _readable():
            experiment = self.connect().get_experiment_by_name(name)
        return str(experiment.experiment_id) if experiment else None

    def analyze(self) -> None:
        """Leave it to the server."""

    def exists(self) -> bool:
        return True

    def damage(self) -> Iterator[str]:
        yield from ()

    def fault(self) -> str | None:
        return None

    def files(self) -> list[Path]:
        return []

    def folder(self, location: str) -> Path | None:
        return None

    def is_misplaced(self, location: str) -> bool:
        return False

    @property
    def backend_uri(self) -> str | None:
        return None


@dataclass(frozen=True)
class LocalTracking:
    """The log in an sqlite file of this machine, its artifacts in a folder beside."""

    database: Path
    artifacts: Path

    def connect(self) -> "MlflowClient":
        with self.exclusive():  # a fresh database must be made by one process
            if self.database.exists():
                self._require_database("rw")  # sqlite then takes back what a killed process left half written
            client = open_client(self.backend_uri)
        artifact_locations.relocate(self.database, self.artifacts)
        return client

    def reader(self) -> "MlflowClient | None":
        with _readable():
            return self._read_only() if self.exists() else None

    def exclusive(self) -> AbstractContextManager[None]:
        return _exclusive(_lock_in(self.artifacts))

    def open_experiment(self, client: "MlflowClient", name: str) -> str:
        return _open_experiment(self, client, name, paths.artifact_location(self.artifacts / name))

    def writer(self, client: "MlflowClient", experiment: str) -> RunWriter:
        if not SqliteWriter.knows(self.database):
            return ClientWriter(client, experiment)
        location = client.get_experiment(experiment).artifact_location
        return SqliteWriter(self.database, experiment, location)

    def experiment_id(self, name: str) -> str | None:
        if not self.exists():
            return None
        query = "SELECT experiment_id FROM experiments WHERE name = ?"  # importing MLflow would take seconds
        with _readable(), closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute(query, [name]).fetchone()
        return str(row[0]) if row else None

    def analyze(self) -> None:
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute("ANALYZE")  # without it, MLflow's searches become quadratic

    def exists(self) -> bool:
        return self.database.exists()

    def damage(self) -> Iterator[str]:
        if self.exists():
            yield from _damage(self.database)

    def fault(self) -> str | None:
        if not self.exists():
            return f"{self.database} is missing"
        for line in self.damage():
            return line
        try:
            self._read_only()
        except Exception as error:  # MLflow lets through whatever the database raises
            return f"{self.database} is none that this MLflow reads: {one_line(error)}"
        return None

    def files(self) -> list[Path]:
        return [self.database]

    def folder(self, location: str) -> Path | None:
        return artifact_locations.path_of(location)

    def is_misplaced(self, location: str) -> bool:
        return artifact_locations.is_misplaced(location, self.artifacts)

    @property
    def backend_uri(self) -> str:
        return paths.store_uri(self.database)

    def _require_database(self, mode: str) -> None:
        """Raise sqlite3.Error if the file is no database: MLflow would try for two minutes to open it."""
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode={mode}", uri=True)) as database:
            database.execute("PRAGMA schema_version")

    def _read_only(self) -> "MlflowClient":
        self._require_database("ro")
        return open_client(paths.read_only_store_uri(self.database))


def open_client(uri: str) -> "MlflowClient":
    """An MlflowClient that says nothing by itself."""
    from mlflow import MlflowClient

    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return MlflowClient(uri)


def find_runs(client: "MlflowClient", experiment: str, query: str) -> list["Run"]:
    """All runs of an experiment that match, deleted ones too, so that none is made twice."""
    from mlflow.entities import ViewType

    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], query, ViewType.ALL, max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def set_aside(client: "MlflowClient", run: "Run", tag: str = PARENT) -> None:
    """Take a run out of its study; `tag` is what makes it one of it. MLflow keeps it among those deleted."""
    if run.info.lifecycle_stage != "active":
        client.restore_run(run.info.run_id)  # MLflow deletes no tag of a deleted run
    client.delete_tag(run.info.run_id, tag)
    client.delete_run(run.info.run_id)


def run_of(store: TrackingStore, study: Any, number: int) -> str:
    """The id of the MLflow run of a trial, or "unknown". Nothing is written."""
    try:
        if (client := store.reader()) is None:
            return "unknown"
        experiment = client.get_experiment_by_name(tasks.name_of(study.task))
        query = f"tags.study = '{study.name}' AND tags.trial = '{number}'"
        found = find_runs(client, experiment.experiment_id, query) if experiment else []
    except Exception:  # MLflow lets through whatever its database or its server raises
        return "unknown"
    return next((run.info.run_id for run in found if PARENT in run.data.tags), "unknown")


def _lock_in(folder: Path) -> Path:
    return folder / "mlflow.lock"


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Raise a StoreError for whatever MLflow's database or server raises."""
    try:
        yield
    except Exception as error:
        raise StoreError(f"the log cannot be read: {one_line(error)}") from None


def _open_experiment(store: TrackingStore, client: "MlflowClient", name: str, location: str | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        with store.exclusive():
            if (experiment := client.get_experiment_by_name(name)) is None:
                tags = {"mlflow.experimentKind": "custom_model_development"}  # the pages that suit it
                return str(client.create_experiment(name, artifact_location=location, tags=tags))
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _damage(path: Path) -> Iterator[str]:
    """What sqlite finds wrong with a database. Raises StoreError while another process keeps it to itself."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            [(first,), *_] = database.execute("PRAGMA integrity_check(3)").fetchall()
            strays = Counter(row[0] for row in database.execute("PRAGMA foreign_key_check"))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise StoreError(f"{path} is being written by another process: try again") from None
        yield f"{path}: {error}"
        return
    if first != "ok":
        yield f"{path}: {' '.join(first.split())}"
    for table, count in strays.items():
        yield f"{path}: {count} rows of table {table} belong to none"
