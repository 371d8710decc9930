"""How pages are made: templates, the files that browsers keep, and errors as pages."""

import functools
import gzip
import hashlib
from pathlib import Path
from typing import Any

import jinja2
import plotly
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from plotly.offline import get_plotlyjs

from search.primitives import redact
from search.primitives.text import duration, readable, settings
from search.services.queue.queue import ENDED
from search.services.web.service import NotFound

FILES = Path(__file__).parent
NAMES = ("page.css", "live.js", "forms.js", "docs.js", "plotly.min.js")
TYPES = {".css": "text/css", ".js": "text/javascript"}
YEAR = "public, max-age=31536000, immutable"  # the address of a file changes with its text
MAX_LETTERS = 600  # of an error
LATEST = 200  # trials on the page of a search: more take long to make, and to show
STEPS = {
    "search": "searching",
    "try": "carrying out what was asked for",
    "export": "freezing the winner",
    "handin": "packing the hand-in",
}
ROUTER = APIRouter(include_in_schema=False)


@functools.cache
def file(name: str) -> bytes:
    """A file of the pages, compressed."""
    text = get_plotlyjs().encode() if name == "plotly.min.js" else (FILES / "static" / name).read_bytes()
    return gzip.compress(text, 9, mtime=0)


@functools.cache
def address(name: str) -> str:
    """The address of a file of the pages. Its version is a part of it, so that browsers may keep it."""
    if name == "plotly.min.js":
        return f"/static/{name}?v={plotly.__version__}"
    return f"/static/{name}?v={hashlib.sha256((FILES / 'static' / name).read_bytes()).hexdigest()[:12]}"


TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FILES / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals |= {"address": address, "STEPS": STEPS, "ENDED": ENDED, "LATEST": LATEST}
TEMPLATES.filters |= {"duration": duration, "settings": settings}


def render(name: str, status: int = 200, **values: Any) -> Response:
    """A page. No text can hold half of a UTF-16 pair, which JSON may bring."""
    text = TEMPLATES.get_template(f"{name}.html").render(values)
    return HTMLResponse(text.encode(errors="xmlcharrefreplace"), status)


def error_page(request: Request, status: int, title: str, detail: str) -> Response:
    """An error as a page says it; who has no valid token is led to the login."""
    if status == 401:
        return RedirectResponse(f"/login?next={request.url.path}", 303)
    return render("error", status, code=status, title=title, detail=shown(detail), person=None, local=True)


def shown(error: object) -> str:
    """An error as people may read it: in one line, without passwords."""
    return readable(redact.redacted(str(error)), MAX_LETTERS)


def wants_json(request: Request) -> bool:
    """Whether the script of a page asks: it shows what was said in its place."""
    return "application/json" in request.headers.get("accept", "")


@ROUTER.get("/static/{name}")
def static(name: str) -> Response:
    """A file of the pages. Raises NotFound."""
    if name not in NAMES:
        raise NotFound(f"there is no file {name[:60]!r}")
    headers = {"Cache-Control": YEAR, "Content-Encoding": "gzip"}
    return Response(file(name), headers=headers, media_type=TYPES[Path(name).suffix])
