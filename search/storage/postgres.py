"""Studies in a PostgreSQL database: the same records as in a file, as rows.

A search is as fast there as on a file, and several coordinators may search one study. Each reads the records
of the others when it asks for a trial. One at a time asks, so no trial is drawn twice and their number is
exact. Each coordinator renews a lease. The others close the trials of a dead one.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import psycopg
from optuna.storages.journal import BaseJournalBackend
from psycopg.conninfo import conninfo_to_dict

from search.errors import StoreError, StudyConflict, UsageError
from search.primitives.text import one_line
from search.storage.base import Problem, Record, RecordLog, Result
from search.storage.connection import Connection, Session
from search.storage.requests import PostgresRequests

LEASE = 120  # seconds for which a coordinator counts as alive: longer than `connection.PATIENCE`
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
CREATE TABLE IF NOT EXISTS trialbook_request (
    id text PRIMARY KEY, study text NOT NULL, record text NOT NULL
);
"""


def check(url: str) -> None:
    """Raise UsageError if STORAGE is no address of a database, or holds a password."""
    try:
        parts = conninfo_to_dict(url)
        str(parts.get("host", "")).encode("idna")  # as it is looked up
    except (psycopg.ProgrammingError, UnicodeError) as error:
        raise UsageError(f"STORAGE is not valid: {one_line(error)}") from None
    if parts.get("password"):
        raise UsageError("STORAGE holds a password: put it into PGPASSWORD or ~/.pgpass")


class PostgresStore(Connection):
    """The studies in a database. See `search.storage.base.StudyStore`; errors are those of a Connection.

    Args:
        url, patience: see `Connection`.
    """

    schema = SCHEMA

    def names(self) -> list[str]:
        return [row[0] for row in self.ask('SELECT name FROM trialbook_study ORDER BY name COLLATE "C"')]

    def strays(self) -> list[str]:
        return []

    def exists(self, name: str) -> bool:
        return bool(self.ask("SELECT 1 FROM trialbook_study WHERE name = %s", name))

    def create(self, name: str, records: Sequence[Record]) -> None:
        def do(session: Session) -> None:
            new = "INSERT INTO trialbook_study (name, records) VALUES (%s, %s)"
            new += " ON CONFLICT DO NOTHING RETURNING id"
            if row := session.execute(new, [name, len(records)]).fetchone():
                _insert(session, row[0], 0, uuid.uuid4(), map(_text, records))

        self.run(do)

    def open(self, name: str) -> "PostgresRecords":
        return PostgresRecords(self, name)

    def join(self, name: str) -> "PostgresMembership":
        return PostgresMembership(self, name)

    def requests(self, name: str) -> PostgresRequests:
        return PostgresRequests(self, name)

    def where(self, name: str) -> str:
        return f"study {name!r} of STORAGE"

    def way_back(self, name: str, is_whole: Callable[[RecordLog], bool]) -> str:
        return ""

    def keep_copy(self, name: str) -> None:
        """Do nothing: a database has its own backups."""

    def problems(self, name: str) -> Iterator[Problem]:
        return iter(())

    def files(self, name: str) -> list[Path]:
        return []

    def content(self, name: str) -> bytes:
        return json.dumps(list(self.open(name).read_logs(0)), ensure_ascii=False).encode(
            errors="surrogatepass"
        )


class PostgresMembership:
    """One of several coordinators of a study. See `search.storage.base.Membership`."""

    def __init__(self, store: PostgresStore, name: str) -> None:
        self.coordinator = str(uuid.uuid4())
        self._store, self._name = store, name

    def renew(self) -> None:
        renewed = (
            "INSERT INTO trialbook_coordinator VALUES (%s, %s, now() + %s * interval '1 second')"
            " ON CONFLICT (id) DO UPDATE SET until = excluded.until RETURNING 1"
        )
        self._store.ask(renewed, self.coordinator, self._name, LEASE)

    def alive(self) -> set[str]:
        alive = "SELECT id::text FROM trialbook_coordinator WHERE study = %s AND until > now()"
        return {row[0] for row in self._store.ask(alive, self._name)}

    def exclusive(self, do: Callable[[], Result]) -> Result:
        return self._store.exclusive(self._name, do, self.renew)


class PostgresRecords(BaseJournalBackend):
    """The records of a study. Those of this process are known at once, those of others after `refresh`."""

    def __init__(self, store: PostgresStore, name: str) -> None:
        self._store, self._name, self._is_retry = store, name, False
        [row] = store.ask("SELECT id, records FROM trialbook_study WHERE name = %s", name)
        self._study, self._n_records = row
        self._local: list[str] = []  # the latest records, which this process wrote and has not read
        self._first_local: int = self._n_records  # the number of the first of them

    def read_logs(self, log_number_from: int) -> Iterable[Record]:
        """Records from this number on."""
        if log_number_from < self._first_local:
            later = "SELECT record FROM trialbook_record WHERE study = %s AND number >= %s ORDER BY number"
            lines = [row[0] for row in self._store.ask(later, self._study, log_number_from)]
            self._n_records = log_number_from + len(lines)
        else:
            lines = self._local[log_number_from - self._first_local :]
        self._local, self._first_local = [], self._n_records
        return map(json.loads, lines)

    def append_logs(self, logs: list[Record]) -> None:
        lines, batch = [_text(log) for log in logs], uuid.uuid4()

        def do(session: Session) -> int:
            end: int | None
            if self._is_retry:
                written = "SELECT max(number) + 1 FROM trialbook_record WHERE study = %s AND batch = %s"
                [(end,)] = session.execute(written, [self._study, batch]).fetchall()
                if end is not None:
                    return end  # the commit succeeded, but its confirmation was lost
            self._is_retry = True
            longer = "UPDATE trialbook_study SET records = records + %s WHERE id = %s RETURNING records"
            [(end,)] = session.execute(longer, [len(lines), self._study]).fetchall()
            assert end is not None
            self._require_no_other_writer(end - len(lines))
            _insert(session, self._study, end - len(lines), batch, lines)
            return end

        self._is_retry = False
        end = self._store.run(do)
        if end - len(lines) == self._n_records:
            self._local += lines
        else:  # others wrote before
            self._local, self._first_local = lines, end - len(lines)
        self._n_records = end

    def commit(self) -> None:
        """Do nothing: the database has written all records to its disk."""

    def refresh(self) -> None:
        """Learn how many records other processes wrote."""
        [(n_records,)] = self._store.ask("SELECT records FROM trialbook_study WHERE id = %s", self._study)
        self._require_no_loss(n_records)
        if n_records > self._n_records:
            self._n_records = self._first_local = n_records
            self._local = []

    def _require_no_other_writer(self, n_records: int) -> None:
        """Raise StudyConflict if others wrote although this process holds the study alone."""
        self._require_no_loss(n_records)
        if n_records > self._n_records and self._store.holds_alone(self._name):
            raise StudyConflict(
                f"study {self._name!r} was changed by another process while this one had lost the database: "
                "the same command resumes it"
            )

    def _require_no_loss(self, n_records: int) -> None:
        """Raise StoreError if the database has fewer records than before."""
        if n_records < self._n_records:
            raise StoreError(
                f"study {self._name!r} has {n_records} records in the database and had {self._n_records}: "
                "was an older copy of the database restored?"
            )


def _insert(session: Session, study: int, first: int, batch: uuid.UUID, lines: Iterable[str]) -> None:
    rows = [(study, number, batch, line) for number, line in enumerate(lines, first)]
    with session.cursor() as cursor:
        cursor.executemany("INSERT INTO trialbook_record VALUES (%s, %s, %s, %s)", rows)


def _text(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"))
