"""What every store of studies offers, wherever it keeps them.

A study is a list of records, as Optuna's `JournalStorage` writes and reads them. A store keeps the records
of many studies, by name, and says who may write them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from search.errors import UsageError

Record = dict[str, Any]
Result = TypeVar("Result")

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
LONGEST_NAME = 63
VALID_NAME = f"a-z 0-9 . _ -, a letter or digit first, at most {LONGEST_NAME}"


def check_name(name: str) -> None:
    """Raise UsageError if a study cannot have this name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"STUDY {name!r} is no name: valid are {VALID_NAME}")


class Problem(NamedTuple):
    """Damage that the doctor can repair."""

    message: str
    repair: Callable[[], None]


class RecordLog(Protocol):
    """The records of one study: a backend of Optuna's `JournalStorage`."""

    def read_logs(self, log_number_from: int) -> Iterable[Record]:
        """Records from this number on. A writer reads its own back without asking the store."""

    def append_logs(self, logs: list[Record]) -> None:
        """Write all of these records, or none. Raises StoreError."""

    def commit(self) -> None:
        """Wait until the records are safe from a loss of power. Raises StoreError."""

    def refresh(self) -> None:
        """Learn how many records other processes wrote."""


class Lock(Protocol):
    """The right to write a study, until it is closed or the process ends."""

    def close(self) -> None: ...


class Membership(Protocol):
    """One of several coordinators that search a study together."""

    coordinator: str  # the name of this one

    def renew(self) -> None:
        """Count this coordinator as alive for the length of a lease."""

    def alive(self) -> set[str]:
        """The coordinators whose leases have not run out."""

    def exclusive(self, do: Callable[[], Result]) -> Result:
        """Return `do()`. No other coordinator of the study is inside its own `exclusive` meanwhile.

        If the store loses its connection, `do` is called again.
        """


class Requests(Protocol):
    """What other programs ask of the process that searches a study. All methods may raise StoreError."""

    def put(self, record: Record) -> str:
        """Add a request. Returns its id once neither a kill nor a loss of power can lose it."""

    def pending(self) -> list[tuple[str, Record]]:
        """The requests that wait, with their ids, the oldest first. It is cheap enough for once a second."""

    def remove(self, request: str) -> None:
        """Remove the request of an id, if it is still there."""


class StudyStore(Protocol):
    """Where studies live. All methods may raise StoreError."""

    def names(self) -> list[str]:
        """The names of all studies, sorted."""

    def strays(self) -> list[str]:
        """A line for each thing in the store that is no study, with the reason."""

    def exists(self, name: str) -> bool: ...

    def create(self, name: str, records: Sequence[Record]) -> None:
        """Write a new study: whole, or not at all."""

    def open(self, name: str) -> RecordLog:
        """The records of a study. Nothing is opened for writing before the first `append_logs`."""

    def lock(self, name: str, shared: bool = False) -> Lock:
        """Take the right to write a study, alone or `shared` with others that do so.

        Raises StudyConflict, which names the holder.
        """

    def holder(self, name: str) -> str | None:
        """The process that holds a study's lock, as text. Nothing is written."""

    def join(self, name: str) -> Membership:
        """Become one of several coordinators. Raises UsageError if this store cannot be shared."""

    def requests(self, name: str) -> Requests:
        """The requests to a study. Anyone may add one, whoever holds the lock."""

    def where(self, name: str) -> str:
        """A study's place as a message names it, such as its path."""

    def way_back(self, name: str, is_whole: Callable[[RecordLog], bool]) -> str:
        """A sentence that says how a damaged study gets back; "" where the store keeps no copies."""

    def keep_copy(self, name: str) -> None:
        """Copy a study to the backups, if the store keeps any. Raises OSError."""

    def problems(self, name: str) -> Iterator[Problem]:
        """Damage of the stored records. A repair loses no whole record."""

    def files(self, name: str) -> list[Path]:
        """The files that hold a study; none in a database."""

    def content(self, name: str) -> bytes:
        """The stored text of a study, to be searched for passwords."""
