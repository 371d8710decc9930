"""The doctor: it says what is to be repaired and changes nothing; or it backs up, repairs, and is done."""

import hashlib
import re
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing

import forks
import pytest
from logs import log_client, log_store
from planted import PLANTED, in_log, run_of
from stores import here

from search import paths
from search.cli.app import main
from search.maintenance import audit, doctor
from search.maintenance.study_and_log import StudyAndLog
from search.storage import backups
from search.study.opening import hold_study
from search.study.stored import StoredStudy
from search.tracking import mapping

BEYOND = {  # planted violations that cannot be repaired, and the line about each
    "a hyperparameter of the study": "trial 0 was not trained with the y that was drawn: make void",
    "an infinite score": "has the score inf: make void",
    "a draw counted twice": "draw 0 counts twice",
    "a retry of nothing": "retries draw .* and does not name trial",
    "a frozen value": "bowl.py has other values than its trial .*: make export",
    "a frozen digest": "bowl.py has another digest than its trial .*: make export",
    "a token in the study": "audited.journal holds a password or a token: change the secret",
    "a token in the log": "mlflow.db holds a password or a token: change the secret",
    "a password in the report": "a.html holds a password or a token: change the secret",
}
IN_THE_LOG = {  # what else people and accidents do to it
    "runs that somebody edited": (
        f"UPDATE tags SET value = 'x' WHERE key = 'study' AND run_uuid = {run_of(2)}",
        "UPDATE tags SET value = 'three' WHERE key = 'trial' AND value = '3'",
        f"UPDATE runs SET status = 'FAILED', lifecycle_stage = 'deleted' WHERE run_uuid = {run_of(4)}",
    ),
    "its own run is deleted": ("UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'audited'",),
    "its own run is lost": ("UPDATE tags SET value = 'x' WHERE key = 'kind' AND value = 'study'",),
}
REPAIRED = {name: plant for name, (_, plant) in PLANTED.items() if name not in BEYOND}
REPAIRED |= {
    name: lambda each=each: [in_log(statement) for statement in each] for name, each in IN_THE_LOG.items()
}
REPAIRED["a second run of its own"] = lambda: make_run("bowl", kind="study", study="audited")


def make_run(experiment, **tags):
    """Log a run that Trialbook did not make. Returns its id."""
    client = log_client()
    found = client.get_experiment_by_name(experiment)
    experiment = found.experiment_id if found else client.create_experiment(experiment)
    return client.create_run(experiment, tags=tags).info.run_id


def all_bytes():
    """A digest of each file of the home."""
    files = [path for path in paths.home().rglob("*") if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def folders():
    """What was backed up by repairs."""
    return sorted(path for path in paths.backups().glob("*") if path.is_dir())


def kept(path):
    """What the only backup has in the place of a file of the home."""
    [folder] = folders()
    return folder / path.relative_to(paths.home())


def rows(database):
    """All that a database holds, as text; None where that cannot be read."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
            return list(opened.iterdump())
    except sqlite3.DatabaseError:
        return None


def shown(home, monkeypatch):
    """All that the log of a home shows of the trials, without the ids of their runs."""
    monkeypatch.setenv("TRIALBOOK_HOME", str(home))
    both = StudyAndLog.read(StoredStudy.read(here(), "audited"), log_store(), log_client())
    return {
        number: (
            (run.info.status, run.info.start_time, run.info.end_time, run.data.params),
            {name: value for name, value in run.data.tags.items() if name != "mlflow.parentRunId"},
            {name: both.history(run, name) for name in run.data.metrics if name not in mapping.ESTIMATE},
            {name: run.data.metrics.get(name) for name in mapping.ESTIMATE},  # the latest one
        )
        for number, [run] in both.runs.items()
    }


# Each takes a second or two: `make test` tries one in four, `make test-all` the others.
OFTEN = set(sorted(REPAIRED)[::4])


@pytest.mark.parametrize(
    "planted", [pytest.param(each, marks=[pytest.mark.thorough] * (each not in OFTEN)) for each in REPAIRED]
)
def test_what_is_planted_is_said_then_repaired_and_then_there_is_nothing_to_do(audited, planted, capsys):
    REPAIRED[planted]()
    before, journal, database = all_bytes(), here().path(audited), paths.mlflow_database()
    held = rows(database)

    assert main(["doctor"]) == 6
    assert re.search(r"^error: [1-9]\d* to repair: FIX=1", capsys.readouterr().err)
    assert all_bytes() == before

    assert main(["doctor", "--fix"]) == 0
    out = capsys.readouterr().out
    assert "  repaired; backup: " in out and "cannot be repaired" not in out
    for file in (journal, paths.frozen("bowl")):
        assert kept(file).read_bytes() and before[file] == hashlib.sha256(kept(file).read_bytes()).hexdigest()
    assert rows(kept(database)) == held
    assert audit.audit(here(), audited, log_store()) == []

    assert main(["doctor", "--fix"]) == 0
    assert capsys.readouterr().out == "audited: nothing to repair\n"
    assert len(folders()) == 1


@pytest.mark.parametrize("planted", BEYOND)
def test_what_cannot_be_repaired_is_said_and_nothing_is_changed(audited, planted, capsys):
    _, plant = PLANTED[planted]
    plant()
    before = all_bytes()
    assert main(["doctor", "--fix", "--task", "bowl"]) == main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "audited: nothing to repair\n  cannot be repaired here:\n" in out
    assert re.search(BEYOND[planted], out)
    assert all_bytes() == before


def garbage(database):
    database.write_bytes(b"SQLite is not what this is" * 1000)


def lost_pages(database):
    content = bytearray(database.read_bytes())
    content[20 * 4096 : 80 * 4096] = bytes(60 * 4096)
    database.write_bytes(content)


def no_tables(database):
    database.unlink()
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE mine (x)")


def of_another_mlflow(database):
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b""), garbage, lost_pages, no_tables, of_another_mlflow]
)
def test_a_database_that_is_none_is_found_without_a_change(audited, damage, capsys):
    damage(paths.mlflow_database())
    before = all_bytes()
    assert main(["doctor"]) == 6
    out, err = capsys.readouterr()
    assert out.startswith(f"the log: {paths.mlflow_database()}") and err.startswith("error: 1 to repair")
    assert all_bytes() == before


def test_a_database_that_is_broken_is_moved_away_and_the_log_is_made_as_it_was(audited, home, monkeypatch):
    before = shown(shutil.copytree(home, home.with_name("copy")), monkeypatch)
    monkeypatch.setenv("TRIALBOOK_HOME", str(home))
    garbage(paths.mlflow_database())
    (home / "mlflow.db-wal").write_bytes(b"beside")
    was = paths.mlflow_database().read_bytes()
    assert main(["doctor", "--fix"]) == 0
    assert kept(paths.mlflow_database()).read_bytes() == was
    assert kept(home / "mlflow.db-wal").read_bytes() == b"beside"
    assert shown(home, monkeypatch) == before


def test_a_database_of_an_older_mlflow_is_upgraded_and_nothing_of_it_is_lost(audited, home, monkeypatch):
    from alembic import command  # these two take seconds
    from mlflow.store.db.utils import _get_alembic_config

    copy = shutil.copytree(home, home.with_name("copy"))  # MLflow keeps open what it opened once
    with monkeypatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(copy))
        own = make_run("my own")
    command.downgrade(_get_alembic_config(f"sqlite:///{copy / 'mlflow.db'}"), "-1")
    shutil.copyfile(copy / "mlflow.db", paths.mlflow_database())
    was = paths.mlflow_database().read_bytes()
    assert doctor.fault(here(), log_store())
    assert main(["doctor", "--fix"]) == 0
    assert kept(paths.mlflow_database()).read_bytes() == was
    assert log_client().get_run(own).info.status == "RUNNING"
    assert audit.audit(here(), audited, log_store()) == []


def test_what_a_killed_process_left_half_written_in_the_database_is_undone(audited, home, tmp_path):
    database, whole = paths.mlflow_database(), rows(paths.mlflow_database())
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA cache_size = 1")
        opened.execute("DELETE FROM metrics")
        opened.execute("DELETE FROM latest_metrics")
        for file in backups.with_beside(database):
            shutil.copyfile(file, tmp_path / file.name)
    for file in tmp_path.glob("mlflow.db*"):
        shutil.copyfile(file, home / file.name)
    before = all_bytes()
    assert main(["doctor"]) == 6
    assert all_bytes() == before
    assert main(["doctor", "--fix"]) == 0
    assert kept(home / "mlflow.db-journal").exists() and not (home / "mlflow.db-journal").exists()
    assert rows(database) == whole


def test_a_damaged_study_is_left_alone_and_the_others_are_looked_after(audited, capsys):
    damaged = here().path("damaged")
    damaged.write_bytes(here().path(audited).read_bytes().replace(b"audited", b"damaged"))
    backups.rotate(damaged)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole.replace(b'"epochs":5', b'"epochs":', 1))
    in_log("UPDATE runs SET status = 'RUNNING' WHERE name = 'audited'")
    before = damaged.read_bytes()
    assert main(["doctor", "--fix"]) == 3
    out, err = capsys.readouterr()
    assert out.startswith("audited: 1 to repair\n") and "\ndamaged" not in out
    assert err.startswith(f"error: {damaged} is damaged: ") and err.count("\n") == 1
    assert damaged.read_bytes() == before
    subprocess.run(shlex.split(err.partition("put back by: ")[2]), check=True)
    assert damaged.read_bytes() == whole
    assert main(["doctor"]) == 6  # its trials are not in the log
    n_runs = len(list(StoredStudy.read(here(), audited).trials())) + 1
    assert f"\ndamaged: {n_runs} to repair\n" in capsys.readouterr().out


def test_a_study_that_is_searched_is_skipped_and_its_database_stays(audited, capsys):
    garbage(paths.mlflow_database())
    before = all_bytes()
    with hold_study(here(), audited):
        assert main(["doctor"]) == 6
        assert "searches it: skipped" in capsys.readouterr().out
        assert main(["doctor", "--fix"]) == 4
        assert "'audited' is being searched by process" in capsys.readouterr().err
    assert all_bytes() == before


def test_a_trial_that_is_wrong_itself_is_no_measure_but_has_one_run(audited, capsys):
    PLANTED["a hyperparameter of the study"][1]()
    in_log("UPDATE tags SET value = '99' WHERE key = 'trial' AND value = '0'")
    assert main(["doctor", "--fix"]) == 0
    assert "audited: 2 to repair" in capsys.readouterr().out
    assert {violation.message for violation in audit.audit(here(), audited, log_store())} == {
        "trial 0 was not trained with the y that was drawn"
    }


def test_a_database_that_another_process_writes_stays(audited, monkeypatch, capsys):
    database, patient = paths.mlflow_database(), sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda *args, **kinds: patient(*args, **kinds | {"timeout": 0}))
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("BEGIN EXCLUSIVE")
        assert main(["doctor", "--fix"]) == main(["audit"]) == 3
    assert (
        capsys.readouterr().err == f"error: {database} is being written by another process: try again\n" * 2
    )
    assert not paths.backups().exists()


def test_of_a_log_elsewhere_the_runs_alone_are_repaired(audited, home, tmp_path, monkeypatch, capsys):
    in_log(IN_THE_LOG["runs that somebody edited"][1])
    shutil.move(paths.mlflow_database(), tmp_path / "elsewhere.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    assert main(["doctor"]) == 6
    assert main(["doctor", "--fix"]) == 0
    assert audit.audit(here(), audited, log_store()) == []
    assert not paths.mlflow_database().exists()


def test_without_a_study_there_is_nothing_to_do(home, capsys):
    assert main(["doctor", "--fix"]) == 0
    assert "no studies yet" in capsys.readouterr().out
    assert not home.exists()


@pytest.mark.thorough
def test_a_database_of_a_newer_mlflow_is_mended_by_the_command_that_a_search_names(database):
    # MLflow keeps databases open: each command has a process of its own.
    options = ["--task", "bowl", "--study", "s", "--trainers", "inline", "--confirm", "0"]
    assert forks.run("search", *options, "--trials", "2")[0] == 0
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    code, said = forks.run("search", *options, "--trials", "3")
    assert code == 0 and "The log is incomplete (" in said
    assert "`make doctor FIX=1` mends it or makes it again" in said and "`make ui` completes" not in said
    code, said = forks.run("ui", "--port", "59999")
    assert code == 3 and "`make doctor FIX=1` mends it or makes it again" in said
    assert forks.run("doctor", "--fix")[0] == 0
    assert audit.audit(here(), "s", log_store()) == []
