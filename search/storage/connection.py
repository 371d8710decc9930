"""A connection to PostgreSQL that is made again where it is lost, with the locks that this process holds.

Locks and turns end with their connection. The server drops a connection within 25 s once the machine at
its other end is gone. A process whose connection broke takes its locks again before it does anything
else. A turn that was cut off is taken again from its beginning.
"""

import os
import socket
import time
from collections.abc import Callable

import psycopg

from search.errors import StoreError, StudyConflict
from search.text import one_line

PATIENCE = 60.0  # seconds until a database that was lost must be there again
FIRST, LONGEST = 0.1, 5.0  # seconds until that is tried again: doubled each time
TURN_PATIENCE = 600.0  # seconds to wait for a turn: another coordinator may complete a large log in its own
LOCK_TIMEOUT = 5.0  # seconds that one statement waits for a lock; then it is tried again
CONNECT_OPTIONS = {  # this side notices within 25 s that the server's machine is gone
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
SESSION_SETTINGS = {  # the server notices the same of this side, and lets go of its locks
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
    "idle_in_transaction_session_timeout": "60s",  # of a process that was stopped in the middle of one
}
KEY = "hashtextextended('trialbook ' || %s, 0)"  # of the lock of a name


CUT_OFF = (  # what the session does not survive
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
)


class TurnLost(Exception):
    """The connection broke in a turn, and the turn ended with it."""


class _Locked(StoreError):
    """A statement waited too long for a lock that another session holds."""


class _Occupied(psycopg.OperationalError):
    """Another process holds a lock that this one had until its connection broke."""


class Connection:
    """A connection to a database, and the locks of this process there.

    Raises StoreError wherever the database cannot be reached, or no more within PATIENCE; StudyConflict
    where another process took a lock while the connection was lost, and keeps it.
    """

    schema = "SELECT"  # statements that the first connection runs

    def __init__(self, url: str):
        self._url, self._session = url, None
        self._locks = []  # the _Lock objects that are held
        self._ready = False
        self._in_turn = False

    def run(self, do: Callable, lock_patience: float | None = None):
        """Return `do(session)`, one transaction. It is done again where its end was not heard.

        In a turn whose connection broke, raises TurnLost instead, until the turn ends.
        """
        started, wait = time.monotonic(), FIRST
        while True:
            if self._in_turn and self._is_cut_off():
                raise TurnLost
            try:
                with self._connected().transaction():
                    return do(self._session)
            except psycopg.errors.LockNotAvailable as error:  # the connection is sound
                if time.monotonic() - started >= (PATIENCE if lock_patience is None else lock_patience):
                    raise _Locked(_said(error)) from None
            except CUT_OFF as error:
                self._disconnect()
                if not self._in_turn:
                    self._must_be_worth_retrying(error, started)
                    time.sleep(wait)
                    wait = min(2 * wait, LONGEST)
            except psycopg.Error as error:
                raise StoreError(_said(error)) from None

    def ask(self, statement: str, *values) -> list[tuple]:
        """The rows that a statement gives."""
        return self.run(lambda session: session.execute(statement, values).fetchall())

    def _must_be_worth_retrying(self, error, started):
        refused = not self._ready or (error.sqlstate or "").startswith("28")  # it knows no such user
        if not refused and time.monotonic() - started < PATIENCE:
            return
        if isinstance(error, _Occupied):
            raise StudyConflict(f"the connection to the database was lost, and {error}") from None
        raise StoreError(_said(error)) from None

    def _connected(self):
        """The session, begun where there is none, with all locks that this process holds."""
        if self._is_cut_off():
            self._session = self._connect()
            for lock in self._locks:
                if not lock.take(self._session):  # the server may not have noticed the cut yet
                    raise _Occupied(_occupied(self._session, lock.name))
        if not self._ready:
            with self._session.transaction():
                self._session.execute(self.schema)
            self._ready = True
        return self._session

    def _connect(self):
        name = f"trialbook {os.getpid()} on {socket.gethostname()}"
        session = psycopg.connect(self._url, autocommit=True, application_name=name, **CONNECT_OPTIONS)
        for setting in (SESSION_SETTINGS | {"lock_timeout": f"{LOCK_TIMEOUT * 1000:.0f}ms"}).items():
            session.execute("SELECT set_config(%s, %s, false)", setting)
        return session

    def _is_cut_off(self):
        return self._session is None or self._session.closed

    def _disconnect(self):
        if self._session is not None:
            self._session.close()
            self._session = None

    # Locks

    def lock(self, name: str, shared: bool = False) -> "_Lock":
        """Hold a study for this process alone, or `shared` with others that do so, until what is returned is
        closed. Raises StudyConflict, which says who holds it.
        """
        lock = _Lock(self, name, shared)

        def take(session):
            if not lock.take(session):
                raise StudyConflict(_occupied(session, name))

        self.run(take)
        self._locks.append(lock)
        return lock

    def holds_alone(self, name: str) -> bool:
        """Whether this process holds a study that it shares with no other."""
        return any(lock.name == name and not lock.shared for lock in self._locks)

    def holder(self, name: str) -> str | None:
        """The processes that hold a study, as text; None where there are none."""
        return self.run(lambda session: _holder(session, name))

    def in_turn(self, name: str, do: Callable, while_waiting: Callable):
        """Return `do()`. Meanwhile nobody else has a turn at a study.

        Where the turn is lost, `do` is called again in a new one. Whatever the lost one wrote, it wrote
        while it was a turn. `while_waiting` is called once in a while until the turn comes. Raises
        StoreError where no turn comes, or none lasts, within TURN_PATIENCE.
        """
        turn, deadline = _Lock(self, f"turn {name}"), time.monotonic() + TURN_PATIENCE
        while True:
            self._wait_for(turn, name, deadline, while_waiting)
            self._in_turn = True
            try:
                result = do()
                if not self._is_cut_off():
                    return result
            except Exception:  # TurnLost, or whatever was made of it on its way
                if not self._is_cut_off():
                    raise
            finally:
                self._in_turn = False
                turn.release()
            if time.monotonic() > deadline:
                lasted = f"no turn at study {name!r} lasted, for {TURN_PATIENCE:.0f} s"
                raise StoreError(f"the database of STORAGE cuts off its connections: {lasted}")

    def _wait_for(self, turn, study, deadline, while_waiting):
        while True:
            try:
                return self.run(turn.wait, lock_patience=0)
            except _Locked:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"no turn at study {study!r} came within {TURN_PATIENCE:.0f} s: "
                        f"process {self.holder(turn.name) or 'unknown'} has it; "
                        "where that hangs, end it, then type the same command again"
                    ) from None
            while_waiting()


class _Lock:
    """An advisory lock of the database. See `Connection.lock`."""

    def __init__(self, connection, name, shared=False):
        self._connection, self.name, self.shared = connection, name, shared
        self._suffix = "_shared" if shared else ""

    def take(self, session):
        """Return whether it was free."""
        statement = f"SELECT pg_try_advisory_lock{self._suffix}({KEY})"
        return session.execute(statement, [self.name]).fetchone()[0]

    def wait(self, session):
        """Take it once it is free."""
        session.execute(f"SELECT pg_advisory_lock{self._suffix}({KEY})", [self.name])

    def release(self):
        """Let go of it. It went with the connection where that is lost."""
        connection = self._connection
        if not connection._is_cut_off():
            try:
                unlock = f"SELECT pg_advisory_unlock{self._suffix}({KEY})"
                connection._session.execute(unlock, [self.name])
            except psycopg.Error:
                connection._disconnect()

    def close(self):
        if self in self._connection._locks:
            self._connection._locks.remove(self)
            self.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _occupied(session, name):
    return f"study {name!r} is being searched by process {_holder(session, name) or 'unknown'}"


def _holder(session, name):
    held = (
        "SELECT coalesce(nullif(application_name, ''), 'unknown, session ' || pid || ' of the database')"
        " FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" AND (classid::bigint << 32 | objid::bigint) = {KEY}"
    )
    names = [row[0].removeprefix("trialbook ") for row in session.execute(held, [name])]
    return ", ".join(names) or None


def _said(error):
    return f"the database of STORAGE: {one_line(error)}"
