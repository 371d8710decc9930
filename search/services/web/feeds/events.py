"""What happens in a study, read from its records.

The records of a study are its events, so they have the same numbers after any restart. Changes of the
search's state come between them. An event's id is "RECORD.CHANGE": the numbers of the last of both.
"""

import bisect
import json
import re
from dataclasses import dataclass
from typing import Any

from search.storage import StudyStore
from search.storage.base import Record, RecordLog
from search.study.trial import VOID_KEY

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


class EventLog:
    """The events of a study so far, which need not exist yet. One thread at a time may refresh it."""

    def __init__(self, store: StudyStore, name: str) -> None:
        self.events: list[Event] = []
        self.n_records = 0
        self._store, self._name = store, name
        self.records: RecordLog | None = None  # of a study that exists

    def refresh(self) -> bool:
        """Read what was written since. Returns whether there was anything. Raises StoreError."""
        if self.records is None:
            if not self._store.exists(self._name):
                return False
            self.records = self._store.open(self._name)
        self.records.refresh()
        before = self.n_records
        for record in self.records.read_logs(self.n_records):
            self.n_records += 1
            if found := happened(record):
                self.events.append(Event(self.n_records, *found))
        return self.n_records > before

    def count(self, kind: str) -> int:
        """The number of events of a kind."""
        return sum(event.kind == kind for event in list(self.events))

    def after(self, record: int) -> list[Event]:
        """The events after a record."""
        return self.events[bisect.bisect_right(self.events, record, key=lambda event: event.record) :]
