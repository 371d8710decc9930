"""The audit: a search that ended well violates nothing; what is planted is found by its number."""

import time

import pytest
from logs import log_store, projection
from planted import PLANTED, TOKEN
from stores import here

from search import paths
from search.cli.app import main
from search.maintenance import audit
from search.primitives import redact
from search.strategy.strategy import Strategy
from search.study.opening import hold_study, open_study


def test_a_search_that_ended_well_violates_nothing(audited, capsys):
    before = {path: path.read_bytes() for path in paths.home().rglob("*") if path.is_file()}
    assert main(["audit"]) == 0
    assert capsys.readouterr().out.startswith("audited: no violations\n")
    after = {path: path.read_bytes() for path in paths.home().rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("planted", PLANTED)
def test_each_violation_is_found_by_its_number(audited, planted, capsys):
    number, plant = PLANTED[planted]
    plant()
    assert number in {violation.invariant for violation in audit.audit(here(), audited, log_store())}
    assert main(["audit", "--task", "bowl"]) == 6
    assert f"  {number}: " in capsys.readouterr().out


def test_every_invariant_has_a_violation_among_those():
    assert {number for number, _ in PLANTED.values()} == audit.INVARIANTS.keys()


def test_a_damaged_study_is_a_violation(audited):
    here().path(audited).write_bytes(b"not a journal\n")
    assert [violation.invariant for violation in audit.audit(here(), audited, log_store())] == [9]


def test_a_trial_that_was_killed_while_it_was_drawn_violates_nothing(bowl, database, monkeypatch):
    with open_study(here(), bowl, "drawn") as study:
        monkeypatch.setattr("search.strategy.explain.why_proposed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Strategy(study).ask()
    with open_study(here(), bowl, "drawn") as study:
        projection(study).bring_up_to_date()
    assert [trial.params for trial in study.trials()] == [{"x": 0.9, "y": 50}]
    assert audit.audit(here(), "drawn", log_store()) == []


def test_a_study_that_is_searched_is_not_audited(audited, capsys):
    with hold_study(here(), audited):
        assert main(["audit"]) == 0
    assert "searches it: not audited" in capsys.readouterr().out


def test_no_secret_gets_into_the_study_or_the_log(bowl, database, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "open sesame")
    with open_study(here(), bowl, "secretive") as study:
        Strategy(study).ask()
        study.tell(0, "failed", f"open sesame {TOKEN} http://a:b@c/d")
        study.void("void", [0], "said open sesame")
        projection(study).bring_up_to_date()
    assert study.trial(0).reason == "[hidden] [hidden] [hidden]c/d"
    assert not [each for each in audit.audit(here(), "secretive", log_store()) if each.invariant == 10]


def test_a_trial_that_was_killed_while_it_began_violates_nothing(bowl, database):
    with open_study(here(), bowl, "killed") as study:
        study.task.space(study._optuna.ask())
    for opened, state in (
        (lambda: hold_study(here(), "killed"), "running"),
        (lambda: open_study(here(), bowl, "killed"), "interrupted"),
    ):
        with opened() as study:
            projection(study).bring_up_to_date()
            assert study.trial(0).params and study.trial(0).state == state
        assert audit.audit(here(), "killed", log_store()) == []


def test_secrets_are_sought_in_no_time_in_letters_without_end():
    began = time.perf_counter()
    assert not redact.held(b"a" * 1_000_000)
    assert redact.held(b"a" * 1_000 + b"https://me:pass@host")
    assert time.perf_counter() - began < 5
