"""The API explained: its OpenAPI document at /openapi.json, and pages of it at /docs that need no network."""

import functools
import gzip
import importlib.metadata
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi

from search.services.web import templating
from search.services.web.service import NotFound, Service

FILES = Path(fastapi_offline.__file__).parent / "static"
TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}  # Swagger UI's files
VERSION = importlib.metadata.version("fastapi-offline")
TAGS = {
    "queue": "Tasks, and searches of them",
    "results": "What a search found",
    "changes": "What a person may change in a search",
    "machines": "For load balancers and Prometheus",
}
DESCRIPTION = """A student sees and changes her own searches, staff all of them.

Errors are problem documents (RFC 9457): `detail` says in one sentence what was wrong, and what is valid.
`Idempotency-Key` makes a repeated POST of a search one search. Times are in UTC.

`search.client` is the same from Python: `from search.client import Client`."""
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
BEARER = {"type": "http", "scheme": "bearer", "description": "the token that `make token NAME=login` printed"}
PUBLIC = "/healthz"
ROUTER = APIRouter(include_in_schema=False)


@ROUTER.get("/docs")
def docs() -> Response:
    """The pages of the API."""
    return templating.render("docs", version=VERSION)


@functools.cache
def _file(name: str) -> bytes:
    return gzip.compress((FILES / name).read_bytes(), 9, mtime=0)


@ROUTER.get("/static/docs/{name}")
def static(name: str) -> Response:
    """A file of Swagger UI. Raises NotFound."""
    if name not in TYPES:
        raise NotFound(f"there is no file {name[:60]!r}")
    headers = {"Cache-Control": templating.YEAR, "Content-Encoding": "gzip"}
    return Response(_file(name), headers=headers, media_type=TYPES[name])


def describe(app: FastAPI, service: Service) -> None:
    """Let an application answer with the complete document of its API."""

    @functools.cache
    def document() -> dict[str, Any]:
        return _document(app, needs_token=service.guard.tokens is not None)

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to replace it


def _document(app: FastAPI, needs_token: bool) -> dict[str, Any]:
    """The OpenAPI document: FastAPI's, with what it cannot know."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    if needs_token:
        document["components"]["securitySchemes"] = {"token": BEARER}
        document["security"] = [{"token": []}]
        document["paths"][PUBLIC]["get"]["security"] = []
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what FastAPI does not know of an operation: its part, its first sentence, its errors."""
    operation["tags"] = [_tag(path, method)]
    sentence, _, rest = operation.pop("description").partition(". ")
    operation["summary"] = sentence.rstrip(".")
    if rest:
        operation["description"] = rest
    for status, response in operation["responses"].items():
        if path == PUBLIC and status == "503":
            response["content"] = {"text/plain": {"schema": {"type": "string"}}}
        elif int(status) >= 400:
            response["content"] = PROBLEM
    if path == PUBLIC:
        operation["responses"] = {each: operation["responses"][each] for each in ("200", "503")}


def _tag(path: str, method: str) -> str:
    """The part of the API to which an operation belongs."""
    if not path.startswith("/api/"):
        return "machines"
    if "/{id}/" not in path:
        return "queue"
    return "results" if method == "get" else "changes"
