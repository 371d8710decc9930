"""A search as a process: a signal ends it cleanly, and the same command goes on from there."""

import os
import signal
import subprocess
import sys

import forks
import pytest
from logs import log_store
from mlflow import MlflowClient
from stores import here

from search import paths
from search.cli.app import main
from search.maintenance import audit
from search.study.stored import StoredStudy

SEARCH = ("search", "--task", "regression", "--study", "s")
UNCONFIRMED = ("--confirm", "0")
PATIENT = """  # a search whose log is not cut short after a signal, however busy the machine is
from search.primitives import signals
signals.GRACE = 600.0
from search.cli.app import run
run()
"""
pytestmark = pytest.mark.integration


def start(*options):
    """Start the search of a real task in processes of its own. It prints a line for each event."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PATIENT, *SEARCH, "--verbose", *options],
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def go_on(capsys):
    """`go_on(*options)` searches on in this process, to the end. Returns what it printed."""

    def search(*options):
        assert main([*SEARCH, *UNCONFIRMED, "--trainers", "inline", *options]) == 0, capsys.readouterr()
        return capsys.readouterr().out

    return search


def until(process, text):
    """Read what a process prints until it prints this."""
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it ended before it printed {text!r}")


def states():
    """The trials' states in the study, and their runs' in the log: there, "running" is that of MLflow."""
    client = MlflowClient(f"sqlite:///{paths.mlflow_database()}")
    experiment = client.get_experiment_by_name("regression").experiment_id
    runs = client.search_runs([experiment], "tags.kind != 'study'")
    logged = {
        int(run.data.tags["trial"]): "running" if run.info.status == "RUNNING" else run.data.tags["state"]
        for run in runs
    }
    studied = {trial.number: trial.state for trial in StoredStudy.read(here(), "s").trials()}
    return studied, logged


def agreed_states():
    """The trials' states in the study. The log must have the same."""
    studied, logged = states()
    assert studied == logged
    return studied


@pytest.mark.parametrize(
    "number, code", [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.thorough)]
)
def test_a_signal_closes_what_runs_in_both_stores_and_the_search_goes_on(database, go_on, number, code):
    process = start(*UNCONFIRMED, "--trials", "40", "--jobs", "2")
    until(process, "trial 1 starts")
    os.killpg(process.pid, number)
    said = process.stdout.read()
    assert process.wait(30) == code
    assert "Stopped. `make search TASK=regression STUDY=s` resumes it." in said
    assert "Traceback" not in said
    assert "The log is incomplete (" not in said
    assert 1 <= list(agreed_states().values()).count("interrupted") <= 2
    done = StoredStudy.read(here(), "s").n_finished()

    go_on("--trials", str(done + 1))
    assert StoredStudy.read(here(), "s").n_finished() == done + 1
    assert StoredStudy.read(here(), "s").trial(max(agreed_states())).retry_of is not None


@pytest.mark.thorough
def test_a_signal_while_a_fresh_seed_trains(database):
    process = start("--trials", "2", "--confirm", "2", "--jobs", "1")
    until(process, "replicate 1 of trial")
    os.killpg(process.pid, signal.SIGINT)
    said = process.stdout.read()
    assert process.wait(30) == 130 and "Traceback" not in said
    assert "The log is incomplete (" not in said
    assert "interrupted" in agreed_states().values()
    assert StoredStudy.read(here(), "s").n_finished() == 2


@pytest.mark.thorough
def test_a_signal_while_the_trainers_start_leaves_no_traceback(database):
    process = start(*UNCONFIRMED, "--jobs", "2")
    until(process, "Starting 2 trainers")
    os.killpg(process.pid, signal.SIGINT)
    said = process.stdout.read()
    assert process.wait(30) == 130
    assert "Traceback" not in said and "Stopped." in said


@pytest.mark.thorough
def test_a_killed_search_leaves_nothing_that_the_next_one_does_not_mend(database, go_on):
    process = start(*UNCONFIRMED, "--trials", "40", "--jobs", "2")
    until(process, "trial 1 starts")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    process.stdout.read()  # ends when the trainers have ended too
    done = StoredStudy.read(here(), "s").n_finished()
    go_on("--trials", str(done + 2))
    states = agreed_states()
    assert StoredStudy.read(here(), "s").n_finished() == done + 2
    assert list(states) == list(range(len(states)))


@pytest.mark.thorough
def test_a_search_that_was_killed_before_its_log_was_done_is_mended_by_one_with_nothing_to_do(
    database, go_on
):
    process = start(*UNCONFIRMED, "--trials", "3", "--jobs", "1")
    until(process, "Writing the table of trials")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    process.stdout.read()
    assert 6 in {
        each.invariant for each in audit.audit(here(), "s", log_store())
    }  # at least the study's own run
    said = go_on("--trials", "3")
    assert "Nothing to do" in said and "Writing the table of trials" in said
    assert audit.audit(here(), "s", log_store()) == []
    said = go_on("--trials", "3")
    assert "Nothing to do" in said and "Writing" not in said


def test_a_second_search_of_the_same_study_is_told_who_searches_it(database, capsys):
    process, output, errors = forks.start(
        *SEARCH, *UNCONFIRMED, "--verbose", "--trainers", "inline", "--trials", "1000000"
    )
    with output, errors:
        assert any("trial 0 epoch" in line for line in output)
        code = main([*SEARCH, *UNCONFIRMED, "--trials", "40"])
        os.kill(process.pid, signal.SIGINT)
        output.read()
    process.join()
    assert (code, process.exitcode) == (4, 130)
    assert capsys.readouterr().err == f"error: study 's' is being searched by process {process.pid}\n"


def test_time_ends_a_search(database, capsys):
    assert main([*SEARCH, *UNCONFIRMED, "--timeout", "0.5", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "; stopped at TIMEOUT= after " in said and "Stopped" not in said
    agreed_states()
