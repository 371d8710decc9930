"""Studies in a PostgreSQL database, where STORAGE names one: the same records as in a file, as rows.

So a search on it is as fast as on a file, and several coordinators may work on one study (JOIN=1): what
others wrote is heard when it is asked for. Whoever asks for a trial has the study's turn meanwhile, so none
is drawn twice and their number is exact. Each coordinator has a lease, which it renews; what one that is
dead left running is closed by the others.
"""

import contextlib
import functools
import json
import os
import socket
import time
import uuid

import psycopg
from optuna.storages.journal import BaseJournalBackend
from psycopg.conninfo import conninfo_to_dict

from search.errors import StoreError, StudyConflict, UsageError, one_line

PATIENCE = 60.0  # seconds until a database that was lost must be there again
FIRST, LONGEST = 0.1, 5.0  # seconds until that is tried again: doubled each time
LEASE = 120  # seconds for which a coordinator counts as alive: more than a database may be away
LIVELY = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
SCHEMA = """
SELECT pg_advisory_xact_lock(hashtextextended('trialbook schema', 0));
CREATE TABLE IF NOT EXISTS trialbook_study (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE NOT NULL, records bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS trialbook_record (
    study bigint REFERENCES trialbook_study, number bigint, batch uuid NOT NULL, record text NOT NULL,
    PRIMARY KEY (study, number)
);
CREATE TABLE IF NOT EXISTS trialbook_coordinator (
    id uuid PRIMARY KEY, study text NOT NULL, until timestamptz NOT NULL
);
"""
KEY = "hashtextextended('trialbook ' || %s, 0)"  # of the lock of a name


def check(url):
    """Raises UsageError where STORAGE is no address of a database, or holds a password."""
    try:
        parts = conninfo_to_dict(url)
        str(parts.get("host", "")).encode("idna")  # as it is looked up
    except (psycopg.ProgrammingError, UnicodeError) as error:
        raise UsageError(f"STORAGE is not valid: {one_line(error)}") from None
    if parts.get("password"):
        raise UsageError("STORAGE holds a password: it belongs into PGPASSWORD or into ~/.pgpass")


@functools.cache
def database(url, _process):
    """The Database at an address: one for each process."""
    return Database(url)


class Database:
    """A connection to the studies in a database. One that is lost is made again, with the locks it held.

    Raises StoreError wherever the database cannot be reached, or no more within PATIENCE.
    """

    def __init__(self, url):
        self._url, self._connection = url, None
        self._locks = []  # the statement that takes each lock that is held, and its name
        self._ready = False

    def run(self, do):
        """Returns `do(connection)`, one transaction. It is done again where its end was not heard."""
        deadline, wait = time.monotonic() + PATIENCE, FIRST
        while True:
            try:
                with self._connected().transaction():
                    return do(self._connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                refused = not self._ready or (error.sqlstate or "").startswith("28")  # it knows no such user
                if refused or time.monotonic() > deadline:
                    raise StoreError(f"the database of STORAGE: {one_line(error)}") from None
                self._connection = None
                time.sleep(wait)
                wait = min(2 * wait, LONGEST)
            except psycopg.Error as error:
                raise StoreError(f"the database of STORAGE: {one_line(error)}") from None

    def ask(self, statement, *values):
        """The rows that a statement gives."""
        return self.run(lambda connection: connection.execute(statement, values).fetchall())

    def _connected(self):
        if self._connection is None or self._connection.broken:
            name = f"trialbook {os.getpid()} on {socket.gethostname()}"
            self._connection = psycopg.connect(self._url, autocommit=True, application_name=name, **LIVELY)
            self._take_again()
        if not self._ready:
            with self._connection.transaction():
                self._connection.execute(SCHEMA)
            self._ready = True
        return self._connection

    def _take_again(self):
        try:
            for statement, name in self._locks:
                self._take(statement, name)
        except StudyConflict as conflict:  # what was cut off may not have been noticed there yet
            self._connection.close()
            raise psycopg.OperationalError(str(conflict)) from None

    # Studies

    def names(self):
        return [row[0] for row in self.ask('SELECT name FROM trialbook_study ORDER BY name COLLATE "C"')]

    def exists(self, name):
        return bool(self.ask("SELECT 1 FROM trialbook_study WHERE name = %s", name))

    def put(self, name, records):
        """Write a new study: whole, or not at all. Nothing happens where it is there."""

        def do(connection):
            new = "INSERT INTO trialbook_study (name, records) VALUES (%s, %s)"
            new += " ON CONFLICT DO NOTHING RETURNING id"
            if row := connection.execute(new, [name, len(records)]).fetchone():
                _insert(connection, row[0], 0, uuid.uuid4(), map(_text, records))

        self.run(do)

    # Locks

    def lock(self, name, shared=False):
        """Hold a study for this process alone, or `shared` with others that do so, until what is returned is
        closed. Raises StudyConflict, which says who holds it.
        """
        statement = f"SELECT pg_try_advisory_lock{'_shared' if shared else ''}({KEY})"
        self.run(lambda _: self._take(statement, name))
        self._locks.append((statement, name))
        return _Lock(self, statement, name)

    def _take(self, statement, name):
        if not self._connection.execute(statement, [name]).fetchone()[0]:
            raise StudyConflict(
                f"study {name!r} is being searched by process {self.holder(name) or 'unknown'}"
            )

    def holder(self, name):
        """Who holds a study, as text; None where nobody does."""
        held = (
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
            f" WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = {KEY} AND granted"
        )
        names = [row[0].removeprefix("trialbook ") for row in self._connected().execute(held, [name])]
        return ", ".join(names) or None

    @contextlib.contextmanager
    def turn(self, name):
        """Meanwhile nobody else has a turn at a study."""
        self.ask(f"SELECT pg_advisory_lock({KEY})", f"turn {name}")
        try:
            yield
        finally:
            self.ask(f"SELECT pg_advisory_unlock({KEY})", f"turn {name}")

    # Coordinators

    def renew(self, coordinator, name):
        """Count a coordinator of a study as alive for LEASE seconds from now on."""
        renewed = (
            "INSERT INTO trialbook_coordinator VALUES (%s, %s, now() + %s * interval '1 second')"
            " ON CONFLICT (id) DO UPDATE SET until = excluded.until RETURNING 1"
        )
        self.ask(renewed, coordinator, name, LEASE)

    def alive(self, name):
        """The coordinators of a study that are."""
        found = self.ask(
            "SELECT id::text FROM trialbook_coordinator WHERE study = %s AND until > now()", name
        )
        return {row[0] for row in found}


class Records(BaseJournalBackend):
    """The records of a study. Own ones are known at once, others' after `refresh` or the next own."""

    def __init__(self, database, name):
        self._database, self._again = database, False
        self._study, self._there = database.ask(
            "SELECT id, records FROM trialbook_study WHERE name = %s", name
        )[0]
        self._own, self._first = [], self._there  # the last records, and the number of their first

    def read_logs(self, log_number_from):
        """The records from this one on."""
        if log_number_from < self._first:
            statement = (
                "SELECT record FROM trialbook_record WHERE study = %s AND number >= %s ORDER BY number"
            )
            lines = [row[0] for row in self._database.ask(statement, self._study, log_number_from)]
            self._there = log_number_from + len(lines)
        else:
            lines = self._own[log_number_from - self._first :]
        self._own, self._first = [], self._there
        return map(json.loads, lines)

    def append_logs(self, logs):
        lines, batch = [_text(log) for log in logs], uuid.uuid4()

        def do(connection):
            again = "SELECT max(number) + 1 FROM trialbook_record WHERE study = %s AND batch = %s"
            if self._again and (end := connection.execute(again, [self._study, batch]).fetchone()[0]):
                return end  # it was written, and only its end was not heard
            self._again = True
            longer = "UPDATE trialbook_study SET records = records + %s WHERE id = %s RETURNING records"
            end = connection.execute(longer, [len(lines), self._study]).fetchone()[0]
            _insert(connection, self._study, end - len(lines), batch, lines)
            return end

        self._again = False
        end = self._database.run(do)
        if end - len(lines) == self._there:
            self._own += lines
        else:  # others wrote before
            self._own, self._first = lines, end - len(lines)
        self._there = end

    def commit(self):
        """The database's disk has all of them already."""

    def refresh(self):
        """Look what others wrote."""
        there = self._database.ask("SELECT records FROM trialbook_study WHERE id = %s", self._study)[0][0]
        if there > self._there:
            self._there = self._first = there
            self._own = []


class _Lock:
    """A lock that is held. See `Database.lock`."""

    def __init__(self, database, statement, name):
        self._database, self._held = database, (statement, name)

    def close(self):
        if self._held in self._database._locks:
            self._database._locks.remove(self._held)
            statement, name = self._held
            self._database.ask(statement.replace("pg_try_advisory_lock", "pg_advisory_unlock"), name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _insert(connection, study, first, batch, lines):
    rows = [(study, number, batch, line) for number, line in enumerate(lines, first)]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO trialbook_record VALUES (%s, %s, %s, %s)", rows)


def _text(record):
    return json.dumps(record, separators=(",", ":"))
