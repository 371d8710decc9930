"""The claim of a service on a database: one service at a time starts and ends the searches in it.

A lock of the database, which ends with its connection. A service that lost the connection asks for the lock
again before it does anything.
"""

import contextlib
from collections.abc import Callable, Iterator

from search.storage.connection import Connection

NAME = "the service"  # which no study can have
PATIENCE = 1.0  # seconds in which a lost database must come back, before whoever asks is told


@contextlib.contextmanager
def claim(storage: str | None) -> Iterator[Callable[[], object]]:
    """Claim a database meanwhile; files need no claim. Gives what checks that the claim still holds.

    Both raise StudyConflict, which names the service that has the database, and StoreError.
    """
    if not storage:
        yield lambda: None
        return
    database = Connection(storage, PATIENCE)
    with database.lock(NAME, use="the queue in the database of STORAGE is served"):
        yield lambda: database.ask("SELECT 1")
