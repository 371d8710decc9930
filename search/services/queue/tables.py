"""The tables of the service, and their database: a file in mlruns/, or the PostgreSQL of the studies."""

import contextlib
import datetime
from pathlib import Path

import psycopg
from sqlalchemy import Connection, Engine, ForeignKey, UniqueConstraint, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from search import paths
from search.client.models import State
from search.errors import StoreError
from search.primitives import redact
from search.primitives.text import one_line
from search.storage.connection import CONNECT_OPTIONS

BUSY_SECONDS = 10  # that a writer of the file waits for another one
READS = "reads"  # an option of connections that do not write


def engine(storage: str | None) -> Engine:
    """The database at an address; with None the file mlruns/service/service.db. Its tables are created.

    Raises StoreError.
    """
    if storage:
        made = create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(storage, **CONNECT_OPTIONS),
            pool_pre_ping=True,
        )
    else:
        with contextlib.suppress(OSError):  # the database then says what is wrong
            paths.service().mkdir(parents=True, exist_ok=True)
        made = create_engine(
            f"sqlite:///{file()}", connect_args={"timeout": BUSY_SECONDS, "isolation_level": None}
        )
        event.listen(made, "begin", _begin)
    try:
        Base.metadata.create_all(made)
    except SQLAlchemyError as error:
        raise StoreError(f"the queue cannot be opened: {redact.redacted(cause(error))}") from None
    return made


def file() -> Path:
    """The database of a service without STORAGE."""
    return paths.service() / "service.db"


def cause(error: SQLAlchemyError) -> str:
    """Why a database failed, in one line, without the statement that it was given."""
    return one_line(error.orig) if isinstance(error, DBAPIError) and error.orig else one_line(error)


def reading(engine: Engine) -> Engine:
    """The same database for queries: they do not wait for writers."""
    return engine.execution_options(**{READS: True})


def _begin(connection: Connection) -> None:
    """Begin a transaction of a file. One that writes locks it at once: later, it could find it locked."""
    reads = connection.get_execution_options().get(READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def now() -> datetime.datetime:
    """The time, in UTC and without its zone, as the tables have it."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """The tables of the service."""


class Search(Base):
    """A search, as the queue knows it."""

    __tablename__ = "service_search"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    task: Mapped[str]
    data: Mapped[str]
    study: Mapped[str] = mapped_column(unique=True)
    trials: Mapped[int | None]
    timeout: Mapped[float | None]
    threshold: Mapped[float | None]
    seed: Mapped[int]
    state: Mapped[State] = mapped_column(index=True)
    wanted: Mapped[str] = mapped_column(default="")
    wanted_by: Mapped[str] = mapped_column(default="")
    step: Mapped[str] = mapped_column(default="search")
    reason: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime.datetime] = mapped_column(default=now)
    queued: Mapped[datetime.datetime] = mapped_column(default=now)  # since when it waits for its turn
    started: Mapped[datetime.datetime | None]  # of its process
    ended: Mapped[datetime.datetime | None]
    jobs: Mapped[int] = mapped_column(default=0)
    earlier_seconds: Mapped[float] = mapped_column(default=0.0)  # of searching, in earlier processes
    earlier_core_seconds: Mapped[float] = mapped_column(default=0.0)
    kills: Mapped[int] = mapped_column(default=0)  # of its process, in a row
    extended: Mapped[bool] = mapped_column(default=False)  # since its process started
    changes: Mapped[list["Change"]] = relationship(order_by="Change.id", back_populates="search")

    def passed(self) -> float:
        """Seconds that its process has run."""
        return (
            (now() - self.started).total_seconds() if self.state == State.SEARCHING and self.started else 0.0
        )

    @property
    def seconds_used(self) -> float:
        """Seconds that it has searched, in all its processes."""
        return self.earlier_seconds + (self.passed() if self.step == "search" else 0.0)

    @property
    def core_seconds(self) -> float:
        """Seconds of all its trainers together."""
        return self.earlier_core_seconds + self.passed() * self.jobs

    @property
    def seconds_left(self) -> float | None:
        """Seconds that it may still search; None if it has no limit of time."""
        return None if self.timeout is None else max(0.0, self.timeout - self.seconds_used)

    @property
    def expected_end(self) -> datetime.datetime | None:
        """When its limit of time ends it at the latest; None if it does not run, or has no limit."""
        if self.state != State.SEARCHING or self.started is None or self.timeout is None:
            return None
        return self.started + datetime.timedelta(seconds=max(0.0, self.timeout - self.earlier_seconds))


class Change(Base):
    """A change of a search's state."""

    __tablename__ = "service_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    search_id: Mapped[int] = mapped_column(ForeignKey("service_search.id"), index=True)
    state: Mapped[State]
    person: Mapped[str]
    time: Mapped[datetime.datetime] = mapped_column(default=now)
    reason: Mapped[str]
    search: Mapped[Search] = relationship(back_populates="changes")


class Repeat(Base):
    """A request that its sender may repeat: the same key gives the same search."""

    __tablename__ = "service_repeat"
    __table_args__ = (UniqueConstraint("person", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[str]
    key: Mapped[str]
    digest: Mapped[str]
    search_id: Mapped[int] = mapped_column(ForeignKey("service_search.id"))


class Token(Base):
    """What a person proves with who she is. Only its hash is kept."""

    __tablename__ = "service_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)  # of the person
    role: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    created: Mapped[datetime.datetime] = mapped_column(default=now)
    revoked: Mapped[datetime.datetime | None]
