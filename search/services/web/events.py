"""What happens in a search, as a stream of events that can be resumed.

The records of a study are its events, so they have the same numbers after any restart. Changes of the
search's state come between them. An event's id is "RECORD.CHANGE": the numbers of the last of both.
"""

import asyncio
import bisect
import contextlib
import json
import logging
import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from search.client.models import Progress
from search.errors import TrialbookError
from search.services.queue.queue import ENDED, Queue
from search.services.queue.tables import Search
from search.services.web.summary import Summary
from search.storage import StudyStore
from search.storage.base import Record, RecordLog
from search.study.stored import StoredStudy
from search.study.trial import VOID_KEY

SECONDS = 1.0  # between two looks at a study that somebody watches
ALIVE_SECONDS = 15.0  # between two signs of life in a stream in which nothing happens
PROGRESS_SECONDS = 2.0  # between two sums of what a study holds
MAX_STUDIES = 64  # that are kept open
OF_STUDY, OF_TRIAL = 2, 8  # kinds of Optuna's records: an attribute


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        record: the number of the study's records up to here.
        kind: started, epoch, paused, resumed, ended or void, of a trial; state, of the search; progress,
            which sums up; end, the last one.
    """

    record: int
    kind: str
    data: dict[str, Any]

    def text(self, change: int) -> str:
        """The event as it is sent. `change` is the number of the search's changes up to here."""
        return f"id: {self.record}.{change}\nevent: {self.kind}\ndata: {json.dumps(self.data)}\n\n"


def position(text: str | None) -> tuple[int, int]:
    """The numbers in an event's id; zeros for none, and for text that is no id."""
    match = re.fullmatch(r"(\d{1,12})\.(\d{1,12})", text or "", re.ASCII)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def happened(record: Record) -> tuple[str, dict[str, Any]] | None:
    """What a record of a study says happened; None if it is a part of something else."""
    name: str
    value: Any
    [(name, value)] = record.get("user_attr", {"": None}).items()
    trial: dict[str, Any] = {"trial": record.get("trial_id")}
    if record["op_code"] == OF_STUDY:
        return ("void", value) if name.startswith(VOID_KEY) else None
    if record["op_code"] != OF_TRIAL:
        return None
    if name == "about":
        return "started", trial | {"why": value["proposal"], "config": value["config"]}
    if name.startswith("epoch "):
        return "epoch", trial | value
    if name == "paused":
        return ("resumed" if value is None else "paused"), trial
    return ("ended", trial | value) if name == "outcome" else None


@dataclass
class Feed:
    """A study that is followed: its events, and what it holds now. Threads may share it."""

    store: StudyStore
    name: str
    events: list[Event] = field(default_factory=list)
    n_records: int = 0
    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    search: Search | None = None  # as it was at the last look
    progress: Progress | None = None
    _unseen: bool = True  # whether `progress` is older than the events
    _summed: float = -math.inf  # when it was made
    _log: RecordLog | None = None
    _study: StoredStudy | None = None
    _summary: Summary | None = None
    _n_void: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def refresh(self) -> bool:
        """Read what was written since. Returns whether there was anything. Raises StoreError."""
        with self._lock:
            if self._log is None:
                if not self.store.exists(self.name):
                    return False
                self._log = self.store.open(self.name)
            self._log.refresh()
            before = self.n_records
            for record in self._log.read_logs(self.n_records):
                self.n_records += 1
                if found := happened(record):
                    self.events.append(Event(self.n_records, *found))
            if self.n_records > before:
                self._summary = None
            return self.n_records > before

    def summary(self) -> Summary | None:
        """What the study holds now; None if it was not created yet. Hold `exclusive` while reading it."""
        with self._lock:
            self.refresh()
            if self._log is None:
                return None
            n_void = sum(event.kind == "void" for event in self.events)
            if self._study is None or n_void != self._n_void:  # other trials count than before
                # Of the same records: what they do not hold yet, a database is not asked for.
                self._study, self._n_void = StoredStudy(self.store, self.name, self._log), n_void
            if self._summary is None:
                self._summary = Summary(self._study)
            return self._summary

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Summary | None]:
        """What the study holds now, while no other thread reads it."""
        with self._lock:
            yield self.summary()

    def look(self, search: Search) -> bool:
        """Read what was written since, and sum it up. Returns whether anything is new. Raises StoreError."""
        is_new = self.refresh()
        if self.search is None or self.search.changes[-1].id != search.changes[-1].id:
            is_new = True
        self.search = search
        self._unseen |= is_new
        if self._unseen and time.monotonic() > self._summed + PROGRESS_SECONDS:
            self.progress, self._unseen, self._summed = self._sum_up(search), False, time.monotonic()
            return True
        return is_new

    def _sum_up(self, search: Search) -> Progress:
        with self.exclusive() as summary:
            return summary.progress(search) if summary else Progress(expected_end=search.expected_end)


class Feeds:
    """The studies that are read or watched, the latest last.

    Args:
        queue: of the searches.
        store: of their studies.
    """

    def __init__(self, queue: Queue, store: StudyStore) -> None:
        self.queue, self.store = queue, store
        self._feeds: OrderedDict[int, Feed] = OrderedDict()  # by the number of the search
        self._lock = threading.Lock()
        self._ended = False

    def end(self) -> None:
        """End all streams, as the service ends: their readers come back to the next one.

        Call it in the thread that serves them.
        """
        self._ended = True
        for feed in self._feeds.values():
            feed.changed.set()

    def of(self, search: Search) -> Feed:
        """The feed of a search."""
        with self._lock:
            feed = self._feeds.pop(search.id, None) or Feed(self.store, search.study)
            self._feeds[search.id] = feed
            idle = [each for each, held in self._feeds.items() if not held.watchers and each != search.id]
            for each in idle[: max(0, len(self._feeds) - MAX_STUDIES)]:
                del self._feeds[each]
            return feed

    def n_watchers(self) -> int:
        """The number of open streams."""
        return sum(feed.watchers for feed in self._feeds.values())

    async def watch(self) -> None:
        """Read the watched studies again and again, and wake their streams if anything is new."""
        while True:
            watched = {number: feed for number, feed in self._feeds.items() if feed.watchers}
            with contextlib.suppress(SQLAlchemyError):  # the database is away: streams wait for it
                for search in await asyncio.to_thread(self.queue.these, list(watched)):
                    await self._look(watched[search.id], search)
            await asyncio.sleep(SECONDS)

    @staticmethod
    async def _look(feed: Feed, search: Search) -> None:
        try:
            if await asyncio.to_thread(feed.look, search):
                feed.changed.set()
                feed.changed = asyncio.Event()
        except (TrialbookError, OSError):
            pass  # the study is away, or damaged: pages say so
        except Exception:  # of one study: the others are watched on
            logging.getLogger(__name__).exception("The events of search %s stop.", search.id)

    async def stream(
        self, search: Search, last_id: str | None, allowed: Callable[[], bool]
    ) -> AsyncIterator[str]:
        """The events of a search after one of them, until the search has ended.

        Args:
            search: with its changes.
            last_id: the id of the last event that the reader has.
            allowed: whether the reader may still read it; asked now and then.
        """
        (record, change), shown, feed = position(last_id), None, self.of(search)
        feed.watchers += 1
        asked = time.monotonic()
        try:
            await self._look(feed, search)
            while True:
                waker, now = feed.changed, feed.search or search
                lines = []
                for event in _after(feed.events, record):
                    record = event.record
                    lines.append(event.text(change))
                for each in now.changes[change:]:
                    change += 1
                    data = {"state": each.state, "person": each.person, "reason": each.reason}
                    lines.append(Event(record, "state", data).text(change))
                if feed.progress is not None and feed.progress is not shown:
                    shown = feed.progress
                    lines.append(Event(record, "progress", shown.model_dump(mode="json")).text(change))
                if now.state in ENDED:
                    lines.append(Event(record, "end", {"state": now.state}).text(change))
                if lines:
                    yield "".join(lines)
                if now.state in ENDED or self._ended:
                    return
                try:
                    await asyncio.wait_for(waker.wait(), ALIVE_SECONDS)
                except TimeoutError:
                    yield ": alive\n\n"
                if time.monotonic() > asked + ALIVE_SECONDS:
                    if not await asyncio.to_thread(allowed):
                        return
                    asked = time.monotonic()
        finally:
            feed.watchers -= 1


def _after(events: list[Event], record: int) -> list[Event]:
    """The events after a record."""
    return events[bisect.bisect_right(events, record, key=lambda event: event.record) :]
