"""Rows, written straight into MLflow's tables, against MLflow's own calls."""

import math
import sqlite3
from contextlib import closing

import pytest
from logs import log_client
from mlflow.entities import Metric, Param, RunTag

from search.tracking import chosen
from search.tracking.writers import ENTITIES, LARGEST_BATCH, ClientWriter, SqliteWriter, batches, log_batches

TABLES = ("runs", "tags", "params", "metrics", "latest_metrics")
PARAMS = [Param("p", "y" * 7000)]


@pytest.fixture
def writers(database):
    """A ClientWriter and a SqliteWriter, each with an experiment of its own in one store."""
    client = log_client()
    calls, direct = (
        client.create_experiment(name, artifact_location="/somewhere") for name in ("calls", "rows")
    )
    return ClientWriter(client, calls), chosen(None).writer(client, direct)


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
    run_id = writer.begin("trial-0001", 1000, {"kind": "trial", "long": "x" * 9000})
    writer.add(run_id, [], PARAMS)
    for step in steps:
        step(writer, run_id)
    return run_id


TAGS = [RunTag("state", "completed"), RunTag("cut", "x" * 9000)]
MANY = [Param(f"p{number}", str(number)) for number in range(250)]
STEPS = {
    "a run that runs": [],
    "a curve that grows": [
        lambda w, run: w.add(run, epochs(1, 3), ()),
        lambda w, run: w.add(run, epochs(4, 4), ()),
    ],
    "what is there already": [
        lambda w, run: w.add(run, epochs(1, 3), PARAMS),
        lambda w, run: w.add(run, epochs(1, 4), PARAMS),
    ],
    "older than what is there": [
        lambda w, run: w.add(run, epochs(3, 4), ()),
        lambda w, run: w.add(run, epochs(1, 2), ()),
    ],
    "more than a call takes": [lambda w, run: w.add(run, epochs(1, 600), MANY)],
    "no number": [
        lambda w, run: w.add(run, [Metric(f"m {x}", x, 1, 1) for x in (math.nan, math.inf, -math.inf)], ())
    ],
    "metrics of several runs": [lambda w, run: w.add_each({run: epochs(1, 2)})],
    "the end": [
        lambda w, run: w.add(run, epochs(1, 1), ()),
        lambda w, run: w.end(run, epochs(2, 2), PARAMS, TAGS, "FINISHED", 2000),
    ],
    "all at once": [lambda w, run: w.end(run, epochs(1, 600), MANY, TAGS, "FINISHED", 2000)],
    "another name": [lambda w, run: w.end(run, [], (), [RunTag("mlflow.runName", "void")], "KILLED", 2000)],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_sqlite_writer_writes_the_rows_that_mlflow_writes(writers, database, steps):
    calls, direct = (written(database, write(writer, steps)) for writer in writers)
    assert isinstance(writers[1], SqliteWriter)
    assert calls["tags"] and direct == calls


def test_local_store_with_an_unknown_layout_is_written_by_mlflow(database):
    client = log_client()
    experiment = client.create_experiment("unknown", artifact_location="/somewhere")
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = 'another'")
    assert isinstance(chosen(None).writer(client, experiment), ClientWriter)


def test_server_is_written_by_mlflow():
    assert isinstance(chosen("http://nobody.example").writer(None, "1"), ClientWriter)


def test_a_trial_of_twenty_epochs_takes_one_batch_with_its_tags_last():
    [batch] = batches({"params": MANY[:12], "metrics": epochs(1, 40), "tags": TAGS})
    assert list(batch) == ["params", "metrics", "tags"]
    assert [len(entities) for entities in batch.values()] == [12, 80, 2]


def test_batches_keep_to_what_mlflow_takes_and_leave_nothing_out():
    long = [RunTag(f"t{number}", "é" * 8000) for number in range(120)]
    entities = {"params": MANY, "metrics": epochs(1, 1200), "tags": long}
    made = list(batches(entities))
    for kind, wanted in entities.items():
        assert [each for batch in made for each in batch[kind]] == wanted
        assert max(len(batch[kind]) for batch in made) <= LARGEST_BATCH[kind]
    assert max(sum(map(len, batch.values())) for batch in made) <= ENTITIES
    first_with_tags = next(number for number, batch in enumerate(made) if batch["tags"])
    assert not any(batch["params"] or batch["metrics"] for batch in made[first_with_tags + 1 :])


def test_a_server_takes_the_longest_texts(server):
    client = chosen(server.address).connect()
    run = client.create_run(client.create_experiment("long")).info.run_id
    tags = {f"t{number}": "é" * 8000 for number in range(60)}
    log_batches(client, run, tags=[RunTag(*tag) for tag in tags.items()])
    assert tags.items() <= client.get_run(run).data.tags.items()
