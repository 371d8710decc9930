"""What all routes and pages share: the queue, the studies, the guard, and how they are shown."""

import datetime
import functools
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy.exc import SQLAlchemyError

import objectives
from search import tasks
from search.client import models
from search.client.models import State
from search.errors import TrialbookError
from search.primitives import redact
from search.primitives.text import readable
from search.services.queue import process
from search.services.queue.queue import Queue
from search.services.queue.runner import Runner
from search.services.queue.tables import Search, cause, now
from search.services.web.auth import Guard
from search.services.web.feeds.streams import Feeds
from search.storage import StudyStore


class NotFound(TrialbookError):
    """There is no such thing, or it is another person's."""


@dataclass(frozen=True)
class Service:
    """The parts of the service.

    Attributes:
        task_code: a task's code changes the state of the process, so that one thread at a time may run it.
        mlflow: gives the address of a study's trials in MLflow's pages, by its task and its name.
    """

    queue: Queue
    feeds: Feeds
    runner: Runner
    guard: Guard
    store: StudyStore
    task_code: threading.Lock = field(default_factory=threading.Lock)
    mlflow: Callable[[str, str], str | None] = lambda task, study: None

    def tasks(self) -> list[models.Task]:
        """All tasks, as they were when they were first asked for."""
        with self.task_code:
            return [_task(name) for name in objectives.names()]

    def shown(self, searches: Sequence[Search]) -> list[models.Search]:
        """Searches as the API shows them, with the expected start of those that wait."""
        waiting = any(search.state == State.QUEUED for search in searches)
        expected = self.queue.expected(self.runner.slots()) if waiting else {}
        before = {number: position for position, number in enumerate(expected)}
        shown = [models.Search.model_validate(search) for search in searches]
        for each in shown:
            if each.id in expected:
                each.before = before[each.id]
                start = now() + datetime.timedelta(seconds=expected[each.id])
                each.expected_start = start.replace(tzinfo=datetime.UTC)
        return shown

    def detail(self, search: Search) -> models.Detail:
        """A search with its history."""
        folder = process.folder(search.id)
        done = search.state == State.DONE
        return models.Detail(
            **self.shown([search])[0].model_dump(),
            changes=[models.Change.model_validate(change) for change in search.changes],
            has_script=done and (folder / "export" / f"{search.task}.py").exists(),
            has_handin=done and (folder / "handin" / f"{search.study}-handin.zip").exists(),
            mlflow=self.mlflow(search.task, search.study),
        )

    def fault(self) -> str:
        """Why the service does not work; "" if it works."""
        try:
            self.queue.used()
        except SQLAlchemyError as error:
            return f"the queue cannot be read: {redact.redacted(cause(error))}"
        return process.fault() or self.runner.fault

    def metrics(self) -> bytes:
        """Figures of the whole service in Prometheus's format. They name nobody."""
        registry = CollectorRegistry()
        searches = self.queue.all()
        states = Gauge("trialbook_searches", "Searches by state", ["state"], registry=registry)
        counts = Counter(search.state for search in searches)
        for state in State:
            states.labels(state).set(counts[state])
        for name, meaning, value in (
            ("persons", "Persons who own a search", len({search.owner for search in searches})),
            ("trainers", "Trainers that work now", sum(search.jobs for search in searches if search.started)),
            ("core_seconds", "Core-seconds of all searches", sum(search.core_seconds for search in searches)),
            ("watched", "Event streams that are open", self.feeds.n_watchers()),
            ("up", "Whether the service works", float(not self.fault())),
        ):
            Gauge(f"trialbook_{name}", meaning, registry=registry).set(value)
        text: bytes = prometheus_client.generate_latest(registry)
        return text


@functools.cache
def _task(name: str) -> models.Task:
    """A task as the API shows it."""
    try:
        task = tasks.find(name)
        defaults = tasks.baseline(task)
        return models.Task(
            name=name,
            question=tasks.question_of(task),
            metric=task.METRIC,
            direction=task.DIRECTION,
            sources=list(task.DATA.SOURCES),
            default_source=tasks.default_source(task),
            ranges=[
                models.Range(name=each, range=tasks.describe(range_), default=defaults.get(each))
                for each, range_ in tasks.ranges(task).items()
            ],
        )
    except TrialbookError as error:
        return models.Task(name=name, question="", problem=str(error))


def mistake(errors: Sequence[Mapping[str, Any]]) -> str:
    """The first mistake of a request, as pydantic lists them: where, the value, and the rule."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    seen = readable(repr(first.get("input")), 60)
    more = len(errors) - 1
    message = f"{where or 'the request'} {seen} is not valid: {first['msg']}"
    return message + (f" (and {more} more)" if more else "")
