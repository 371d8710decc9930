"""Writing the run of a trial: by MLflow's public calls, or straight into the tables of a local store.

The log's thread shares its interpreter with the search, and MLflow's calls take ten times the processor
time of a trial: 39 ms instead of 3.9. `tests/bench/log_rates.py` measured it with 32 trainers that only
pretend, on two busy cores, in searches of 9 seconds (calls, tables):

    trials of a second, to their end    trainers compute 76%, 80% of the time; then the log needs 32 s, 1.5 s
    a search that pauses, 2 s an epoch  trainers compute 98.0%, 98.9%; then the log needs 17 s, 0.8 s

So a local store whose tables have the known layout is written directly. Any other store takes the calls.
"""

import json
import math
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

LARGEST_BATCH = {"params": 100, "metrics": 1000, "tags": 100}  # entities of a kind that one call takes
ENTITIES, LETTERS = 1000, 900_000  # of all kinds together; MLflow takes a request of a million letters
OVERHEAD = 150  # letters around a name and a value in a request

REVISION = "dc11669786a5"  # of the tables as they are known here; `test_writers.py` compares both writers
LARGEST = 1.7976931348623157e308  # stands for infinity, as in MLflow
PARAM_LETTERS, TAG_LETTERS = 6000, 8000  # of a value that MLflow keeps
LOCK_SECONDS = 5  # until another process must have done with the database


class RunWriter(Protocol):
    """Writes the runs of an experiment. Times are in ms; what is there already is not written twice."""

    def begin(self, name: str, started: int, tags: dict[str, str]) -> str:
        """Make a run that is running. Returns its id."""

    def add(self, run_id: str, metrics: Sequence["Metric"], params: Sequence["Param"]) -> None:
        """Write metrics and params."""

    def add_each(self, metrics: Mapping[str, Sequence["Metric"]]) -> None:
        """Write metrics of several runs, by the run's id."""

    def end(
        self,
        run_id: str,
        metrics: Sequence["Metric"],
        params: Sequence["Param"],
        tags: Sequence["RunTag"],
        status: str,
        ended: int,
    ) -> None:
        """Write the same, and end the run. The tags come last: a run that has them has everything."""


class ClientWriter:
    """Writes runs by MLflow's public calls, in as few of them as MLflow takes."""

    def __init__(self, client: "MlflowClient", experiment: str) -> None:
        self._client, self._experiment = client, experiment

    def begin(self, name: str, started: int, tags: dict[str, str]) -> str:
        run_id: str = self._client.create_run(self._experiment, started, tags, name).info.run_id
        return run_id

    def add(self, run_id: str, metrics: Sequence["Metric"], params: Sequence["Param"]) -> None:
        log_batches(self._client, run_id, metrics=metrics, params=params)

    def add_each(self, metrics: Mapping[str, Sequence["Metric"]]) -> None:
        for run_id, some in metrics.items():
            log_batches(self._client, run_id, metrics=some)

    def end(
        self,
        run_id: str,
        metrics: Sequence["Metric"],
        params: Sequence["Param"],
        tags: Sequence["RunTag"],
        status: str,
        ended: int,
    ) -> None:
        self._client.set_terminated(run_id, status, ended)
        log_batches(self._client, run_id, metrics=metrics, params=params, tags=tags)


def log_batches(
    client: "MlflowClient",
    run_id: str,
    metrics: Sequence["Metric"] = (),
    params: Sequence["Param"] = (),
    tags: Sequence["RunTag"] = (),
) -> None:
    """Write to a run in as few calls as MLflow takes. The tags come last."""
    for batch in batches({"params": params, "metrics": metrics, "tags": tags}):
        client.log_batch(run_id, batch["metrics"], batch["params"], batch["tags"])


def batches(entities: dict[str, Sequence[Any]]) -> Iterator[dict[str, list[Any]]]:
    """Split entities into batches that MLflow takes in one call each; it writes their kinds in this order."""
    batch: dict[str, list[Any]] = {kind: [] for kind in entities}
    count = letters = 0
    for kind, entity in ((kind, entity) for kind, some in entities.items() for entity in some):
        size = OVERHEAD + len(json.dumps([entity.key, str(entity.value)]))
        if count == ENTITIES or len(batch[kind]) == LARGEST_BATCH[kind] or letters + size > LETTERS:
            yield batch
            batch, count, letters = {kind: [] for kind in entities}, 0, 0
        batch[kind].append(entity)
        count, letters = count + 1, letters + size
    if count:
        yield batch


class SqliteWriter:
    """Writes the same straight into the tables of a local store, in one transaction each.

    It does not wait for the disk: what is lost when a machine goes down is made again from the studies.
    """

    def __init__(self, database: Path, experiment: str, location: str) -> None:
        """Open the database; `location` is where the experiment's artifacts lie."""
        self._experiment, self._location = experiment, location
        self._database = sqlite3.connect(database, timeout=LOCK_SECONDS)
        self._database.execute("PRAGMA synchronous = OFF")
        # Where the file was replaced meanwhile, MLflow's client may know runs that this one has not.
        self._database.execute("PRAGMA foreign_keys = ON")

    @staticmethod
    def knows(database: Path) -> bool:
        """Whether the tables have the layout that is known here: it is MLflow's own affair."""
        with closing(sqlite3.connect(database, timeout=LOCK_SECONDS)) as opened:
            (revision,) = opened.execute("SELECT version_num FROM alembic_version").fetchone()
        return bool(revision == REVISION)

    def begin(self, name: str, started: int, tags: dict[str, str]) -> str:
        run_id = uuid.uuid4().hex
        artifacts = f"{self._location}/{run_id}/artifacts"
        with self._database as database:
            database.execute(
                "INSERT INTO runs (run_uuid, name, start_time, artifact_uri, experiment_id, status, user_id,"
                " lifecycle_stage, source_type, source_name, entry_point_name, source_version)"
                " VALUES (?, ?, ?, ?, ?, 'RUNNING', 'unknown', 'active', 'UNKNOWN', '', '', '')",
                (run_id, name, started, artifacts, int(self._experiment)),
            )
            _set_tags(database, run_id, {**tags, "mlflow.runName": name})
        return run_id

    def add(self, run_id: str, metrics: Sequence["Metric"], params: Sequence["Param"]) -> None:
        with self._database as database:
            self._add(database, run_id, metrics, params)

    def add_each(self, metrics: Mapping[str, Sequence["Metric"]]) -> None:
        with self._database as database:
            for run_id, some in metrics.items():
                self._add(database, run_id, some, ())

    def end(
        self,
        run_id: str,
        metrics: Sequence["Metric"],
        params: Sequence["Param"],
        tags: Sequence["RunTag"],
        status: str,
        ended: int,
    ) -> None:
        with self._database as database:
            self._add(database, run_id, metrics, params)
            _set_tags(database, run_id, {tag.key: tag.value[:TAG_LETTERS] for tag in tags})
            database.execute(
                "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", (status, ended, run_id)
            )

    def _add(
        self,
        database: sqlite3.Connection,
        run_id: str,
        metrics: Sequence["Metric"],
        params: Sequence["Param"],
    ) -> None:
        database.executemany(
            "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            [(param.key, param.value[:PARAM_LETTERS], run_id) for param in params],
        )
        rows = [(m.key, *_number(m.value), m.timestamp, m.step, run_id) for m in metrics]
        database.executemany(
            "INSERT OR IGNORE INTO metrics (key, value, is_nan, timestamp, step, run_uuid)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        database.executemany(
            "INSERT INTO latest_metrics (key, value, is_nan, timestamp, step, run_uuid)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value,"
            " is_nan = excluded.is_nan, timestamp = excluded.timestamp, step = excluded.step"
            " WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)",
            _latest(rows),
        )


def _set_tags(database: sqlite3.Connection, run_id: str, tags: dict[str, str]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
        [(name, value, run_id) for name, value in tags.items()],
    )
    if name := tags.get("mlflow.runName"):
        database.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (name, run_id))


Row = tuple[str, float, bool, int, int, str]  # of a metric: name, value, is_nan, time, step, run


def _latest(rows: Iterable[Row]) -> Iterable[Row]:
    """Of rows of metrics, the last of each name: by step, time and value."""
    latest = {}
    for row in sorted(rows, key=lambda row: (row[4], row[3], row[1])):
        latest[row[0]] = row
    return latest.values()


def _number(value: float) -> tuple[float, bool]:
    """A number as MLflow's tables have it, and whether it is NaN."""
    if math.isnan(value):
        return 0.0, True
    return max(-LARGEST, min(LARGEST, float(value))), False
