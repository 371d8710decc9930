"""The service as one application: its routes and pages, its errors, and the limits of every request."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

import data
from search import __version__
from search.client.models import NOT_YET, Problem
from search.errors import NoWinner, StoreError, StudyConflict, TrialbookError, UsageError
from search.services.queue.tables import cause
from search.services.web import changes, docs, pages, routes, templating
from search.services.web.auth import Denied, Guard, policy
from search.services.web.service import NotFound, Service, mistake

MAX_BODY = 64 * 1024  # bytes of a request
TICK_SECONDS = 0.5  # between two looks at the running searches
HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send the Origin "null" with forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATUSES: dict[type[Exception], tuple[int, str]] = {
    NotFound: (404, "Not found"),
    NoWinner: (404, NOT_YET),
    UsageError: (422, "Not valid"),
    data.DataError: (422, "Not valid"),
    StudyConflict: (409, "Not possible now"),
    StoreError: (503, "Not available"),
    SQLAlchemyError: (503, "Not available"),
    OSError: (503, "Not available"),
    TrialbookError: (500, "Failed"),
}
FOR_PROGRAMS = ("/api", "/metrics", "/healthz", "/openapi.json")  # other addresses are pages
TITLES = {
    400: "Not valid",
    413: "Too large",
    401: "No valid token",
    403: "Not allowed",
    429: "Too many requests",
}
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def application(service: Service) -> FastAPI:
    """The application of a service. While it runs, the queue moves on and streams are served."""
    app = FastAPI(
        title="Trialbook",
        version=__version__,
        summary="A queue of searches for hyperparameters, shared by a class or a team.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lambda app: _running(service),
    )
    app.state.service = service
    for each in (routes, changes, pages, templating, docs):
        app.include_router(each.ROUTER)
    docs.describe(app, service)
    for error in (*STATUSES, Denied, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(error, _answer)
    app.add_middleware(Gate, guard=service.guard)
    return app


class Server(uvicorn.Server):
    """Serves the application of a service, and ends its streams before it waits for all answers to end."""

    def __init__(self, service: Service, **options: Any) -> None:
        super().__init__(
            uvicorn.Config(
                application(service),
                log_level="warning",
                access_log=False,  # addresses may hold what persons look at
                server_header=False,
                timeout_graceful_shutdown=1,  # second
                **options,
            )
        )
        self._feeds = service.feeds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._feeds.end()
        await super().shutdown(sockets)


@contextlib.asynccontextmanager
async def _running(service: Service) -> AsyncIterator[None]:
    """Let the queue move on, in a thread, and watch studies, until the application ends."""
    ends = threading.Event()

    def work() -> None:
        while not ends.wait(TICK_SECONDS):
            service.runner.tick()

    thread = threading.Thread(target=work, name="runner")
    thread.start()
    watching = asyncio.create_task(service.feeds.watch())
    try:
        yield
    finally:
        ends.set()
        watching.cancel()
        await asyncio.to_thread(thread.join)


class Gate:
    """What holds for every request: its size, its Host and Origin, and the headers of its answer."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                named = {name.lower() for name, _ in message["headers"]}
                extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(each for each in extra if each[0] not in named)]
            await send(message)

        try:
            host, origin, length = (_header(scope, name) for name in (b"host", b"origin", b"content-length"))
            self._guard.check_origin(scope["method"], host or "", origin)
            body = await _body(receive, length or "")
        except Denied as error:
            title = TITLES.get(error.status, "Not allowed")
            answer = refusal(Request(scope), error.status, title, error.detail)
            await answer(scope, receive, send_with_headers)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send_with_headers)


def _header(scope: Scope, name: bytes) -> str | None:
    """The value of a header; None if it is missing. Raises Denied if there are several."""
    values: list[str] = [value.decode("latin-1") for each, value in scope["headers"] if each == name]
    if len(values) > 1:
        raise Denied(400, f"the header {name.decode()} came {len(values)} times: send it once")
    return values[0] if values else None


async def _body(receive: Receive, length: str) -> bytes | None:
    """The body of a request; None if its sender went away. Raises Denied if it is too large."""
    too_large = Denied(413, f"the request has more than {MAX_BODY:,} bytes, which is the most")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise too_large
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise too_large
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read, and then what comes after it."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> MutableMapping[str, Any]:
        return parts.pop() if parts else await receive()

    return replayed


def problem(status: int, title: str, detail: str) -> Response:
    """An error as the API answers it: one sentence says what was wrong, and what is valid."""
    content = Problem(title=title, status=status, detail=templating.shown(detail))
    headers = (
        {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": "60"} if status == 429 else {}
    )
    return JSONResponse(content.model_dump(), status, headers, "application/problem+json")


def refusal(request: Request, status: int, title: str, detail: str) -> Response:
    """An error as whoever asks reads it: programs as a problem, people as a page."""
    if request.url.path.startswith(FOR_PROGRAMS) or templating.wants_json(request):
        return problem(status, title, detail)
    return templating.error_page(request, status, title, detail)


async def _answer(request: Request, error: Exception) -> Response:
    """The answer to a request that failed."""
    match error:
        case Denied():
            return refusal(request, error.status, TITLES.get(error.status, "Not allowed"), error.detail)
        case RequestValidationError():
            return refusal(request, 422, "Not valid", mistake(error.errors()))
        case HTTPException():
            title = {404: "Not found", 405: "Not allowed"}.get(error.status_code, "Failed")
            detail = f"{request.method} {request.url.path}: {error.detail}"
            answer = refusal(request, error.status_code, title, detail)
            answer.headers.update(error.headers or {})
            return answer
        case SQLAlchemyError():
            return refusal(request, 503, "Not available", f"the queue cannot be reached: {cause(error)}")
    for kind, (status, title) in STATUSES.items():
        if isinstance(error, kind):
            return refusal(request, status, title, str(error))
    return refusal(request, 500, "Failed", "a fault of this program: its log says where")
