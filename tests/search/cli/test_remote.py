"""`make search SERVER=`: a search of a service, shown here."""

import os
import signal
import threading

import pytest

from search.cli import app
from search.client import Client
from search.client.models import State


@pytest.fixture
def search(capsys):
    """`search(*typed)` runs the command, and returns the exit code, its output and its error."""

    def run(*typed):
        code = app.main(["search", *typed])
        return code, *capsys.readouterr()

    return run


def test_a_finished_search_is_shown_with_its_winner_and_addresses(web, search):
    number = web.searched().id
    code, output, error = search("--server", web.address, "--id", str(number))
    assert (code, error) == (0, "")
    lines = output.splitlines()
    assert lines[0] == f"Search {number} of {web.address}: task bowl, 8 trials at most."
    winner = Client(web.address).run(number).winner()
    assert f"{winner.estimate:.5g} ± {winner.standard_error:.2g}" in output
    assert lines[-1] == f"{web.address}/api/searches/{number}/report   what was learned, as one page"


def test_a_failed_search_is_an_error_with_its_reason(web, search):
    number = web.searched(state=State.FAILED).id
    code, _, error = search("--server", web.address, "--id", str(number))
    assert (code, error) == (1, f"error: search {number} failed: as the test has it\n")


def test_ctrl_c_leaves_the_search_and_says_how_to_come_back(web, search):
    number = web.add(trials=3).id
    timer = threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    code, output, _ = search("--server", web.address, "--id", str(number))
    timer.join()
    assert code == 130
    assert output.splitlines()[-1] == (
        f"Search {number} goes on there. `make search SERVER={web.address} ID={number}` shows it again; "
        "its page can cancel it."
    )
    assert web.service.queue.find(number).state == State.PAUSED


def test_a_search_that_is_cancelled_meanwhile_ends_the_command(web, search):
    number = web.searched(state=State.PAUSED).id
    timer = threading.Timer(1, Client(web.address).run(number).cancel)
    timer.start()
    code, output, _ = search("--server", web.address, "--id", str(number))
    timer.join()
    assert code == 1
    assert "Now cancelled: it was cancelled (local)." in output
    assert output.splitlines()[-1] == f"Search {number} was cancelled by local."


@pytest.mark.thorough
def test_a_search_runs_there_and_its_news_are_shown_here(web, search):
    code, output, error = search("--server", web.address, "--task", "bowl", "--trials", "8", "--verbose")
    assert (code, error) == (0, "")
    assert "It is its turn.\n" in output and "; stopped as TRIALS=8 is reached after " in output
    assert output.splitlines()[-1].endswith("/api/searches/1/script   the winner as one script")


@pytest.mark.parametrize(
    "typed, sentence",
    [
        (
            ["--jobs=2", "--study=mine", "--task=bowl"],
            "STUDY, JOBS cannot go with SERVER=: the service decides that; "
            "valid are TRIALS, TIMEOUT, BAR, SEED, DATA, VERBOSE",
        ),
        (
            ["--id=1", "--task=bowl", "--trials=3"],
            "TASK, TRIALS cannot go with SERVER=: that search has begun; valid are ID, VERBOSE",
        ),
        (["--id=1"], "there is no search 1 of yours: see /api/searches"),
        ([], "TASK is missing: valid are "),
    ],
)
def test_options_that_make_no_sense_are_one_line(web, search, typed, sentence):
    code, output, error = search("--server", web.address, *typed)
    assert code == 2 and output == "" and error.startswith(f"error: {sentence}")
    assert len(error.splitlines()) == 1 and web.service.queue.all() == []


def test_an_id_without_a_server_is_one_line(search):
    assert search("--id=1")[::2] == (2, "error: ID is for SERVER= alone: which search of that service?\n")


def test_the_token_of_the_environment_says_who_asks(class_web, search, monkeypatch):
    number = class_web.searched("ada").id
    typed = ("--server", class_web.address, "--id", str(number))
    code, _, error = search(*typed)
    assert code == 2 and "needs a token: Client(address, token), or $TRIALBOOK_TOKEN" in error
    monkeypatch.setenv("TRIALBOOK_TOKEN", class_web.token("ben"))
    assert "there is no search" in search(*typed)[2]
    monkeypatch.setenv("TRIALBOOK_TOKEN", class_web.token("ada"))
    assert search(*typed)[0] == 0
