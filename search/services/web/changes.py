"""The API of what can be changed: a search is queued, stopped, resumed, or asked for trials.

A route writes into the queue, or a request to a study, which its search carries out.
"""

from typing import Annotated

from fastapi import APIRouter, Header

from search.client import models
from search.client.models import SearchRequest
from search.errors import NoWinner
from search.services.queue.tables import Search
from search.services.web.auth import Denied
from search.services.web.routes import PROBLEMS, Asking, Found, Here
from search.services.web.service import Service
from search.study import requests
from search.study.opening import source_of
from search.study.stored import StoredStudy
from search.study.trial import number_ranges
from search.tasks import find

ROUTER = APIRouter(responses=PROBLEMS)


@ROUTER.post("/api/searches", status_code=201)
def start(
    request: SearchRequest,
    service: Here,
    person: Asking,
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=100, min_length=1)] = None,
) -> models.Search:
    """Queue a search. A request that is repeated with its Idempotency-Key gives the same search."""
    with service.task_code:
        source = source_of(find(request.task), request.data)
    if not service.queue.has_quota(person.name):
        raise Denied(403, f"{person.name} has used all {service.queue.quota:g} core-seconds of the quota")
    return service.shown([service.queue.add(person.name, request, source, key)])[0]


@ROUTER.post("/api/searches/{id}/pause")
def pause(search: Found, service: Here, person: Asking) -> models.Search:
    """Stop a search cleanly; it can be resumed."""
    return service.shown([service.queue.pause(search.id, person.name)])[0]


@ROUTER.post("/api/searches/{id}/resume")
def resume(search: Found, service: Here, person: Asking) -> models.Search:
    """Let a paused or failed search wait for its turn again."""
    return service.shown([service.queue.resume(search.id, person.name)])[0]


@ROUTER.post("/api/searches/{id}/cancel")
def cancel(search: Found, service: Here, person: Asking) -> models.Search:
    """End a search for good. What it found can still be read."""
    return service.shown([service.queue.cancel(search.id, person.name)])[0]


@ROUTER.post("/api/searches/{id}/extend")
def extend(search: Found, request: models.ExtendRequest, service: Here, person: Asking) -> models.Search:
    """Raise the limits of a search; one that is done goes on."""
    changed = service.queue.extend(search.id, person.name, request.trials, request.timeout)
    return service.shown([changed])[0]


@ROUTER.post("/api/searches/{id}/trials", status_code=202)
def add_trial(search: Found, request: models.TrialRequest, service: Here, person: Asking) -> models.Accepted:
    """Train one's own configuration next. Hyperparameters that are not named take the task's defaults."""
    study = _study(search, service)
    service.queue.require_open(search.id)
    with service.task_code:
        number = requests.ask_for_trial(service.store, study, request.params, person.name)
    changed = service.queue.work(search.id, person.name, "to train a configuration that was asked for")
    return models.Accepted(request=number, search=service.shown([changed])[0])


@ROUTER.post("/api/searches/{id}/void", status_code=202)
def void(search: Found, request: models.VoidRequest, service: Here, person: Asking) -> models.Accepted:
    """Make trials void that a bug spoiled, or let them count again."""
    study = _study(search, service)
    service.queue.require_open(search.id)
    action = "restore" if request.restore else "void"
    number = requests.ask_to_void(service.store, study, action, request.trials, request.reason, person.name)
    result = "count again" if request.restore else "are void"
    reason = f"trials {number_ranges(request.trials)} {result}: {request.reason}"
    changed = service.queue.work(search.id, person.name, reason)
    return models.Accepted(request=number, search=service.shown([changed])[0])


def _study(search: Search, service: Service) -> StoredStudy:
    """The study of a search. Raises NoWinner if it has none yet."""
    if not service.store.exists(search.study):
        raise NoWinner(f"search {search.id} has not started yet: wait for its turn")
    return StoredStudy.read(service.store, search.study)
