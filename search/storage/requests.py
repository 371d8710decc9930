"""The requests to a study: what other programs ask of the process that searches it.

A request is a record under an id. It stays until the process that carried it out removes it. Ids sort by
the time of the request.
"""

import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import StoreError
from search.storage.base import Record

if TYPE_CHECKING:
    from search.storage.connection import Connection


def new_id() -> str:
    """A fresh id, later than those before it."""
    return f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"


class MemoryRequests:
    """Requests that end with the process. See `search.storage.base.Requests`."""

    def __init__(self, records: dict[str, str]) -> None:
        self._records = records

    def put(self, record: Record) -> str:
        request = new_id()
        self._records[request] = json.dumps(record)
        return request

    def pending(self) -> list[tuple[str, Record]]:
        return [(request, json.loads(text)) for request, text in sorted(self._records.copy().items())]

    def remove(self, request: str) -> None:
        self._records.pop(request, None)


class FileRequests:
    """The requests in a folder, one file each. See `search.storage.base.Requests`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, record: Record) -> str:
        request, text = new_id(), json.dumps(record).encode()
        try:
            if not self._folder.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                _sync(self._folder.parent)
            unfinished = self._path(request).with_suffix(".new")
            with open(unfinished, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._path(request))
            _sync(self._folder)
        except OSError as error:
            raise StoreError(f"cannot write to {self._folder}: {error.strerror}") from None
        return request

    def pending(self) -> list[tuple[str, Record]]:
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
        except FileNotFoundError:
            return []
        return [(name.removesuffix(".json"), _read(self._folder / name)) for name in names]

    def remove(self, request: str) -> None:
        self._path(request).unlink(missing_ok=True)

    def _path(self, request: str) -> Path:
        return self._folder / f"{request}.json"


class PostgresRequests:
    """The requests to a study of a database, as rows. See `search.storage.base.Requests`."""

    def __init__(self, connection: "Connection", study: str) -> None:
        self._ask: Callable[..., list[tuple[str, str]]] = connection.ask
        self._study = study

    def put(self, record: Record) -> str:
        request = new_id()  # the same one where the statement is repeated
        new = "INSERT INTO trialbook_request VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING id"
        self._ask(new, request, self._study, json.dumps(record))
        return request

    def pending(self) -> list[tuple[str, Record]]:
        rows = self._ask(
            'SELECT id, record FROM trialbook_request WHERE study = %s ORDER BY id COLLATE "C"', self._study
        )
        return [(request, json.loads(text)) for request, text in rows]

    def remove(self, request: str) -> None:
        self._ask("DELETE FROM trialbook_request WHERE id = %s RETURNING id", request)


def _read(path: Path) -> Record:
    """The record in a file; an empty one if the file is damaged, or was removed just now."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _sync(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
