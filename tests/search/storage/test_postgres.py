"""Studies in a real PostgreSQL server: as in a file, shared, and whatever becomes of the server."""

import itertools
import os
import threading
from contextlib import closing
from random import Random

import databases
import forks
import optuna
import pytest
from databases import end_backends
from logs import log_store, projection
from stores import here

from search import paths
from search.cli.app import main
from search.coordinator import confirm, search
from search.errors import StoreError, StudyConflict
from search.executors.inline import Inline
from search.maintenance import audit
from search.storage import connection, postgres
from search.strategy.strategy import Strategy
from search.study.opening import hold_study, open_study
from search.study.stored import StoredStudy

pytestmark = pytest.mark.skipif(
    not databases.tool("initdb"),
    reason="NOT TRIED ON A DATABASE: PostgreSQL is not installed (Debian: apt install postgresql)",
)


def found(study):
    return [(t.number, t.draw, t.state, t.params, t.score, t.epochs) for t in study.trials()]


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


class Watcher:
    """Does something whenever so many events have passed."""

    def __init__(self, every, do):
        self.events, self._every, self._do = 0, every, do

    def started(self, trial):
        self.events += 1
        if self.events % self._every == 0:
            self._do()

    reported = paused = finished = started


class Dies(Watcher):
    """Ends its process at an epoch, in the middle of a trial."""

    def __init__(self, epochs):
        super().__init__(epochs, lambda: os._exit(9))

    def nothing(self, trial):
        pass

    reported = Watcher.started
    started = paused = finished = nothing


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


class Coordinators:
    """Coordinators that share the study of the bowl, each a process that searches and dies as it is told."""

    def __init__(self, count, trials, dying=0, lease=5):  # seconds: a process may be held up for one or two
        self._children = []
        for number in range(count):
            if child := os.fork():
                self._children.append(child)
                continue
            postgres.LEASE = lease
            deaths = [Dies(7)] if number < dying else []
            search_together(trials, deaths)

    def disturb(self, storage):
        """End all sessions, again and again, until the first coordinator has ended."""
        random = Random(0)
        while not os.waitid(os.P_PID, self._children[0], os.WEXITED | os.WNOHANG | os.WNOWAIT):
            end_backends(storage)
            threading.Event().wait(random.expovariate(5))

    def end(self):
        return sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in self._children)


def search_together(trials, watchers):
    """What each coordinator does."""
    from objectives import bowl
    from search.study import shared

    shared.BEAT = 0.2
    try:
        with open_study(here(), bowl, join=True) as study:
            search(study, Inline(study), trials=trials, watchers=watchers)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def test_four_coordinators_try_each_draw_once(bowl, storage, database):
    assert Coordinators(4, 40).end() == [0] * 4
    study = StoredStudy.read(here(), "bowl-builtin")
    trials = list(study.trials())
    assert study.n_finished() == len(trials) == 40 and not any(trial.state == "running" for trial in trials)
    assert sorted(trial.draw for trial in trials) == list(range(40))
    assert len({trial.coordinator for trial in trials}) > 1
    with hold_study(here(), "bowl-builtin") as study:
        study.set_budget(40, None)
        projection(study).bring_up_to_date()
    assert audit.audit(here(), "bowl-builtin", log_store()) == []


def test_what_coordinators_that_died_left_is_tried_by_the_others(bowl, storage):
    assert Coordinators(4, 40, dying=2).end() == [0, 0, 9, 9]
    study = StoredStudy.read(here(), "bowl-builtin")
    trials = list(study.trials())
    assert study.n_finished() == 40 and not any(trial.state == "running" for trial in trials)
    lost = [trial for trial in trials if trial.state == "interrupted"]
    assert lost and all(
        trial.draw in [each.draw for each in trials if each.retry_of is not None] for trial in lost
    )


def each_draw_was_tried_once(trials, count):
    """Whether so many draws were each trained once, and all else ended before it was trained."""
    assert not any(trial.state == "running" for trial in trials)
    trained = [trial for trial in trials if trial.curve]
    assert sorted(trial.draw for trial in trained) == list(range(count)), trained
    return all(trial.state == "interrupted" for trial in trials if not trial.curve)


def test_coordinators_whose_sessions_are_ended_at_random_try_each_draw_once(bowl, storage, database):
    coordinators = Coordinators(3, 40, lease=60)
    coordinators.disturb(storage)
    assert coordinators.end() == [0] * 3
    study = StoredStudy.read(here(), "bowl-builtin")
    assert study.n_finished() == 40 and each_draw_was_tried_once(list(study.trials()), 40)
    with hold_study(here(), "bowl-builtin") as study:
        study.set_budget(40, None)
        projection(study).bring_up_to_date()
    assert audit.audit(here(), "bowl-builtin", log_store()) == []


def test_draw_whose_turn_is_lost_in_its_middle_is_tried_once(bowl, storage, monkeypatch):
    space, losses = bowl.space, iter([1, 1, 0, 1])  # twice in one draw, and in the next but one

    def cut_off(trial):
        if isinstance(trial._trial, optuna.Trial) and next(losses, 0):
            end_backends(storage)
        return space(trial)

    monkeypatch.setattr(bowl, "space", cut_off)
    with open_study(here(), bowl, join=True) as study:
        search(study, Inline(study), trials=6)
        trials = list(study.trials())
        assert each_draw_was_tried_once(trials, 6) and study.n_finished() == 6 and len(trials) == 9
    assert found(StoredStudy.read(here(), "bowl-builtin")) == found(study)


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


def test_a_coordinator_that_was_held_for_dead_goes_on_with_other_trials(bowl, storage, monkeypatch):
    monkeypatch.setattr(postgres, "LEASE", 0)
    with open_study(here(), bowl, join=True) as slow:
        trial = Strategy(slow).ask()
        with open_study(here(), bowl, join=True) as other:
            other.heartbeat()
            assert other.trial(trial.number).state == "interrupted"
        search(slow, Inline(slow), trials=3)
        assert slow.n_finished() == 3 and slow.trial(trial.number).state == "interrupted"


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


def test_coordinators_that_search_as_commands_keep_one_log(storage, database):
    command = ["search", "--task", "bowl", "--storage", storage, "--join"]
    command += ["--trainers", "inline", "--trials", "12", "--confirm", "2"]
    processes, *streams = zip(*(forks.start(*command) for _ in range(2)))
    printed = []
    for stream in itertools.chain(*streams):
        with stream:
            printed.append(stream.read())
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0], printed
    assert StoredStudy.read(here(), "bowl-builtin").n_finished() == 12
    assert audit.audit(here(), "bowl-builtin", log_store()) == [], printed


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
