"""The log while a search runs: stores fail, are slow, are gone, and no search waits and nothing is lost."""

import random
import re
import shutil
import socket
import sqlite3
import threading
from contextlib import closing
from datetime import datetime, timedelta

import forks
import pytest
from faulty import FAULTS, PATIENCE
from logs import log_client, log_store, projection
from stores import here

from search.coordinator import search
from search.executors.inline import Inline
from search.maintenance import audit
from search.strategy.estimates.posterior import Posterior
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.tracking import background, writers
from search.tracking.background import Background
from search.tracking.client import find_runs


@pytest.fixture
def study(bowl, request):
    """A study with a name of its own."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name)[-40:].strip("-")
    with open_study(here(), bowl, name) as study:
        study.set_budget(24, None)
        yield study


def searched(study, log, meanwhile=lambda: None):
    """Search 24 trials; `meanwhile` happens after 12 of them."""
    with Background(log) as watcher:
        search(study, Inline(study), trials=12, watchers=[watcher])
        meanwhile()
        search(study, Inline(study), trials=24, watchers=[watcher])
        assert study.n_finished() == 24


def is_whole(study, log):
    log.bring_up_to_date()
    assert log.behind is None
    assert audit.audit(here(), study.name, log_store()) == []


def runs(study):
    """The runs that the log has of a study's trials, by number."""
    client = log_client()
    experiment = client.get_experiment_by_name("bowl")
    if experiment is None:
        return {}
    found = find_runs(
        client, experiment.experiment_id, f"tags.study = '{study.name}' AND tags.kind = 'trial'"
    )
    return {int(run.data.tags["trial"]): run for run in found}


def until_shown(study, number):
    """Wait until the log shows the end of a trial."""
    waiting = threading.Event()
    for _ in range(PATIENCE * 100):
        if number in (found := runs(study)) and found[number].info.status != "RUNNING":
            return
        waiting.wait(0.01)
    raise AssertionError(f"the log does not show trial {number}")


def test_the_log_shows_a_trial_while_the_search_goes_on(study, database):
    written = projection(study)
    searched(study, written, lambda: until_shown(study, 0))
    assert runs(study)[0].data.metrics["score"] == study.trial(0).score
    is_whole(study, written)


def test_estimates_are_shown_while_the_search_goes_on_and_renewed_at_its_end(study, database, monkeypatch):
    monkeypatch.setattr(background, "ESTIMATES_SECONDS", 0.0)
    written = projection(study)
    with Background(written) as watcher:
        search(study, Inline(study), trials=12, watchers=[watcher])
        until_shown(study, max(trial.number for trial in study.trials()))
    before = {number: run.data.metrics.get("estimate") for number, run in runs(study).items()}
    assert sum(value is not None for value in before.values()) >= len(before) - 2
    search(study, Inline(study), trials=24)
    is_whole(study, written)
    after = {number: run.data.metrics["estimate"] for number, run in runs(study).items()}
    scale, known = Posterior.of(study).scale, Posterior.of(study).by_trial()
    assert after == {number: scale.score(each.mean) for number, each in known.items() if number in after}
    assert any(after[number] != value for number, value in before.items())


def test_no_search_waits_for_a_server_that_does_not_answer(study, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    written = projection(study)
    server.answers.clear()
    searched(study, written, lambda: server.until_asked(3))
    server.answers.set()  # what was given up is done all the same
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # a busy machine is no silent server
    is_whole(study, written)


@pytest.mark.parametrize(
    "fault", ["any", *(pytest.param(fault, marks=pytest.mark.thorough) for fault in FAULTS)]
)
def test_a_server_that_fails_loses_nothing_and_makes_nothing_twice(study, server, fault):
    chance = random.Random(fault)
    faults = FAULTS if fault == "any" else [fault]
    server.fault = lambda: chance.choice(faults) if chance.random() < 0.2 else "none"
    written = projection(study)
    searched(study, written, lambda: server.until_asked(50))
    server.fault = lambda: "none"
    is_whole(study, written)


def test_a_server_that_is_down_is_written_to_when_it_is_there(study, server, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{nobody.getsockname()[1]}")
    written = projection(study)
    searched(study, written)
    written.bring_up_to_date()
    assert "refused" in written.behind or "Connection" in written.behind
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    written.store = log_store()
    is_whole(study, written)


@pytest.fixture(params=["here", "server"])
def anywhere(request, database, server, monkeypatch):
    """The log is in the root, and on a server."""
    if request.param == "here":
        monkeypatch.delenv("MLFLOW_TRACKING_URI")


def test_an_experiment_that_is_deleted_in_mid_search_comes_back(study, anywhere):
    written = projection(study)

    def delete():
        until_shown(study, 0)
        client = log_client()
        client.delete_experiment(client.get_experiment_by_name("bowl").experiment_id)

    searched(study, written, delete)
    is_whole(study, written)


def test_a_run_that_is_deleted_while_it_grows_comes_back(study, anywhere):
    written, trial = projection(study), Strategy(study).ask()
    written.write(trial)
    log_client().delete_run(runs(study)[0].info.run_id)
    study.tell(trial.number, "failed", "told so")
    is_whole(study, written)
    assert runs(study)[0].info.lifecycle_stage == "active"


def test_a_database_that_is_deleted_in_mid_search_is_made_again_by_the_next(bowl, database, fresh_database):
    def lose_database():
        def delete():
            until_shown(study, 0)
            shutil.copyfile(fresh_database, database.with_name("fresh.db"))
            database.with_name("fresh.db").replace(database)

        with open_study(here(), bowl, "s") as study:
            written = projection(study)
            searched(study, written, delete)
            written.bring_up_to_date()
            assert written.behind

    # MLflow keeps databases open: each step has a process of its own.
    ended = forks.call(lose_database)
    assert ended.returncode == 0, ended.stderr
    for command in ["search", "--trials", "24", "--confirm", "0", "--trainers", "inline"], ["audit"]:
        code, printed = forks.run(*command, "--task", "bowl", "--study", "s")
        assert code == 0, printed


def test_no_search_waits_for_a_database_that_another_has_locked(study, database, monkeypatch):
    monkeypatch.setattr(writers, "LOCK_SECONDS", 0.1)
    written = projection(study)
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        searched(study, written)
    is_whole(study, written)


class Yesterday(datetime):
    """A clock that was set back by a day."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - timedelta(days=1)


def test_a_clock_that_jumps_by_a_day_changes_nothing(study, database, tell, monkeypatch):
    day, heights = 86_400, {"validation_height": 1.0, "validation_loss": 1.0, "train_loss": 1.0}
    curve = [{**heights, "time": 1.7e9 + jump} for jump in (0, day, -day, 1, 2)]
    tell(study, 0.5, curve=curve)
    trial = Strategy(study).ask()
    monkeypatch.setattr("optuna.storages.journal._storage.datetime", Yesterday)
    study.tell(trial.number, "failed", "told so")
    assert study.trial(trial.number).seconds == 0 and study.trial(trial.number).ended < trial.started
    is_whole(study, projection(study))


def test_what_is_overdue_is_left_to_the_next_search(study, database):
    late = threading.Event()
    written = projection(study, overdue=late.is_set)
    searched(study, written)
    late.set()
    written.bring_up_to_date()
    assert written.behind == "TimeoutError: there was no time to write all of it"
    is_whole(study, projection(study))
