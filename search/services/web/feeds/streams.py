"""Streams of what happens in searches. A stream that broke can be resumed after the last event that came."""

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from search.client.models import Progress
from search.errors import TrialbookError
from search.services.queue.queue import ENDED, Queue
from search.services.queue.tables import Search
from search.services.web.feeds.events import Event, EventLog, position
from search.services.web.feeds.summary import Summaries, Summary
from search.storage import StudyStore

SECONDS = 1.0  # between two looks at a study that somebody watches
ALIVE_SECONDS = 15.0  # between two signs of life in a stream in which nothing happens
PROGRESS_SECONDS = 2.0  # between two sums of what a study holds
MAX_STUDIES = 64  # that are kept open


class Feed:
    """A search that is followed: its events, what its study holds now, and whoever watches it.

    Threads may share it.
    """

    def __init__(self, store: StudyStore, name: str) -> None:
        self.log = EventLog(store, name)
        self.watchers = 0
        self.changed = asyncio.Event()
        self.search: Search | None = None  # as it was at the last look
        self.progress: Progress | None = None
        self._unseen = True  # whether `progress` is older than the events
        self._summed = -math.inf  # when it was made
        self._summaries = Summaries(store, name)
        self._lock = threading.RLock()

    def refresh(self) -> bool:
        """Read what was written since. Returns whether there was anything. Raises StoreError."""
        with self._lock:
            return self.log.refresh()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Summary | None]:
        """What the study holds now, while no other thread reads it; None if it was not created yet."""
        with self._lock:
            self.refresh()
            yield self._summaries.of(self.log)

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


@dataclass
class Reader:
    """How far a stream was read: the last record and change of its search, and the latest progress."""

    record: int
    change: int
    progress: Progress | None = None

    def news(self, feed: Feed, search: Search) -> str:
        """The events that came since, as they are sent. They count as read."""
        lines = []
        for event in feed.log.after(self.record):
            self.record = event.record
            lines.append(event.text(self.change))
        for each in search.changes[self.change :]:
            self.change += 1
            lines.append(self._own("state", state=each.state, person=each.person, reason=each.reason))
        if feed.progress is not None and feed.progress is not self.progress:
            self.progress = feed.progress
            lines.append(self._own("progress", **self.progress.model_dump(mode="json")))
        if search.state in ENDED:
            lines.append(self._own("end", state=search.state))
        return "".join(lines)

    def _own(self, kind: str, **data: Any) -> str:
        """An event that is no record of the study."""
        return Event(self.record, kind, data).text(self.change)


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
        reader, feed, asked = Reader(*position(last_id)), self.of(search), time.monotonic()
        feed.watchers += 1
        try:
            await self._look(feed, search)
            while True:
                waker, now = feed.changed, feed.search or search
                if text := reader.news(feed, now):
                    yield text
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
