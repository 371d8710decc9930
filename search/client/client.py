"""A client of the search service: start a search, wait for it, fetch what it found.

All methods raise Trialbook's errors (`search.errors`), with the service's own sentence.
"""

import io
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from search.client import models
from search.client.http import Connection
from search.client.models import Accepted, Detail, Event, Search, State, Task, Trial, Value, Winner
from search.errors import TrialbookError, UsageError
from search.primitives.text import readable

if TYPE_CHECKING:  # pandas takes long to import: only when a table is made
    from pandas import DataFrame

Model = TypeVar("Model", bound=BaseModel)

PATIENCE = 60.0  # seconds in which a lost connection is tried again
NO_TRIALS = "999999999999.0"  # the id of an event after those of all trials


class SearchFailed(TrialbookError):
    """A search that was waited for ended with an error."""


class Client:
    """The search service at an address.

    Args:
        address: http://host:port.
        token: who asks, as `make token` printed it; a service on 127.0.0.1 needs none.
        patience: seconds in which a lost connection is tried again.
    """

    def __init__(self, address: str, token: str | None = None, *, patience: float = PATIENCE) -> None:
        self._connection = Connection(address, token, patience)

    def __repr__(self) -> str:
        return f"Client({self.address!r})"

    @property
    def address(self) -> str:
        """The address of the service."""
        return self._connection.address

    def tasks(self) -> list[Task]:
        """All tasks: what they ask, their sources of data, and the ranges that a search covers."""
        return TypeAdapter(list[Task]).validate_json(self._connection.get("/api/tasks").content)

    def searches(self, state: State | str | None = None, owner: str | None = None) -> list[Search]:
        """One's own searches, or those of all for staff; the newest first."""
        answer = self._connection.get("/api/searches", state=state, owner=owner)
        return TypeAdapter(list[Search]).validate_json(answer.content)

    def search(
        self,
        task: str,
        *,
        data: str | None = None,
        trials: int | None = None,
        timeout: float | None = None,
        threshold: float | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> "Run":
        """Queue a search: once, also if the connection is lost meanwhile.

        Args:
            task: its name, one of `tasks()`.
            data: one of the task's sources.
            trials, timeout: limits, the latter in seconds; without either, 300 seconds.
            threshold: stop once a score is reached with 95%.
            seed: all seeds of the study derive from it.
            name: of the study, after its owner's; by default the task's and a number.
        """
        request = checked(
            models.SearchRequest,
            task=task,
            data=data,
            trials=trials,
            timeout=timeout,
            threshold=threshold,
            seed=seed,
            name=name,
        )
        answer = self._connection.post("/api/searches", request, key=str(uuid.uuid4()))
        return Run(self._connection, Search.model_validate_json(answer.content).id)

    def run(self, id: int) -> "Run":
        """A search that was queued before. Raises UsageError if there is none."""
        run = Run(self._connection, id)
        run.refresh()
        return run


class Run:
    """A search of the service.

    Args:
        connection: to the service.
        id: the number of the search.
    """

    def __init__(self, connection: Connection, id: int) -> None:
        self._connection, self.id = connection, id
        self._path = f"/api/searches/{id}"
        self._detail: Detail | None = None

    def __repr__(self) -> str:
        return f"<search {self.id} of {self._connection.address}>"

    @property
    def address(self) -> str:
        """The address of this search in the API."""
        return self._connection.address + self._path

    @property
    def detail(self) -> Detail:
        """The search and its history, as they were when last asked for: see `refresh`."""
        return self._detail or self.refresh()

    def refresh(self) -> Detail:
        """The search and its history, as they are now."""
        self._detail = Detail.model_validate_json(self._connection.get(self._path).content)
        return self._detail

    def wait(self, timeout: float | None = None) -> Detail:
        """Wait until the search is done, failed or cancelled. A service that restarts is waited for.

        Args:
            timeout: seconds to wait at most.

        Raises SearchFailed if it failed, TimeoutError if it goes on after `timeout`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for _ in self._connection.events(f"{self._path}/events", NO_TRIALS, deadline):
            pass
        if self.refresh().state == State.FAILED:
            raise SearchFailed(f"search {self.id} failed: {self.detail.reason}")
        return self.detail

    def events(self, after: str = "") -> Iterator[Event]:
        """What happens in the search, until it has ended. A lost connection is resumed.

        Args:
            after: the id of an event; those up to it are left out.
        """
        return self._connection.events(f"{self._path}/events", after)

    # What it found

    def winner(self) -> Winner:
        """The winner so far, with its uncertainty. Raises NoWinner."""
        return Winner.model_validate_json(self._connection.get(f"{self._path}/winner").content)

    def trials(self) -> list[Trial]:
        """All trials by number."""
        answer = self._connection.get(f"{self._path}/trials")
        return TypeAdapter(list[Trial]).validate_json(answer.content)

    def trials_dataframe(self) -> "DataFrame":
        """All trials as a pandas DataFrame, a row each."""
        import pandas

        text = self._connection.get(f"{self._path}/trials", format="csv").content.decode()
        return pandas.read_csv(io.StringIO(text)) if text else pandas.DataFrame()

    def records(self, after: int = 0) -> bytes:
        """The records of the study after so many of them, as lines of JSON."""
        return self._connection.get(f"{self._path}/records", after=after).content

    def report(self, path: str | Path) -> Path:
        """Write what was learned, as one page. Returns the path. Raises NoWinner."""
        return self._connection.download(f"{self._path}/report", path)

    def script(self, path: str | Path, data: bool = False) -> Path:
        """Write the winner as one script that stands alone. Returns the path. Raises NoWinner.

        Args:
            data: write a zip that also holds the data of the script.
        """
        return self._connection.download(f"{self._path}/script", path, data=data)

    def handin(self, path: str | Path) -> Path:
        """Write the study as one zip to hand in. Returns the path. Raises NoWinner."""
        return self._connection.download(f"{self._path}/handin", path)

    # Changes

    def pause(self) -> Search:
        """Stop the search, so that it can be resumed. Raises StudyConflict."""
        return self._change("pause", Search)

    def resume(self) -> Search:
        """Let it wait for its turn again. Raises StudyConflict."""
        return self._change("resume", Search)

    def cancel(self) -> Search:
        """End it for good. What it found can still be read. Raises StudyConflict."""
        return self._change("cancel", Search)

    def extend(self, *, trials: int | None = None, timeout: float | None = None) -> Search:
        """Raise its limits; a search that is done goes on. Raises UsageError, StudyConflict."""
        return self._change("extend", Search, checked(models.ExtendRequest, trials=trials, timeout=timeout))

    def add_trial(self, params: Mapping[str, Value]) -> Accepted:
        """Let it train a configuration of one's own next. Raises UsageError, StudyConflict.

        Args:
            params: hyperparameters by name; the others take the task's defaults.
        """
        return self._change("trials", Accepted, checked(models.TrialRequest, params=dict(params)))

    def void(self, numbers: Sequence[int], reason: str, restore: bool = False) -> Accepted:
        """Let trials count no longer, or with `restore` count again. Raises UsageError, StudyConflict."""
        request = checked(models.VoidRequest, trials=list(numbers), reason=reason, restore=restore)
        return self._change("void", Accepted, request)

    def _change(self, name: str, kind: type[Model], request: BaseModel | None = None) -> Model:
        return kind.model_validate_json(self._connection.post(f"{self._path}/{name}", request).content)


def checked(kind: type[Model], **values: Any) -> Model:
    """A request of these values. Raises UsageError, which names the first mistake."""
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{where} {readable(repr(first['input']), 60)} is not valid: {first['msg']}"
        ) from None
