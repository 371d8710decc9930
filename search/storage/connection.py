"""A connection to PostgreSQL that reconnects when it breaks, and the locks that this process holds.

Locks and exclusive sections end with their connection. The server drops a connection within 25 s after the
machine at its other end has gone. A process whose connection broke takes its locks again before anything
else. An exclusive section whose connection broke runs again from its beginning.

Threads may share a connection: one at a time uses it.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from search.errors import StoreError, StudyConflict
from search.primitives.text import one_line
from search.storage.base import Result

Session = psycopg.Connection[tuple[Any, ...]]

PATIENCE = 60.0  # seconds in which a lost database must come back
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds between attempts to reconnect: doubled each time
EXCLUSIVE_PATIENCE = 600.0  # seconds to wait for other processes: one may be completing a large log
LOCK_TIMEOUT = 5.0  # seconds that one statement waits for a lock before it is repeated
CONNECT_OPTIONS: dict[str, Any] = {  # this side notices within 25 s that the server's machine has gone
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
SESSION_SETTINGS = {  # the server notices the same of this side, and releases its locks
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
    "idle_in_transaction_session_timeout": "60s",  # a stopped process may hold one open
}
KEY = "hashtextextended('trialbook ' || %s, 0)"  # the lock of a name


CONNECTION_LOST = (  # errors that end a session
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
)


class ExclusiveLost(Exception):
    """The connection broke in an exclusive section, and the section ended with it."""


class _Locked(StoreError):
    """A statement waited too long for a lock that another session holds."""


class _Occupied(psycopg.OperationalError):
    """Another process holds a lock that this one had until its connection broke."""


class Connection:
    """A connection to a database, and the locks that this process holds in it.

    Args:
        url: the address of the database.
        patience: seconds in which a lost database must come back; PATIENCE by default.

    Methods raise StoreError if the database cannot be reached, or not again in time. They raise
    StudyConflict if another process took a lock while the connection was lost, and keeps it.
    """

    schema = "SELECT"  # statements that run once, after the first connect

    def __init__(self, url: str, patience: float | None = None):
        self.url, self._patience = url, patience
        self._use = threading.RLock()
        self._session: Session | None = None
        self._locks: list[_Lock] = []  # those that this process holds
        self._was_reached = False
        self._ready = False
        self._is_exclusive = False

    def run(self, do: Callable[[Session], Result], lock_patience: float | None = None) -> Result:
        """Return `do(session)`, one transaction. It is repeated if its commit was not confirmed.

        Raises ExclusiveLost in an exclusive section whose connection broke, until the section ends.
        """
        started, wait = time.monotonic(), FIRST_WAIT
        while True:
            if self._is_exclusive and self._is_lost():
                raise ExclusiveLost
            try:
                return self._attempt(do)
            except psycopg.errors.LockNotAvailable as error:  # the connection is sound
                if time.monotonic() - started >= (self.patience if lock_patience is None else lock_patience):
                    raise _Locked(_message(error)) from None
            except CONNECTION_LOST as error:
                if not self._is_exclusive:
                    self._raise_if_final(error, started)
                    time.sleep(wait)
                    wait = min(2 * wait, LONGEST_WAIT)
            except psycopg.Error as error:
                raise StoreError(_message(error)) from None

    def _attempt(self, do: Callable[[Session], Result]) -> Result:
        """Return `do(session)`, one transaction. A session that breaks in it is closed."""
        with self._use:
            try:
                session = self._connected()
                with session.transaction():
                    return do(session)
            except psycopg.errors.LockNotAvailable:
                raise
            except CONNECTION_LOST:
                self._disconnect()
                raise

    @property
    def patience(self) -> float:
        """Seconds in which a lost database must come back."""
        return PATIENCE if self._patience is None else self._patience

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        return self.run(lambda session: session.execute(statement, values).fetchall())

    def _raise_if_final(self, error: psycopg.Error, started: float) -> None:
        """Raise an error that another attempt would meet again."""
        is_unknown = (error.sqlstate or "").startswith("28")  # the user, or the password
        refused = is_unknown or not self._was_reached
        if not refused and time.monotonic() - started < self.patience:
            return
        if isinstance(error, _Occupied):
            raise StudyConflict(f"the connection to the database was lost, and {error}") from None
        raise StoreError(_message(error)) from None

    def _connected(self) -> Session:
        """The open session, with all locks that this process holds."""
        session = self._session
        if session is None or session.closed:
            session = self._session = self._connect()
            for lock in self._locks:
                if not lock.take(session):  # the server may not have noticed the cut yet
                    raise _Occupied(_occupied(session, lock))
        if not self._ready:
            with session.transaction():
                session.execute(self.schema)
            self._ready = True
        return session

    def _connect(self) -> Session:
        name = f"trialbook {os.getpid()} on {socket.gethostname()}"
        session = psycopg.connect(self.url, autocommit=True, application_name=name, **CONNECT_OPTIONS)
        self._was_reached = True
        for setting in (SESSION_SETTINGS | {"lock_timeout": f"{LOCK_TIMEOUT * 1000:.0f}ms"}).items():
            session.execute("SELECT set_config(%s, %s, false)", setting)
        return session

    def _is_lost(self) -> bool:
        return self._session is None or self._session.closed

    def _disconnect(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    # Locks

    def lock(self, name: str, shared: bool = False, use: str | None = None) -> "_Lock":
        """Hold a study, alone or `shared` with others that do so, until the lock is closed.

        Args:
            use: how a message says that the lock is held, such as "study 'x' is being searched".

        Raises StudyConflict, which names the holder.
        """
        lock = _Lock(self, name, shared, use)

        def take(session: Session) -> None:
            if not lock.take(session):
                raise StudyConflict(_occupied(session, lock))

        self.run(take)
        self._locks.append(lock)
        return lock

    def holds_alone(self, name: str) -> bool:
        """Whether this process holds a study that it shares with no other."""
        return any(lock.name == name and not lock.shared for lock in self._locks)

    def holder(self, name: str) -> str | None:
        """The processes that hold a study, as text; None if there are none."""
        return self.run(lambda session: _holder(session, name))

    def exclusive(self, name: str, do: Callable[[], Result], while_waiting: Callable[[], None]) -> Result:
        """Return `do()`. No other process is in an exclusive section of this study meanwhile.

        If the connection breaks, `do` is called again in a new section. The broken section was exclusive
        until then, so its records stay. `while_waiting` is called every few seconds until the section starts.
        Raises StoreError if no section starts, or none lasts, within EXCLUSIVE_PATIENCE.
        """
        lock, deadline = _Lock(self, f"turn {name}"), time.monotonic() + EXCLUSIVE_PATIENCE
        while True:
            self._wait_for(lock, name, deadline, while_waiting)
            self._is_exclusive = True
            try:
                result = do()
                if not self._is_lost():
                    return result
            except Exception:  # ExclusiveLost, or an error that was raised from it
                if not self._is_lost():
                    raise
            finally:
                self._is_exclusive = False
                lock.release()
            if time.monotonic() > deadline:
                lasted = f"no turn at study {name!r} lasted, for {EXCLUSIVE_PATIENCE:.0f} s"
                raise StoreError(f"the database of STORAGE cuts off its connections: {lasted}")

    def _wait_for(
        self, lock: "_Lock", study: str, deadline: float, while_waiting: Callable[[], None]
    ) -> None:
        while True:
            try:
                return self.run(lock.wait, lock_patience=0)
            except _Locked:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"no turn at study {study!r} came within {EXCLUSIVE_PATIENCE:.0f} s: "
                        f"process {self.holder(lock.name) or 'unknown'} has it; "
                        "if that hangs, end it and repeat the command"
                    ) from None
            while_waiting()


class _Lock:
    """An advisory lock of the database. See `Connection.lock`."""

    def __init__(
        self, connection: Connection, name: str, shared: bool = False, use: str | None = None
    ) -> None:
        self._connection, self.name, self.shared = connection, name, shared
        self.use = use or f"study {name!r} is being searched"
        self._suffix = "_shared" if shared else ""

    def take(self, session: Session) -> bool:
        """Take the lock if it is free. Returns whether it was."""
        statement = f"SELECT pg_try_advisory_lock{self._suffix}({KEY})"
        return session.execute(statement, [self.name]).fetchall() == [(True,)]

    def wait(self, session: Session) -> None:
        """Take the lock as soon as it is free."""
        session.execute(f"SELECT pg_advisory_lock{self._suffix}({KEY})", [self.name])

    def release(self) -> None:
        """Release the lock. A lost connection has released it already."""
        connection = self._connection
        if connection._session is not None and not connection._session.closed:
            try:
                unlock = f"SELECT pg_advisory_unlock{self._suffix}({KEY})"
                connection._session.execute(unlock, [self.name])
            except psycopg.Error:
                connection._disconnect()

    def close(self) -> None:
        if self in self._connection._locks:
            self._connection._locks.remove(self)
            self.release()

    def __enter__(self) -> "_Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _occupied(session: Session, lock: _Lock) -> str:
    return f"{lock.use} by process {_holder(session, lock.name) or 'unknown'}"


def _holder(session: Session, name: str) -> str | None:
    held = (
        "SELECT coalesce(nullif(application_name, ''), 'unknown, session ' || pid || ' of the database')"
        " FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" AND (classid::bigint << 32 | objid::bigint) = {KEY}"
    )
    names = [row[0].removeprefix("trialbook ") for row in session.execute(held, [name])]
    return ", ".join(names) or None


def _message(error: BaseException) -> str:
    return f"the database of STORAGE: {one_line(error)}"
