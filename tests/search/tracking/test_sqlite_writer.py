"""Rows, written straight into MLflow's tables, against MLflow's own calls."""

import math
import sqlite3
from contextlib import closing

import pytest
from mlflow.entities import Metric, Param, RunTag

from search.tracking import projection as log
from search.tracking import sqlite_writer as rows

TABLES = ("runs", "tags", "params", "metrics", "latest_metrics")
PARAMS = [Param("p", "y" * 7000)]


@pytest.fixture
def writers(database):
    """Calls and Rows, each with an experiment of its own in one store."""
    client = log.connect()
    calls, direct = (
        client.create_experiment(name, artifact_location="/somewhere") for name in ("calls", "rows")
    )
    return rows.Calls(client, calls), rows.writer(client, direct, database)


def written(database, run_id):
    """All that a store holds of a run, without its ids."""
    with closing(sqlite3.connect(database)) as opened:
        opened.row_factory = sqlite3.Row
        found = {
            table: [
                dict(row) for row in opened.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", [run_id])
            ]
            for table in TABLES
        }
    found["runs"][0].pop("experiment_id")
    return {table: sorted(str(row).replace(run_id, "ID") for row in each) for table, each in found.items()}


def epochs(first, last):
    return [
        Metric(name, value / epoch, 1000 * epoch, epoch)
        for epoch in range(first, last + 1)
        for name, value in (("loss", 1.5), ("accuracy", 0.5))
    ]


def write(writer, steps):
    run_id = writer.begin("trial-0001", 1000, {"kind": "trial", "long": "x" * 9000}, PARAMS)
    for step in steps:
        step(writer, run_id)
    return run_id


STEPS = {
    "a run that runs": [],
    "a curve that grows": [lambda w, run: w.add(run, epochs(1, 3)), lambda w, run: w.add(run, epochs(4, 4))],
    "what is there already": [
        lambda w, run: w.add(run, epochs(1, 3)),
        lambda w, run: w.add(run, epochs(1, 4)),
    ],
    "older than what is there": [
        lambda w, run: w.add(run, epochs(3, 4)),
        lambda w, run: w.add(run, epochs(1, 2)),
    ],
    "more than a call takes": [lambda w, run: w.add(run, epochs(1, 600))],
    "no number": [
        lambda w, run: w.add(run, [Metric(f"m {x}", x, 1, 1) for x in (math.nan, math.inf, -math.inf)])
    ],
    "the end": [
        lambda w, run: w.add(run, epochs(1, 1)),
        lambda w, run: w.end(run, epochs(2, 2), PARAMS, [RunTag("state", "completed")], "FINISHED", 2000),
    ],
    "another name": [lambda w, run: w.end(run, [], (), [RunTag("mlflow.runName", "void")], "KILLED", 2000)],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_rows_are_what_calls_write(writers, database, steps):
    calls, direct = (written(database, write(writer, steps)) for writer in writers)
    assert isinstance(writers[1], rows.Rows)
    assert calls["tags"] and direct == calls


def test_an_unknown_layout_is_left_to_calls(writers, database):
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = 'another'")
    assert isinstance(rows.writer(None, "1", database), rows.Calls)


def test_a_store_elsewhere_is_left_to_calls():
    assert isinstance(rows.writer(None, "1", None), rows.Calls)
