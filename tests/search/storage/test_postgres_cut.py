"""Connections to PostgreSQL that are cut when a transaction ends: nobody hears whether it was done."""

import itertools
from contextlib import closing

import databases
import pytest
from coordinators import each_draw_was_tried_once
from stores import here

from search.coordinator import search
from search.executors.inline import Inline
from search.storage import connection
from search.study.opening import open_study
from search.study.stored import StoredStudy


def every(count, marked=b""):
    """Chooses the end of one in so many transactions whose statements have a mark."""
    commits, seen = itertools.count(1), []

    def chosen(content):
        if marked in content:
            seen.append(content)
        if b"COMMIT" not in content or not seen:
            return False
        seen.clear()
        return next(commits) % count == 0

    return chosen


def test_draw_that_is_rejected_in_a_turn_that_is_lost_is_tried_once(bowl, storage, server, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_WAIT", 0.01)
    space = bowl.space

    def rejects(trial):
        config = space(trial)
        if config.x < 0.5:
            raise ValueError("x is too small")
        return config

    monkeypatch.setattr(bowl, "space", rejects)
    with closing(databases.CuttingProxy(server.port, every(2, b'"outcome"'))) as proxy:
        monkeypatch.setenv("TRIALBOOK_STORAGE", storage.replace(str(server.port), str(proxy.port)))
        with open_study(here(), bowl, join=True) as study:
            search(study, Inline(study), trials=8)
        monkeypatch.setenv("TRIALBOOK_STORAGE", storage)
        assert proxy.cuts >= 2
    trials = list(StoredStudy.read(here(), "bowl-builtin").trials())
    draws = [trial.draw for trial in trials if trial.state != "interrupted"]
    assert sorted(draws) == list(range(8)) and not any(trial.state == "running" for trial in trials)
    assert {"infeasible", "interrupted", "completed"} <= {trial.state for trial in trials}


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("count, marked", [(13, b""), (2, b'"about"'), (2, b'"op_code":4')])
def test_statements_that_are_done_unheard_are_done_once(
    bowl, storage, server, monkeypatch, joined, count, marked
):
    monkeypatch.setattr(connection, "FIRST_WAIT", 0.01)
    with closing(databases.CuttingProxy(server.port, every(count, marked))) as proxy:
        monkeypatch.setenv("TRIALBOOK_STORAGE", storage.replace(str(server.port), str(proxy.port)))
        with open_study(here(), bowl, join=joined) as study:
            search(study, Inline(study), trials=5)
        monkeypatch.setenv("TRIALBOOK_STORAGE", storage)
        assert proxy.cuts >= 2
    trials = list(StoredStudy.read(here(), "bowl-builtin").trials())
    assert each_draw_was_tried_once(trials, 5) and (joined or len(trials) == 5)
