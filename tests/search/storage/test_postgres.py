"""Studies in a real PostgreSQL server: as in a file, and whatever becomes of the server."""

import os
import threading

import pytest
from coordinators import Watcher
from databases import end_backends
from logs import log_store, projection
from stores import found, here

from search import paths
from search.cli.app import main
from search.coordinator import confirm, search
from search.errors import StoreError, StudyConflict
from search.executors.inline import Inline
from search.maintenance import audit
from search.storage import connection, postgres
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.stored import StoredStudy


def test_a_search_on_a_database_is_that_on_a_file(bowl, storage, monkeypatch):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=12)
        confirm(study, Inline(study), replicates=2)
    there = found(StoredStudy.read(here(), "bowl-builtin"))
    monkeypatch.delenv("TRIALBOOK_STORAGE")
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=12)
        confirm(study, Inline(study), replicates=2)
        assert found(study) == there


def test_a_search_goes_on_and_its_books_agree(bowl, storage, database):
    for trials in (5, 12):
        with open_study(here(), bowl) as study:
            search(study, Inline(study), trials=trials)
            study.set_budget(trials, None)
            projection(study).bring_up_to_date()
    assert here().names() == ["bowl-builtin"] and StoredStudy.read(here(), "bowl-builtin").n_finished() == 12
    assert audit.audit(here(), "bowl-builtin", log_store()) == []


def test_one_that_searches_alone_is_not_disturbed(bowl, storage):
    with open_study(here(), bowl):
        holder = postgres.PostgresStore(storage).holder("bowl-builtin")
        assert holder.startswith(f"{os.getpid()} on ")
        for others in (False, True):
            with pytest.raises(StudyConflict, match=f"is being searched by process {os.getpid()} on "):
                postgres.PostgresStore(storage).lock("bowl-builtin", shared=others)
    assert postgres.PostgresStore(storage).holder("bowl-builtin") is None


def test_what_a_killed_search_left_is_closed_and_retried(bowl, storage):
    with open_study(here(), bowl) as study:
        Strategy(study).ask()
    with open_study(here(), bowl) as study:
        assert study.trial(0).state == "interrupted"
        search(study, Inline(study), trials=3)
        assert study.trial(1).retry_of == 0 and study.n_finished() == 3


def test_backends_that_are_ended_and_a_server_that_starts_anew_lose_nothing(bowl, storage, server):
    with open_study(here(), bowl, "whole") as study:
        search(study, Inline(study), trials=12)
        whole = found(study)

    def restart():
        server.stop()
        threading.Timer(1, server.start).start()

    with open_study(here(), bowl, "disturbed") as study:
        often = Watcher(10, lambda: end_backends(storage))
        search(study, Inline(study), trials=12, watchers=[often, Watcher(25, restart)])
        assert found(study) == whole and often.events > 25
    assert found(StoredStudy.read(here(), "disturbed")) == whole


def test_a_database_that_is_not_there_is_said_in_one_line(bowl, monkeypatch, capsys):
    monkeypatch.setenv("TRIALBOOK_STORAGE", "")
    typed = ["search", "--task", "bowl", "--trials", "1", "--storage"]
    assert main([*typed, "postgresql://nobody@127.0.0.1:1/none"]) == 3
    assert main([*typed, "postgresql://nobody:secret@127.0.0.1:1/none"]) == 2
    assert main([*typed, "nonsense"]) == 2
    assert main([*typed, "postgresql://nobody@127..0.1:1/none"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("error: the database of STORAGE: ") and "connection" in said[0]
    assert said[1] == "error: STORAGE holds a password: put it into PGPASSWORD or ~/.pgpass"
    assert all(line.startswith("error: STORAGE is not valid") for line in said[2:]) and len(said) == 4


def test_joining_needs_a_database(bowl, capsys):
    assert main(["search", "--task", "bowl", "--join"]) == 2
    assert "JOIN=1 needs a database" in capsys.readouterr().err


def test_a_study_is_taken_along_with_its_log_and_back(audited, storage, monkeypatch, capsys):
    monkeypatch.setenv("TRIALBOOK_STORAGE", "")
    before = found(StoredStudy.read(here(), audited))
    assert main(["copy", "--study", audited, "--to", storage]) == 0
    assert main(["copy", "--study", audited, "--to", storage]) == 4
    monkeypatch.setenv("TRIALBOOK_STORAGE", storage)
    assert found(StoredStudy.read(here(), audited)) == before
    paths.studies().joinpath(f"{audited}.journal").unlink()
    assert main(["copy", "--study", audited, "--to", "files"]) == 0
    monkeypatch.setenv("TRIALBOOK_STORAGE", "")
    assert found(StoredStudy.read(here(), audited)) == before
    said = capsys.readouterr()
    assert said.out.count(f"{audited}: no violations") == 5  # the refused one said it of its side, too
    assert said.err == f"error: there is a study {audited!r} at {storage} already\n"


def test_a_database_that_stays_away_ends_the_search_in_words(bowl, storage, monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE", 0)
    with open_study(here(), bowl) as study:
        end_backends(storage)
        with pytest.raises(StoreError, match="the database of STORAGE: "):
            Strategy(study).ask()


def test_paused_trials_of_a_stopped_search_end_if_others_share_the_study_and_wait_if_not(bowl, storage):
    for join in (True, False):
        stops = Watcher(1, lambda: None)
        with open_study(here(), bowl, f"joined-{join}".lower(), join=join) as study:
            search(study, Inline(study), watchers=[stops], stopping=lambda: stops.events >= 40)  # noqa: B023
            paused = [trial for trial in study.trials() if trial.paused]
            pruned = [trial for trial in study.trials() if trial.state == "pruned"]
        assert bool(paused) is not join and bool(pruned) is join
        assert all(trial.ended or trial.paused for trial in study.trials())
