"""Where the log lies: on this machine or on a server."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from logs import log_store, projection

from search import paths
from search.errors import StoreError
from search.tracking import chosen
from search.tracking.client import LocalTracking, ServerTracking, run_of
from search.tracking.writers import ClientWriter

ADDRESS = "http://127.0.0.1:9"  # where nobody answers


def test_store_is_local_unless_an_address_is_given(monkeypatch):
    local = LocalTracking(paths.mlflow_database(), paths.artifacts())
    assert chosen(None) == chosen("") == log_store() == local
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESS)
    assert isinstance(log_store(), ServerTracking) and log_store().uri == ADDRESS


@pytest.mark.integration
def test_choosing_a_store_imports_no_mlflow_and_writes_nothing(home):
    code = "import sys, search.tracking as t; t.chosen(None).exists(); sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=False).returncode == 0
    assert not home.exists()


def test_a_home_without_a_log_has_nothing_to_read(searched):
    store = chosen(None)
    assert store.reader() is None and not store.exists() and not list(store.damage())
    assert run_of(store, searched, 0) == "unknown"
    assert store.fault() == f"{paths.mlflow_database()} is missing"
    assert not paths.mlflow_database().exists()


def test_run_of_names_the_run_of_a_trial(searched, database):
    store, log = chosen(None), projection(searched)
    log.bring_up_to_date()
    run = store.reader().get_run(run_of(store, searched, 3))
    assert (run.data.tags["trial"], run.data.tags["study"]) == ("3", "searched")
    assert run_of(store, searched, 99) == "unknown"


def test_a_reader_changes_nothing(searched, database):
    projection(searched).bring_up_to_date()
    before, client = database.read_bytes(), chosen(None).reader()
    run = client.get_run(run_of(chosen(None), searched, 0)).info.run_id
    with pytest.raises(Exception, match="readonly"):
        client.set_tag(run, "a", "b")
    assert database.read_bytes() == before


def killed_while_writing(database):
    """Half of a transaction is in the file, as a killed process leaves it."""
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA cache_size = 1")  # page: what changes reaches the file before the commit
        for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
            opened.execute(f"DELETE FROM {table}")
        os.kill(os.getpid(), signal.SIGKILL)


def test_connect_after_a_writer_was_killed_keeps_what_was_committed(searched, database):
    store = chosen(None)
    projection(searched).bring_up_to_date()
    writer = multiprocessing.get_context("spawn").Process(target=killed_while_writing, args=(database,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    before = database.read_bytes()
    assert len(list(store.damage())) == 1 and database.read_bytes() == before
    store.connect()
    assert list(store.damage()) == [] and store.fault() is None
    assert run_of(store, searched, 3) != "unknown"


def test_a_folder_in_the_place_of_the_log_is_said_at_once(home):
    paths.mlflow_database().mkdir(parents=True)
    started = time.monotonic()
    with pytest.raises(StoreError, match="the log cannot be read: OperationalError"):
        chosen(None).reader()
    assert time.monotonic() - started < 30  # MLflow alone tries for two minutes


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
def test_a_file_that_is_no_log_is_a_fault(content, home):
    home.mkdir()
    paths.mlflow_database().write_bytes(content)
    assert str(paths.mlflow_database()) in chosen(None).fault()


def test_rows_that_belong_to_no_run_are_damage(searched, database):
    projection(searched).bring_up_to_date()
    assert chosen(None).fault() is None
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("DELETE FROM runs WHERE run_uuid = (SELECT min(run_uuid) FROM runs)")
    assert any("rows of table metrics belong to none" in line for line in chosen(None).damage())
    assert "belong to none" in chosen(None).fault()


def test_a_database_that_another_process_keeps_cannot_be_judged(database):
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="is being written by another process: try again"):
            chosen(None).fault()


def test_a_deleted_experiment_is_restored_and_an_unknown_one_made(database):
    store = chosen(None)
    client = store.connect()
    made = store.open_experiment(client, "bowl")
    assert client.get_experiment(made).artifact_location == str(paths.artifacts() / "bowl")
    client.delete_experiment(made)
    assert store.open_experiment(client, "bowl") == made
    assert client.get_experiment(made).lifecycle_stage == "active"


def opened_by_another(start, found):
    store = chosen(None)
    client = store.connect()
    start.wait(60)
    found.put(store.open_experiment(client, "bowl"))


def test_processes_that_make_an_experiment_at_once_make_one(database):
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(4), context.Queue()
    others = [context.Process(target=opened_by_another, args=(start, found)) for _ in range(4)]
    for process in others:
        process.start()
    experiments = {found.get(timeout=60) for _ in others}
    for process in others:
        process.join(60)
    assert len(experiments) == 1


def test_a_server_has_nothing_on_this_machine(tmp_path):
    store = chosen(ADDRESS)
    assert store.exists() and store.fault() is None and not list(store.damage())
    assert store.files() == [] and store.folder("mlflow-artifacts:/1/abc") is None
    assert not store.is_misplaced(str(tmp_path / "mlruns" / "artifacts" / "bowl" / "1" / "artifacts"))
    assert store.backend_uri is None and isinstance(store.writer(None, "1"), ClientWriter)
