"""Locks and turns on a real PostgreSQL server whose sessions are ended at awkward moments."""

import threading

import psycopg
import pytest
from databases import end_backends
from stores import here

from search.coordinator import search
from search.errors import StoreError, StudyConflict
from search.executors.inline import Inline
from search.storage import connection, postgres
from search.storage.connection import Connection, ExclusiveLost
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.stored import StoredStudy


@pytest.fixture
def database(storage):
    return Connection(storage)


@pytest.fixture
def quick(monkeypatch):
    """What is waited for comes within a part of a second, or never."""
    monkeypatch.setattr(connection, "LOCK_TIMEOUT", 0.05)
    monkeypatch.setattr(connection, "EXCLUSIVE_PATIENCE", 0.3)
    monkeypatch.setattr(connection, "PATIENCE", 0.3)


def hold(storage, name, application="another program"):
    """A session of another program that holds a lock; it lasts until it is closed."""
    session = psycopg.connect(storage, autocommit=True, application_name=application)
    session.execute(f"SELECT pg_advisory_lock({connection.KEY})", [name])
    return session


def is_free(storage, name):
    with psycopg.connect(storage) as session:
        return session.execute(f"SELECT pg_try_advisory_lock({connection.KEY})", [name]).fetchone()[0]


def never():
    raise AssertionError("the turn came at once")


def test_session_is_dropped_by_the_server_soon_after_its_machine_is_gone(database):
    database.ask("SELECT 1")
    end_backends(database.url)  # the settings are in force in a session that was made again too
    names = [*connection.SESSION_SETTINGS, "lock_timeout"]
    found = dict(database.ask("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", names))
    seconds = int(found["tcp_keepalives_idle"])
    seconds += int(found["tcp_keepalives_interval"]) * int(found["tcp_keepalives_count"])
    assert seconds == 25 and int(found["tcp_user_timeout"]) == 25_000
    assert int(found["lock_timeout"]) == 5_000 == 1000 * connection.LOCK_TIMEOUT
    assert int(found["idle_in_transaction_session_timeout"]) == 60_000


def test_first_session_that_is_ended_before_its_tables_are_made_is_opened_again(storage):
    class CutOff(Connection):
        cuts = 0

        @property
        def schema(self):  # the server ends the session when it is to make the tables
            self.cuts += 1
            if self.cuts == 1:
                end_backends(storage)
            return "SELECT"

    database = CutOff(storage)
    assert database.ask("SELECT 1") == [(1,)] and database.cuts == 2


def test_turn_whose_session_was_ended_is_taken_again(database, storage):
    seen = []

    def do():
        seen.append(database.ask("SELECT pg_backend_pid()")[0][0])
        assert not is_free(storage, "turn x")
        if len(seen) == 1:
            end_backends(storage)
        return database.ask("SELECT pg_backend_pid()")[0][0]

    assert database.exclusive("x", do, never) == seen[1] != seen[0] and len(seen) == 2
    assert is_free(storage, "turn x")


def test_turn_that_was_lost_does_nothing_more_and_is_taken_again_whatever_became_of_the_error(
    database, storage
):
    database.run(lambda session: session.execute("CREATE TABLE said (text text)"))
    tries = []

    def do():
        tries.append(1)
        database.ask("INSERT INTO said VALUES ('begun') RETURNING 1")
        if len(tries) == 1:
            end_backends(storage)
            for _ in range(2):
                with pytest.raises(ExclusiveLost):
                    database.ask("INSERT INTO said VALUES ('without a turn') RETURNING 1")
        if len(tries) == 2:
            end_backends(storage)
            try:
                database.ask("SELECT 1")
            except ExclusiveLost:
                raise ValueError("as a task's code may say it") from None
        return "done"

    assert database.exclusive("x", do, never) == "done" and len(tries) == 3
    assert database.ask("SELECT text FROM said") == [("begun",)] * 3


def test_turn_that_is_cut_off_after_its_last_statement_is_done_once(database, storage):
    tries = []

    def do():
        tries.append(database.ask("SELECT 1"))
        end_backends(storage)
        return "done"

    assert database.exclusive("x", do, never) == "done" and len(tries) == 1
    assert database.exclusive("x", lambda: "again", never) == "again"


def test_error_in_a_turn_ends_it(database, storage):
    with pytest.raises(KeyError):
        database.exclusive("x", lambda: {}["missing"], never)
    assert is_free(storage, "turn x")


def test_turns_that_are_always_cut_off_are_one_line(database, storage, quick):
    def do():
        end_backends(storage)
        database.ask("SELECT 1")

    with pytest.raises(StoreError, match="cuts off its connections: no turn at study 'x' lasted, for 0 s"):
        database.exclusive("x", do, lambda: None)


@pytest.mark.parametrize(
    "application, said",
    [("trialbook 7 on a", "7 on a has it"), ("", r"unknown, session \d+ of the database has it")],
)
def test_turn_that_never_ends_is_one_line_that_names_who_has_it(database, storage, quick, application, said):
    waited, line = [], f"^no turn at study 'x' came within 0 s: process {said}.*end it"
    with hold(storage, "turn x", application), pytest.raises(StoreError, match=line):
        database.exclusive("x", never, lambda: waited.append(1))
    assert waited
    assert database.exclusive("x", lambda: "done", lambda: None) == "done"


def test_coordinator_that_waits_for_a_turn_stays_alive(bowl, storage, quick):
    lease = "SELECT until FROM trialbook_coordinator"
    with open_study(here(), bowl, join=True) as study, hold(storage, "turn bowl-builtin"):
        (before,) = Connection(storage).ask(lease)[0]
        with pytest.raises(StoreError, match="no turn at study 'bowl-builtin' came"):
            study.exclusive(Strategy(study).ask)
        assert Connection(storage).ask(lease)[0][0] > before


def test_lock_that_another_took_while_the_connection_was_lost_ends_the_search(bowl, storage, quick):
    said = "the connection to the database was lost, and study 'bowl-builtin' is being searched by process 7"
    for joined in (False, True):
        with open_study(here(), bowl, join=joined) as study:
            end_backends(storage)
            taken = hold(storage, "bowl-builtin", "trialbook 7 on a")
            with taken, pytest.raises(StudyConflict, match=said):
                study.exclusive(Strategy(study).ask)
        assert is_free(storage, "bowl-builtin")


def test_lock_that_was_free_meanwhile_is_taken_again(bowl, storage):
    with open_study(here(), bowl) as study:
        end_backends(storage)
        assert Strategy(study).ask().number == 0 and not is_free(storage, "bowl-builtin")


def test_study_that_another_changed_while_the_connection_was_lost_is_left_as_it_is(
    bowl, storage, monkeypatch
):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=2)
        end_backends(storage)
        monkeypatch.setenv("TRIALBOOK_STORAGE", f"{storage}?connect_timeout=5")  # as another process has it
        with open_study(here(), bowl) as other:
            search(other, Inline(other), trials=4)
        monkeypatch.setenv("TRIALBOOK_STORAGE", storage)
        for _ in range(2):
            with pytest.raises(StudyConflict, match="'bowl-builtin' was changed by another process while"):
                Strategy(study).ask()
    assert [trial.draw for trial in StoredStudy.read(here(), "bowl-builtin").trials()] == [0, 1, 2, 3]


def test_database_that_lost_records_is_said_in_one_line(bowl, storage):
    with open_study(here(), bowl, join=True) as study:
        search(study, Inline(study), trials=2)
        database = postgres.PostgresStore(storage)
        database.ask("DELETE FROM trialbook_record WHERE number > 5 RETURNING 1")
        database.ask("UPDATE trialbook_study SET records = 6 RETURNING 1")
        with pytest.raises(StoreError, match="has 6 records in the database and had .* older copy"):
            study.exclusive(Strategy(study).ask)


def test_connection_that_threads_share_answers_each_of_them_also_when_it_breaks(database, storage):
    database.ask("SELECT 1")
    faults, n_threads = [], 8

    def ask(thread):
        try:
            for number in range(50):
                value = 1000 * thread + number
                if database.ask("SELECT %s::int", value) != [(value,)]:
                    faults.append(f"{value} was not answered")
                if value == 3020:
                    end_backends(storage)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_lock_that_is_held_is_refused_in_the_words_of_its_use(database, storage):
    with hold(storage, "x"), pytest.raises(StudyConflict, match="^the cake is eaten by process another prog"):
        database.lock("x", use="the cake is eaten")
