"""A trial's run, written to an MLflow store: by MLflow's own calls, or straight into its tables.

MLflow's calls cost 30 ms a trial, nearly all of it in their object mapper. The tables of a store on this
machine take the same rows in 2 ms. That needs their layout, which is MLflow's own affair: where the
database is not of REVISION, the calls are used.
"""

import math
import sqlite3
import uuid
from contextlib import closing

from mlflow.entities import RunTag

REVISION = "dc11669786a5"  # of the tables as they are known here; `test_rows.py` compares them with the calls
AT_ONCE = 1000  # metrics that MLflow takes in one call
FEW = 20  # params or tags: MLflow takes 100 in one call, and of a million bytes no more
LARGEST = 1.7976931348623157e308  # stands for infinity, as in MLflow
PARAM, TAG = 6000, 8000  # letters of a value that MLflow keeps
PATIENCE = 5  # seconds until another process must have done with the database


def writer(client, experiment, database):
    """What writes runs of an experiment: Rows where they can be written, or Calls.

    Args:
        client: the MlflowClient of the store.
        database: the path of the store's sqlite file; None where it is elsewhere.
    """
    known = database is not None and _revision(database) == REVISION
    return Rows(database, client.get_experiment(experiment)) if known else Calls(client, experiment)


class Calls:
    """Writes runs by MLflow's own calls, to any store."""

    def __init__(self, client, experiment):
        self._client, self._experiment = client, experiment

    def begin(self, name, started, tags, params):
        """Make a run that is running; `started` in ms. Returns its id."""
        run = self._client.create_run(self._experiment, started, tags, name)
        self._set_params(run.info.run_id, params)
        return run.info.run_id

    def add(self, run_id, metrics):
        """Write metrics. What is there already is not written twice."""
        for start in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(run_id, metrics[start : start + AT_ONCE])

    def end(self, run_id, metrics, params, tags, status, ended):
        """The same, and end the run; `ended` in ms. The tags come last: where they are, all else is."""
        self.add(run_id, metrics)
        self._set_params(run_id, params)
        self._client.set_terminated(run_id, status, ended)
        set_tags(self._client, run_id, {tag.key: tag.value for tag in tags})

    def _set_params(self, run_id, params):
        for start in range(0, len(params), FEW):
            self._client.log_batch(run_id, params=params[start : start + FEW])


def set_tags(client, run_id: str, tags: dict[str, str]) -> None:
    """Write tags of a run by MLflow's own calls, as many as there are."""
    written = [RunTag(*tag) for tag in tags.items()]
    for start in range(0, len(written), FEW):
        client.log_batch(run_id, tags=written[start : start + FEW])


class Rows:
    """Writes the same straight into the tables of a store on this machine, in one transaction each.

    It does not wait for the disk: what a machine loses that goes down is made again from the studies.
    """

    def __init__(self, database, experiment):
        self._experiment = experiment
        self._database = sqlite3.connect(database, timeout=PATIENCE)
        self._database.execute("PRAGMA synchronous = OFF")
        # Where the file was replaced meanwhile, MLflow's client may know runs that this one has not.
        self._database.execute("PRAGMA foreign_keys = ON")

    def begin(self, name, started, tags, params):
        run_id = uuid.uuid4().hex
        artifacts = f"{self._experiment.artifact_location}/{run_id}/artifacts"
        run = (run_id, name, started, artifacts, int(self._experiment.experiment_id))
        with self._database as database:
            database.execute(
                "INSERT INTO runs (run_uuid, name, start_time, artifact_uri, experiment_id, status, user_id,"
                " lifecycle_stage, source_type, source_name, entry_point_name, source_version)"
                " VALUES (?, ?, ?, ?, ?, 'RUNNING', 'unknown', 'active', 'UNKNOWN', '', '', '')",
                run,
            )
            _set_tags(database, run_id, {**tags, "mlflow.runName": name}.items())
            _set_params(database, run_id, params)
        return run_id

    def add(self, run_id, metrics):
        with self._database as database:
            self._add(database, run_id, metrics)

    def end(self, run_id, metrics, params, tags, status, ended):
        with self._database as database:
            self._add(database, run_id, metrics)
            _set_params(database, run_id, params)
            _set_tags(database, run_id, [(tag.key, tag.value[:TAG]) for tag in tags])
            database.execute(
                "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", (status, ended, run_id)
            )

    def _add(self, database, run_id, metrics):
        rows = [(m.key, *_value(m.value), m.timestamp, m.step, run_id) for m in metrics]
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


def _set_params(database, run_id, params):
    database.executemany(
        "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
        [(param.key, param.value[:PARAM], run_id) for param in params],
    )


def _set_tags(database, run_id, tags):
    database.executemany(
        "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
        [(*tag, run_id) for tag in tags],
    )
    if name := dict(tags).get("mlflow.runName"):
        database.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (name, run_id))


def _latest(rows):
    """Of rows of metrics, the last of each name: by step, time and value."""
    latest = {}
    for row in sorted(rows, key=lambda row: (row[4], row[3], row[1])):
        latest[row[0]] = row
    return latest.values()


def _value(value):
    """A number as MLflow's tables have it, and whether it is none."""
    if math.isnan(value):
        return 0.0, True
    return max(-LARGEST, min(LARGEST, float(value))), False


def _revision(database):
    """Which layout a store's tables have."""
    with closing(sqlite3.connect(database, timeout=PATIENCE)) as opened:
        return opened.execute("SELECT version_num FROM alembic_version").fetchone()[0]
