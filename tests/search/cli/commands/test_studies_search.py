"""The command `search`: how it goes on, why it ends, what it confirms."""

import re

import pytest
from stores import here
from typed import said

from search.cli.app import main
from search.strategy.strategy import Strategy
from search.study.opening import open_study

EPOCH = {"epoch": 1, "seconds": 0.1, "time": 1e9, "train_loss": 1.0, "validation_loss": 1.0}
EPOCH |= {"validation_height": 1.0, "learning_rate": 1.0}


def test_search_goes_on_to_the_number_asked_for_and_then_does_nothing(database, capsys):
    search = ["search", "--task", "bowl", "--trainers", "inline", "--confirm", "0", "--verbose"]
    assert main([*search, "--trials", "2"]) == 0
    out, _ = said(capsys)
    assert "Study bowl-builtin is new" in out and "make export TASK=bowl" in out
    assert "Too few trials tell the odds; stopped as TRIALS=2 is reached after " in out
    assert main([*search, "--trials", "3"]) == 0
    out, _ = said(capsys)
    assert "resumes after 2 trials" in out and "trial 2 starts" in out and "trial 1 starts" not in out
    assert main([*search, "--trials", "3"]) == 0
    out, _ = said(capsys)
    assert "Nothing to do: it has 3 trials, TRIALS=3 is reached. Too few trials tell the odds." in out


def test_search_of_a_study_that_was_killed_early_does_not_call_it_new(bowl, capsys):
    with open_study(here(), bowl) as study:
        trial = Strategy(study).ask()
        study.report(trial.number, EPOCH)
        study.pause(trial.number)
    search = ["search", "--task", "bowl", "--trainers", "inline", "--confirm", "0", "--trials", "2"]
    assert main(search) == 0
    assert "Study bowl-builtin resumes, before any of its trials ended." in said(capsys)[0]


ODDS = (
    r"(over 99%|\d+%): as much time again finds no configuration in the ranges that is better by more than "
)
ODDS += "100%; stopped"
UNKNOWN = "Too few trials tell the odds; stopped"


@pytest.mark.parametrize(
    "options, why",
    [
        (["--timeout", "300"], f"{ODDS} by itself after .* of 5 min 00 s"),
        (["--timeout", "300", "--bar", "0.3"], f"{UNKNOWN} as BAR=0.3 is reached with 95% after .*"),
        (["--trials", "12"], rf"{ODDS} as TRIALS=12 is reached after [\d.]+ s"),
        (["--timeout", "0.3"], rf"({ODDS}|{UNKNOWN}) at TIMEOUT= after [\d.]+ s"),
    ],
)
def test_search_says_why_it_ends_and_the_odds(database, bowl, monkeypatch, capsys, options, why):
    monkeypatch.setattr(bowl, "MEANINGFUL_DIFFERENCE", 1.0, raising=False)  # half as high is no better
    assert main(["search", "--task", "bowl", "--trainers", "inline", *options]) == 0
    out, _ = said(capsys)
    assert re.search(rf"^{why}\.$", out, re.MULTILINE), out


@pytest.mark.parametrize("options, n_in_order", [(["--stages"], 5), ([], 0)])
def test_search_in_stages_begins_in_the_order_of_the_course(
    database, write_task, capsys, options, n_in_order
):
    field = ("x: float = 0.5", "learning_rate: float = 0.5")
    drawn = ('x=trial.suggest_float("x", 0, 1)', 'learning_rate=trial.suggest_float("learning_rate", 0, 1)')
    write_task("rated", field, drawn, ("config.x", "config.learning_rate"))
    search = ["search", "--task", "rated", "--trainers", "inline", "--confirm", "0", "--verbose"]
    assert main([*search, "--trials", "7", *options]) == 0, said(capsys)
    assert said(capsys)[0].count("(in order: values of learning_rate, ") == n_in_order


def test_search_confirms_and_goes_on_confirming(database, capsys):
    search = ["search", "--task", "bowl", "--trainers", "inline", "--trials", "4"]
    assert main([*search, "--confirm", "0"]) == 0
    assert "no: too few fresh seeds, 0 of 2" in said(capsys)[0]
    assert main([*search, "--confirm", "2"]) == 0
    assert "yes, on 2 fresh seeds" in said(capsys)[0]
    assert main([*search, "--confirm", "2"]) == 0
    assert "Nothing to do" in said(capsys)[0]


def test_a_study_that_is_being_searched_is_a_conflict(searched, capsys):
    assert main(["search", "--task", "bowl", "--study", "searched", "--trials", "20"]) == 4
    assert "is being searched by process" in said(capsys)[1]
