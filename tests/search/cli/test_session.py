"""A search as a process: a signal ends it cleanly, and the same command goes on from there."""

import os
import signal
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from search import paths
from search.maintenance import audit
from search.study.study import Study
from search.tracking import from_environment


def start(*options):
    """The search of a real task in processes of its own, as a terminal would run it."""
    command = [sys.executable, "-u", "-m", "search", "search", "--task", "regression", "--study", "s"]
    unconfirmed = [] if "--confirm" in options else ["--confirm", "0"]
    return subprocess.Popen(
        [*command, *unconfirmed, *options],
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(process, text):
    """Read what a process prints until it prints this."""
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it ended before it printed {text!r}")


def states():
    """The trials' states in the study, and their runs' in the log."""
    client = MlflowClient(f"sqlite:///{paths.mlflow_database()}")
    experiment = client.get_experiment_by_name("regression").experiment_id
    runs = client.search_runs([experiment], "tags.kind != 'study'")
    logged = {int(run.data.tags["trial"]): run.data.tags["state"] for run in runs}
    assert "RUNNING" not in {run.info.status for run in runs}
    studied = {trial.number: trial.state for trial in Study.read("s").trials()}
    return studied, logged


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_closes_what_runs_in_both_stores_and_the_search_goes_on(database, number, code):
    process = start("--trials", "40", "--jobs", "2")
    until(process, "trial 1 starts")
    os.killpg(process.pid, number)
    said = process.stdout.read()
    assert process.wait(30) == code
    assert "Stopped. `make search TASK=regression STUDY=s` goes on from here." in said
    assert "Traceback" not in said
    studied, logged = states()
    assert studied == logged and 1 <= list(studied.values()).count("interrupted") <= 2
    done = Study.read("s").counted()

    again = start("--trials", str(done + 1))
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert Study.read("s").counted() == done + 1
    studied, logged = states()
    assert studied == logged
    assert Study.read("s").trial(max(studied)).retry_of is not None


def test_a_signal_while_the_best_are_trained_again(database):
    process = start("--trials", "2", "--confirm", "2")
    until(process, "repeat 1 of trial")
    os.killpg(process.pid, signal.SIGINT)
    said = process.stdout.read()
    assert process.wait(30) == 130 and "Traceback" not in said
    studied, logged = states()
    assert studied == logged and "interrupted" in studied.values()
    assert Study.read("s").counted() == 2


def test_a_signal_while_the_trainers_start_leaves_no_traceback(database):
    process = start("--jobs", "2")
    until(process, "Starting 2 trainers")
    os.killpg(process.pid, signal.SIGINT)
    said = process.stdout.read()
    assert process.wait(30) == 130
    assert "Traceback" not in said and "Stopped." in said


def test_a_killed_search_leaves_nothing_that_the_next_one_does_not_mend(database):
    process = start("--trials", "40", "--jobs", "2")
    until(process, "trial 1 starts")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    process.stdout.read()  # ends when the trainers have ended too
    done = Study.read("s").counted()
    said, _ = start("--trials", str(done + 2)).communicate(timeout=60)
    studied, logged = states()
    assert studied == logged, said
    assert Study.read("s").counted() == done + 2
    assert list(studied) == list(range(len(studied)))


def test_a_search_that_was_killed_before_its_log_was_done_is_mended_by_one_with_nothing_to_do(database):
    process = start("--trials", "3", "--jobs", "1")
    until(process, "Writing the table of trials")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    process.stdout.read()
    assert 6 in {each.invariant for each in audit.audit("s", from_environment())}  # at least the study's own run
    said, _ = start("--trials", "3").communicate(timeout=60)
    assert "Nothing to do" in said and "Writing the table of trials" in said
    assert audit.audit("s", from_environment()) == []
    said, _ = start("--trials", "3").communicate(timeout=60)
    assert "Nothing to do" in said and "Writing" not in said


def test_a_second_search_of_the_same_study_is_told_who_searches_it(database):
    process = start("--trials", "40", "--jobs", "1")
    until(process, "trial 0 epoch")
    second = start("--trials", "40")
    said, _ = second.communicate(timeout=60)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert second.returncode == 4
    assert said == f"error: study 's' is being searched by process {process.pid}\n"


def test_time_ends_a_search(database):
    said, _ = start("--timeout", "0.5", "--jobs", "1").communicate(timeout=60)
    assert "the time was over" in said and "Stopped" not in said
    studied, logged = states()
    assert studied == logged
