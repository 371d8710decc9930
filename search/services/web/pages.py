"""The service as pages for people: the queue, a search, and the login.

A page is rendered here alone, also while it is looked at: its script asks for it again and takes over what
changed. So each value passes the escaping of the templates. A form works without the script too.
"""

import functools
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from optuna.distributions import CategoricalDistribution
from pydantic import ValidationError

import data
from search import tasks
from search.client import models
from search.client.models import State
from search.errors import TrialbookError, UsageError
from search.services.queue.queue import TAKES_REQUESTS
from search.services.web import changes
from search.services.web.auth import COOKIE, Denied, Person
from search.services.web.routes import Asking, Followed, Found, Here, person_of
from search.services.web.service import Service, mistake
from search.services.web.templating import render, shown, wants_json

ROUTER = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
REFUSED = (TrialbookError, Denied, data.DataError)  # what is said beside a form
MAX_FIELDS = 250
NEXT = r"/(searches/\d{1,10})?"  # where a login may lead: no other site
MAX_AGE = 180 * 86_400  # seconds that a browser keeps a token: a term
SAID = {
    "pause": "The search is asked to pause.",
    "resume": "The search waits for its turn again.",
    "cancel": "The search is cancelled.",
    "extend": "The limits are raised.",
    "trials": "Your configuration is asked for: it is trained next.",
    "void": "This is asked for: the search takes it next.",
}
ACTIONS = {  # what may be asked of a search, and in which states
    "pause": (State.QUEUED, State.SEARCHING),
    "resume": (State.PAUSED, State.FAILED),
    "cancel": (State.QUEUED, State.SEARCHING, State.PAUSED, State.FAILED),
    "extend": TAKES_REQUESTS,
    "trials": TAKES_REQUESTS,
    "void": TAKES_REQUESTS,
}
Asked = TypeVar("Asked", bound=models.Strict)


# Forms


async def fields_of(request: Request) -> dict[str, str]:
    """What was filled into a form; empty fields are left out. Raises UsageError."""
    try:
        pairs = parse_qsl((await request.body()).decode(), max_num_fields=MAX_FIELDS)
    except ValueError:  # too many, or no UTF-8
        raise UsageError(f"the form cannot be read: at most {MAX_FIELDS} fields are valid") from None
    return {name: value.strip() for name, value in pairs if value.strip()}


Fields = Annotated[dict[str, str], Depends(fields_of)]


def asked(model: type[Asked], fields: Mapping[str, Any]) -> Asked:
    """What a form asks for. Raises UsageError."""
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise UsageError(mistake(error.errors())) from None


def typed(text: str) -> Any:
    """A value of a form as a hyperparameter has it: a number, a truth, or a text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def status_of(error: Exception) -> int:
    """The status of a page that says beside its form what was wrong."""
    return error.status if isinstance(error, Denied) else 422


def done(request: Request, address: str, said: str) -> Response:
    """The answer to a form that was accepted."""
    if wants_json(request):
        return JSONResponse({"address": address, "said": said})
    return RedirectResponse(address, 303)


# The queue


@ROUTER.get("/")
def queue(service: Here, person: Asking, owner: str = "", state: str = "") -> Response:
    """The queue, and a form to start a search."""
    return _queue(service, person, owner=owner, state=state)


@ROUTER.post("/")
def start(request: Request, service: Here, person: Asking, fields: Fields) -> Response:
    """Start a search from the form of the queue's page."""
    key = fields.pop("key", None)
    try:
        started = changes.start(asked(models.SearchRequest, fields), service, person, key)
    except REFUSED as error:
        if wants_json(request):
            raise
        return _queue(service, person, status_of(error), error=shown(error), filled=fields)
    return done(request, f"/searches/{started.id}", "The search is in the queue.")


def _queue(service: Service, person: Person, status: int = 200, **values: Any) -> Response:
    values = {"owner": "", "state": "", "error": "", "filled": {}} | values
    seen = service.queue.all(None if person.role == "staff" else person.name)
    owners = sorted({search.owner for search in seen})
    wanted = values["owner"], values["state"]
    kept = [each for each in seen if wanted[0] in ("", each.owner) and wanted[1] in ("", each.state)]
    searches = service.shown(kept)
    before = [each.before for each in searches if each.owner == person.name and each.before is not None]
    return render(
        "queue",
        status,
        searches=searches,
        ended={each.id: _n_ended(service, each) for each in kept if each.state == State.SEARCHING},
        before=min(before, default=None),
        tasks=service.tasks(),
        owners=owners,
        person=person,
        local=service.guard.tokens is None,
        timeout=models.DEFAULT_TIMEOUT,
        **values,
    )


def _n_ended(service: Service, search: Any) -> int:
    """Trials of a running search that have ended; 0 if its study cannot be read now."""
    feed = service.feeds.of(search)
    try:
        feed.refresh()
    except (TrialbookError, OSError):
        return 0
    return feed.log.count("ended")


# A search


@ROUTER.get("/searches/{id}")
def search(search: Found, feed: Followed, service: Here, person: Asking) -> Response:
    """A search: its state, its winner, its plots and trials, and what can be asked of it."""
    return _search(search, feed, service, person)


def _search(
    search: Found,
    feed: Followed,
    service: Service,
    person: Person,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    filled: Mapping[str, str] | None = None,
) -> Response:
    with feed.exclusive() as summary:
        trials = summary.trials if summary else []
        progress = summary.progress(search) if summary else models.Progress(expected_end=None)
        record = feed.log.n_records
    can = {name for name, states in ACTIONS.items() if search.state in states and not search.wanted}
    if summary is None:  # there is no study yet
        can -= {"trials", "void"}
    task = next((each for each in service.tasks() if each.name == search.task), None)
    return render(
        "search",
        status,
        search=service.detail(search),
        trials=trials,
        progress=progress,
        task=task,
        fields=_fields(search.task) if task and not task.problem else [],
        can=can,
        after=f"{record}.{len(search.changes)}",
        person=person,
        local=service.guard.tokens is None,
        errors=errors or {},
        filled=filled or {},
    )


@functools.cache
def _fields(name: str) -> list[dict[str, Any]]:
    """The fields of a form for a configuration of a task."""
    task = tasks.find(name)
    defaults = tasks.baseline(task)
    return [
        {
            "name": each,
            "range": tasks.describe(range_),
            "default": json.dumps(defaults[each]) if each in defaults else "",
            "choices": [(json.dumps(choice), choice) for choice in range_.choices]
            if isinstance(range_, CategoricalDistribution)
            else [],
        }
        for each, range_ in tasks.ranges(task).items()
    ]


@ROUTER.get("/searches/{id}/figures")
def figures(search: Found, feed: Followed) -> Response:
    """The plots of a search, as the page draws them."""
    with feed.exclusive() as summary:
        text = summary.figures if summary else "{}"
    return Response(text, media_type="application/json")


@ROUTER.post("/searches/{id}/{action}")
def act(
    action: Literal["pause", "resume", "cancel", "extend", "trials", "void"],
    request: Request,
    search: Found,
    feed: Followed,
    service: Here,
    person: Asking,
    fields: Fields,
) -> Response:
    """Ask something of a search from a form of its page."""
    try:
        _act(action, search, service, person, fields)
    except REFUSED as error:
        if wants_json(request):
            raise
        refused: dict[str, str] = {action: shown(error)}
        return _search(search, feed, service, person, status_of(error), refused, fields)
    return done(request, f"/searches/{search.id}", SAID[action])


def _act(action: str, search: Found, service: Service, person: Person, fields: dict[str, str]) -> None:
    match action:
        case "pause":
            changes.pause(search, service, person)
        case "resume":
            changes.resume(search, service, person)
        case "cancel":
            changes.cancel(search, service, person)
        case "extend":
            changes.extend(search, asked(models.ExtendRequest, fields), service, person)
        case "trials":
            params = {name: typed(value) for name, value in fields.items()}
            changes.add_trial(search, asked(models.TrialRequest, {"params": params}), service, person)
        case "void":
            numbers = re.split(r"[,\s]+", fields.pop("trials", ""))
            wanted = asked(models.VoidRequest, fields | {"trials": numbers})
            changes.void(search, wanted, service, person)


# Login


@ROUTER.get("/login")
def login(request: Request, service: Here, next: str = "/") -> Response:
    """A form for a token; who has one already is led on."""
    try:
        person_of(request, service)
    except Denied:
        return _login(next)
    return RedirectResponse("/", 303)


@ROUTER.post("/login")
def log_in(request: Request, service: Here, fields: Fields) -> Response:
    """Keep a token as the browser's cookie, if it is valid."""
    token, next = fields.get("token", ""), fields.get("next", "/")
    sender = request.client.host if request.client else ""
    try:
        service.guard.person(None, token, sender)
    except Denied as error:
        return _login(next, error.status, shown(error) if token else "paste your token")
    answer = RedirectResponse(next if re.fullmatch(NEXT, next) else "/", 303)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, MAX_AGE, httponly=True, samesite="strict", secure=is_secure)
    return answer


def _login(next: str, status: int = 200, error: str = "") -> Response:
    return render("login", status, next=next, error=error, person=None, local=False)


@ROUTER.post("/logout")
def log_out(service: Here) -> Response:
    """Forget the browser's token."""
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
