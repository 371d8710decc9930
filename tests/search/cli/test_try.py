"""`make try`, and `make void` beside a search that runs."""

import re

import forks
import pytest
from logs import log_client
from stores import here

from search import paths
from search.cli.app import main
from search.cli.selection import read_values
from search.errors import UsageError
from search.study.requests import ask_for_trial
from search.study.stored import StoredStudy
from search.study.trial import this_user

TRY = ["try", "--task", "bowl"]


@pytest.mark.parametrize(
    "text, values",
    [
        ("x=0.5", {"x": 0.5}),
        ("x=0.5 y=20", {"x": 0.5, "y": 20}),
        (" x=1e-3,y=-20 , z=abc ", {"x": 1e-3, "y": -20, "z": "abc"}),
        ("a=True b=False c=None", {"a": True, "b": False, "c": None}),
        ("a=\"two, words\" b='1' größe=3", {"a": "two, words", "b": "1", "größe": 3}),
        ("a=b=c x=1;y", {"a": "b=c", "x": "1;y"}),
    ],
)
def test_values_are_pairs_with_spaces_or_commas_between_them(text, values):
    assert read_values(text) == values


@pytest.mark.parametrize("text", ["", " ", "x", "x=", "=1", "x 0.5", "x='a", "x=1 y", "x='a'b", "x=1 x=2"])
def test_values_that_are_no_pairs_are_one_line(text):
    with pytest.raises(UsageError, match="^WITH .*(name=value pairs|names x twice)") as raised:
        read_values(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "typed, wrong",
    [
        ([], r"WITH is missing: name=value pairs; the defaults are x 0\.9, y 50; no request waits"),
        (["--with", "z=1"], "unknown hyperparameter 'z': valid are x, y"),
        (["--with", "x=2"], "x=2 is not valid: a number, 0.0 to 1.0"),
        (["--with", "x=0.1 y"], "WITH is not valid at 'y'"),
        (["--with", "x=0.1", "--study", "../up"], "is no name"),
        (["--with", "x=0.1", "--seed", "-1"], "SEED '-1'|expected one argument"),
        (["--with", "x=0.1", "--data", "curse"], "unknown DATA 'curse'"),
        (["--with", "x=0.1", "--device", "gpu"], "unknown DEVICE 'gpu'"),
        (["--with", "x=0.1", "--trials", "3"], "unknown option 'trials'"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(typed, wrong, home, capsys):
    assert main([*TRY, *typed]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and err.count("\n") == 1 and re.search(wrong, err), err
    assert not home.exists()


@pytest.mark.integration
def test_an_own_configuration_is_trained_logged_and_compared_whether_the_study_is_new_or_not(
    database, capsys
):
    assert main([*TRY, "--with", "x=0.35, y=25"]) == 0
    out = capsys.readouterr().out
    assert "Study bowl-builtin is new" in out
    assert "Trial 0 (x 0.35, y 25): validation height 0.005 ± 0.001; over seeds, " in out
    assert "It leads; a search confirms it on fresh seeds." in out and "stopped" not in out
    assert main([*TRY, "--with", "y=30"]) == 0
    out = capsys.readouterr().out
    assert "Trial 1 (x 0.9, y 30): validation height 0.37 ± 0.001; over seeds, " in out
    assert re.search(r"The winner is trial 0 with 0\.0\d+ ± .*, estimated from 1 seed", out)
    assert re.search(r"Yours is worse by 0\.3\d+ ± [\d.e-]+, ", out)
    study = StoredStudy.read(here(), "bowl-builtin")
    assert [trial.draw for trial in study.trials()] == [-1, -2]
    assert study.trial(0).proposal == f"own configuration, asked for by {this_user()}"
    runs = log_client().search_runs(["1"], "tags.kind = 'trial'")
    assert {run.data.tags["trial"] for run in runs} == {
        "0",
        "1",
    } and study.revision() == study.projected_revision()
    search = ["search", "--task", "bowl", "--trainers", "inline", "--trials", "6", "--confirm", "0"]
    assert main(search) == 0 and main(["audit"]) == 0 and main(["report", "--task", "bowl"]) == 0
    trials = StoredStudy.read(here(), "bowl-builtin").trials()
    assert [trial.draw for trial in trials] == [-1, -2, 0, 1, 2, 3]


@pytest.mark.integration
def test_what_was_asked_for_before_is_trained_without_values(searched, database, capsys):
    ask_for_trial(here(), searched, {"x": 0.3}, "ada")
    searched.__exit__()
    assert main(TRY) == 0  # the task's only study
    out = capsys.readouterr().out
    assert "(own configuration, asked for by ada) completed" in out and "Trial 12 (x 0.3, y 50): " in out
    assert main(TRY) == 2
    assert "no request waits" in capsys.readouterr().err


def test_a_study_that_is_held_gets_the_request(searched, capsys):
    number = len(list(searched.trials()))
    assert main([*TRY, "--study", "searched", "--with", "x=0.25"]) == 0
    assert re.fullmatch(
        r"Process \d+ searches study searched: it trains this configuration next\.\n", capsys.readouterr().out
    )
    assert main([*TRY, "--with", "x=2"]) == 2
    [(_, record)] = here().requests("searched").pending()
    assert record == {"ask": "trial", "params": {"x": 0.25, "y": 50}, "who": this_user()}
    assert number == len(list(searched.trials()))


def test_trials_of_a_study_that_is_held_are_made_void_by_its_holder(searched, capsys):
    named = ["--task", "bowl", "--study", "searched", "--trials"]
    assert main(["void", *named, "3,1", "--reason", "the mask was wrong"]) == 0
    assert main(["unvoid", *named, "3"]) == 0
    assert main(["void", *named, "99", "--reason", "x"]) == 2
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert re.fullmatch(
        r"Process \d+ searches study searched: it makes trials 1, 3 void within seconds\.", lines[0]
    )
    assert lines[1].endswith("it lets trials 3 count again within seconds.") and "no trial 99" in err
    asked = [(record["ask"], record["numbers"]) for _, record in here().requests("searched").pending()]
    assert asked == [("void", [1, 3]), ("restore", [3])]


@pytest.mark.integration
def test_void_carries_out_first_what_was_asked_before(searched, database, capsys):
    named = ["--task", "bowl", "--study", "searched", "--trials"]
    assert main(["void", *named, "1-3", "--reason", "the mask was wrong"]) == 0
    searched.__exit__()
    assert main(["unvoid", *named, "3"]) == 0
    out = capsys.readouterr().out
    assert "Trials 1-3 are void, asked for by " in out and "trials 3 of study searched count again" in out
    study = StoredStudy.read(here(), "searched")
    assert [trial.number for trial in study.trials() if trial.void] == [1, 2]
    assert here().requests("searched").pending() == []


@pytest.mark.integration
def test_a_search_that_runs_trains_what_is_tried_and_makes_trials_void(
    database, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("GATE", str(tmp_path / "gate"))
    named = ["--task", "gated", "--study", "gated"]
    search = ["search", *named, "--trainers", "inline", "--trials", "2", "--confirm", "0"]
    process, output, errors = forks.start(*search, "--verbose")
    with output, errors:
        assert any("trial 0 starts" in line for line in output), errors.read()
        assert main(["try", *named, "--with", "x=0.35 y=20"]) == 0
        assert f"Process {process.pid} searches study gated" in capsys.readouterr().out
        assert main(["void", *named, "--trials", "0", "--reason", "wrong"]) == 0
        (tmp_path / "gate").touch()
        rest = output.read()
        process.join()
        assert process.exitcode == 0, rest + errors.read()
    assert "Trials 0 are void, asked for by " in rest
    study = StoredStudy.read(here(), "gated")
    [own] = [trial for trial in study.trials() if trial.is_own]
    assert own.state == "completed" and study.best() == own
    assert f"trial {own.number} ({own.proposal}) completed in " in rest
    assert study.trial(0).void
    assert main(["audit", "--study", "gated", "--task", "gated"]) == 0
    assert list((paths.studies() / "gated.requests").iterdir()) == []
