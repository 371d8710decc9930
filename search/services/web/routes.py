"""The API of what can be read: a function for each route.

A route reads the queue or a study. A search of another person is not found.
"""

import io
import json
import secrets
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import prometheus_client
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, StreamingResponse
from sqlalchemy.exc import SQLAlchemyError

from search.client import models
from search.client.models import State
from search.errors import NoWinner
from search.reports import page
from search.reports.report import report as report_of
from search.reports.trials_table import trials_csv
from search.services.queue import process
from search.services.queue.tables import Search
from search.services.web.auth import COOKIE, Denied, Person, policy
from search.services.web.feeds.streams import Feed
from search.services.web.service import NotFound, Service

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": models.Problem, "content": {"application/problem+json": {}}, "description": text}
    for status, text in (
        (400, "the request cannot be read"),
        (401, "no valid token"),
        (403, "not allowed"),
        (404, "not found"),
        (409, "not possible in this state"),
        (413, "the request is too large"),
        (422, "a value is not valid"),
        (429, "too many wrong tokens"),
        (503, "a database, a disk or a study is not available"),
    )
}
ROUTER = APIRouter(responses=PROBLEMS)


def content(*types: str) -> dict[int | str, dict[str, Any]]:
    """What an answer may be, for the document of the API."""
    return {200: {"content": {each: {"schema": {"type": "string"}} for each in types}}}


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    return cast(Service, request.app.state.service)


Here = Annotated[Service, Depends(service_of)]


def person_of(request: Request, service: Here) -> Person:
    """Who sent a request. Raises Denied."""
    address = request.client.host if request.client else ""
    return service.guard.person(request.headers.get("authorization"), request.cookies.get(COOKIE), address)


Asking = Annotated[Person, Depends(person_of)]


def search_of(id: int, service: Here, person: Asking) -> Search:
    """The search that a route names, if it is the person's to see. Raises NotFound."""
    search = service.queue.find(id) if id < 2**31 else None
    if search is None or not person.may_see(search.owner):
        raise NotFound(f"there is no search {id} of yours: see /api/searches")
    return search


Found = Annotated[Search, Depends(search_of)]


# Tasks, and the queue


@ROUTER.get("/api/tasks")
def tasks(service: Here, person: Asking) -> list[models.Task]:
    """All tasks: what they ask, their sources of data, and the ranges that a search covers."""
    return service.tasks()


@ROUTER.get("/api/searches")
def searches(
    service: Here,
    person: Asking,
    state: Annotated[State | None, Query(description="only those in this state")] = None,
    owner: Annotated[str | None, Query(max_length=100, description="only those of this person")] = None,
) -> list[models.Search]:
    """The searches of the person who asks, or of all for staff; the newest first."""
    if person.role != "staff":
        if owner not in (None, person.name):
            return []
        owner = person.name
    return service.shown(service.queue.all(owner, state))


@ROUTER.get("/api/searches/{id}")
def search(search: Found, service: Here) -> models.Detail:
    """A search with its history."""
    return service.detail(search)


# What a search found


def _feed(search: Found, service: Here) -> Feed:
    return service.feeds.of(search)


Followed = Annotated[Feed, Depends(_feed)]


@ROUTER.get("/api/searches/{id}/trials", responses=content("text/csv"), response_model=list[models.Trial])
def trials(
    search: Found, feed: Followed, format: Annotated[str, Query(pattern="^(json|csv)$")] = "json"
) -> Any:
    """All trials of a search by number, as JSON or as CSV."""
    with feed.exclusive() as summary:
        if format == "json":
            return summary.trials if summary else []
        text = trials_csv(summary.study) if summary else ""
    headers = {"Content-Disposition": f'attachment; filename="{search.study}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@ROUTER.get("/api/searches/{id}/progress")
def progress(search: Found, feed: Followed) -> models.Progress:
    """How a search stands: its trials by kind, and the winner so far."""
    with feed.exclusive() as summary:
        return summary.progress(search) if summary else models.Progress(expected_end=search.expected_end)


@ROUTER.get("/api/searches/{id}/winner")
def winner(search: Found, feed: Followed) -> models.Winner:
    """The winner so far, with its uncertainty and the odds that more time finds a better one."""
    with feed.exclusive() as summary:
        if summary is None:
            raise NoWinner(f"search {search.id} has no trial yet")
        return summary.winner(search)


@ROUTER.get("/api/searches/{id}/records", response_class=Response, responses=content("application/x-ndjson"))
def records(search: Found, service: Here, after: Annotated[int, Query(ge=0, le=2**31)] = 0) -> Response:
    """The records of the study after so many of them, one a line, so that a copy can follow it."""

    def lines() -> Iterator[str]:
        for record in log.read_logs(after) if log else ():
            yield json.dumps(record) + "\n"

    log = service.store.open(search.study) if service.store.exists(search.study) else None
    return StreamingResponse(lines(), media_type="application/x-ndjson")


@ROUTER.get("/api/searches/{id}/events", response_class=Response, responses=content("text/event-stream"))
async def events(
    request: Request,
    search: Found,
    service: Here,
    last_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)] = None,
    after: Annotated[
        str | None, Query(max_length=40, description="the same, where no header is sent")
    ] = None,
) -> Response:
    """What happens in a search, as server-sent events; after the event of Last-Event-ID, if it is given."""

    def allowed() -> bool:
        try:
            return person_of(request, service).may_see(search.owner)
        except (Denied, SQLAlchemyError) as error:  # without its database the stream waits: it reads nothing
            return not isinstance(error, Denied)

    stream: AsyncIterator[str] = service.feeds.stream(search, last_id or after, allowed)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@ROUTER.get("/api/searches/{id}/report", response_class=HTMLResponse)
def report(search: Found, feed: Followed) -> Response:
    """What the study teaches, as one page. Only its own scripts run."""
    with feed.exclusive() as summary:
        if summary is None:
            raise NoWinner(f"search {search.id} has no trial yet")
        nonce = secrets.token_urlsafe(16)
        text = page.page(report_of(summary.study), nonce)
    return HTMLResponse(text, headers={"Content-Security-Policy": policy(f"'nonce-{nonce}'")})


@ROUTER.get(
    "/api/searches/{id}/script",
    response_class=Response,
    responses=content("text/x-python", "application/zip"),
)
def script(
    search: Found, data: Annotated[bool, Query(description="a zip with its data")] = False
) -> Response:
    """The winner as one script that needs no Trialbook; with `data`, a zip that also holds its data."""
    path = process.folder(search.id) / "export" / f"{search.task}.py"
    _require(search, path, "script")
    if not data:
        return FileResponse(path, media_type="text/x-python; charset=utf-8", filename=path.name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        for each in sorted(path.parent.iterdir()):
            file.write(each, f"{search.study}/{each.name}")
    headers = {"Content-Disposition": f'attachment; filename="{search.study}.zip"'}
    return Response(packed.getvalue(), media_type="application/zip", headers=headers)


@ROUTER.get("/api/searches/{id}/handin", response_class=Response, responses=content("application/zip"))
def handin(search: Found) -> Response:
    """The study as one zip to hand in."""
    path = process.folder(search.id) / "handin" / f"{search.study}-handin.zip"
    _require(search, path, "hand-in")
    return FileResponse(path, media_type="application/zip", filename=path.name)


def _require(search: Search, path: Path, name: str) -> None:
    """Raise NoWinner if a file of a search is not ready."""
    if search.state != State.DONE or not path.exists():
        why = (
            search.reason
            if search.state in (State.DONE, State.FAILED)
            else "it comes once the search is done"
        )
        raise NoWinner(f"search {search.id} is {search.state} and has no {name}: {why}")


# For machines


@ROUTER.get("/healthz", response_class=PlainTextResponse)
def health(service: Here) -> Response:
    """Whether the service works; if not, why."""
    fault = service.fault()
    return PlainTextResponse(fault or "ok", status_code=503 if fault else 200)


@ROUTER.get("/metrics", response_class=PlainTextResponse)
def metrics(service: Here, person: Asking) -> Response:
    """Figures of the whole service in Prometheus's format, for staff."""
    if person.role != "staff":
        raise Denied(403, "the metrics are for staff: use a token of staff")
    return Response(service.metrics(), media_type=prometheus_client.CONTENT_TYPE_LATEST)
