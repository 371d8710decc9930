"""The test data are opened for a confirmed winner that trains as it did, and each look is counted."""

import pytest
from stores import here

from search.coordinator import confirm
from search.errors import NoWinner, StudyConflict, TrialbookError
from search.executors.inline import Inline
from search.strategy import winner
from search.study.stored import StoredStudy
from search.winners.evaluation import evaluate_on_test


def test_the_test_data_are_opened_for_a_confirmed_winner_and_looks_are_counted(searched):
    with pytest.raises(NoWinner, match="unconfirmed: its test data stay closed"):
        evaluate_on_test(searched, winner.choose(searched))
    assert searched.test_evaluations() == []
    confirm(searched, Inline(searched), replicates=2)
    won = winner.choose(searched)
    for count in (1, 2):
        assert evaluate_on_test(searched, won) == (won.trial.score, 0.001, count)
    looks = StoredStudy.read(here(), "searched").test_evaluations()
    assert [look["trial"] for look in looks] == [won.trial.number] * 2
    assert looks[0]["score"] == won.trial.score and looks[0]["time"]


def test_a_winner_whose_code_changed_since_opens_no_test_data(confirmed, monkeypatch):
    monkeypatch.setattr("search.frozen_script.source_code.Sources.digest", lambda self: "0" * 12)
    with pytest.raises(StudyConflict, match="the code of task 'bowl' changed since trial"):
        evaluate_on_test(confirmed, winner.choose(confirmed))
    assert confirmed.test_evaluations() == []


def test_a_winner_that_does_not_train_as_it_did_opens_no_test_data(confirmed, monkeypatch):
    monkeypatch.setattr(confirmed.task, "score", lambda model, split: (9.0, 0.1))
    with pytest.raises(TrialbookError, match="trained again 9"):
        evaluate_on_test(confirmed, winner.choose(confirmed))
    assert confirmed.test_evaluations() == []
