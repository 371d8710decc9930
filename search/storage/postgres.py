"""Studies in a PostgreSQL database, where STORAGE names one: the same records as in a file, as rows.

So a search on it is as fast as on a file, and several coordinators may work on one study (JOIN=1): what
others wrote is heard when it is asked for. Whoever asks for a trial has the study's turn meanwhile, so none
is drawn twice and their number is exact. Each coordinator has a lease, which it renews; what one that is
dead left running is closed by the others.
"""

import functools
import json
import uuid

import psycopg
from optuna.storages.journal import BaseJournalBackend
from psycopg.conninfo import conninfo_to_dict

from search.errors import StoreError, StudyConflict, UsageError
from search.storage.connection import Connection
from search.text import one_line

LEASE = 120  # seconds for which a coordinator counts as alive: more than a database may be away
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


class Database(Connection):
    """The studies in a database. Raises as a Connection does."""

    schema = SCHEMA

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
        self._database, self._name, self._again = database, name, False
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
            self._must_follow(end - len(lines))
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
        self._must_not_shrink(there)
        if there > self._there:
            self._there = self._first = there
            self._own = []

    def _must_follow(self, there):
        """Raises StudyConflict where others wrote, although this process holds the study alone."""
        self._must_not_shrink(there)
        if there > self._there and self._database.holds_alone(self._name):
            raise StudyConflict(
                f"study {self._name!r} was changed by another process while this one had lost the database: "
                "type the same command again, which goes on from there"
            )

    def _must_not_shrink(self, there):
        if there < self._there:
            raise StoreError(
                f"study {self._name!r} has {there} records in the database and had {self._there}: "
                "was an older copy of the database put in its place?"
            )


def _insert(connection, study, first, batch, lines):
    rows = [(study, number, batch, line) for number, line in enumerate(lines, first)]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO trialbook_record VALUES (%s, %s, %s, %s)", rows)


def _text(record):
    return json.dumps(record, separators=(",", ":"))
