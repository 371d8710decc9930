"""Studies in the memory of this process, for tests and for searches that leave no files.

Several coordinators of this process may share one, as threads.
"""

import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from optuna.storages.journal import BaseJournalBackend

from search.errors import StudyConflict
from search.storage.base import Lock, Membership, Problem, Record, RecordLog, Result
from search.storage.requests import MemoryRequests


class MemoryStore:
    """Studies that end with the process. See `search.storage.base.StudyStore`."""

    def __init__(self) -> None:
        self._records: dict[str, list[Record]] = {}
        self._alone: set[str] = set()  # studies that one writer holds
        self._sharers: Counter[str] = Counter()
        self._members: dict[str, set[str]] = {}
        self._exclusive: dict[str, threading.RLock] = {}
        self._requests: dict[str, dict[str, str]] = {}

    def names(self) -> list[str]:
        return sorted(self._records)

    def strays(self) -> list[str]:
        return []

    def exists(self, name: str) -> bool:
        return name in self._records

    def create(self, name: str, records: Sequence[Record]) -> None:
        self._records.setdefault(name, json.loads(json.dumps(list(records))))

    def open(self, name: str) -> "MemoryRecords":
        return MemoryRecords(self._records[name])

    def lock(self, name: str, shared: bool = False) -> Lock:
        if name in self._alone or (self._sharers[name] and not shared):
            raise StudyConflict(f"study {name!r} is being searched by {self.holder(name)}")
        if shared:
            self._sharers[name] += 1
        else:
            self._alone.add(name)
        return _MemoryLock(lambda: self._release(name, shared))

    def holder(self, name: str) -> str | None:
        return "this process" if name in self._alone or self._sharers[name] else None

    def join(self, name: str) -> Membership:
        members = self._members.setdefault(name, set())
        return _Member(members, self._exclusive.setdefault(name, threading.RLock()))

    def requests(self, name: str) -> MemoryRequests:
        return MemoryRequests(self._requests.setdefault(name, {}))

    def where(self, name: str) -> str:
        return f"study {name!r} in memory"

    def way_back(self, name: str, is_whole: Callable[[RecordLog], bool]) -> str:
        return ""

    def keep_copy(self, name: str) -> None:
        """Do nothing: these studies are not meant to last."""

    def problems(self, name: str) -> Iterator[Problem]:
        return iter(())

    def files(self, name: str) -> list[Path]:
        return []

    def content(self, name: str) -> bytes:
        return json.dumps(self._records[name], ensure_ascii=False).encode(errors="surrogatepass")

    def _release(self, name: str, shared: bool) -> None:
        if shared:
            self._sharers[name] -= 1
        else:
            self._alone.discard(name)


class MemoryRecords(BaseJournalBackend):
    """The records of a study in memory. Own ones are known at once, others' after `refresh`."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._known = len(records)

    def read_logs(self, log_number_from: int) -> Iterable[Record]:
        return self._records[log_number_from : self._known]

    def append_logs(self, logs: list[Record]) -> None:
        self._records += json.loads(json.dumps(logs))
        self._known = len(self._records)

    def refresh(self) -> None:
        self._known = len(self._records)

    def commit(self) -> None:
        """Do nothing: nothing outlives the process."""


class _MemoryLock:
    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def close(self) -> None:
        release, self._release = self._release, None
        if release:
            release()

    def __enter__(self) -> "_MemoryLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Member:
    """A coordinator among others of this process, which all live as long as it does."""

    def __init__(self, members: set[str], exclusive: "threading.RLock") -> None:
        self.coordinator = str(uuid.uuid4())
        self._members, self._exclusive = members, exclusive

    def renew(self) -> None:
        self._members.add(self.coordinator)

    def alive(self) -> set[str]:
        return set(self._members)

    def exclusive(self, do: Callable[[], Result]) -> Result:
        with self._exclusive:
            return do()
