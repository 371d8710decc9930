"""Requests that nobody should send, made from the service's own description of its API.

Schemathesis makes them, valid and invalid ones, and sends them to a service over HTTP. A case is a request.
"""

import contextlib
import json
import os

import hypothesis
import requests
import schemathesis
from proposals import fixed
from served import Served
from stores import here

from objectives import bowl
from search.client.models import SearchRequest, State
from search.services.queue import process
from search.study.opening import open_study

TITLE = "whatever is sent to the API, it answers as its description says"
QUICK, FULL = 300, 10_000


class NotSent(Exception):
    """No client can send this."""


def run(random, count, folder):
    os.environ["TRIALBOOK_HOME"] = str(folder / "home")
    with Served(starts=False) as served:
        fill(served.queue)
        yield from send(served, random, count)


def fill(queue):
    """Queue searches in all states; the first has a study, a script and a hand-in."""
    for position, state in enumerate((State.DONE, *State)):
        search = queue.add("local", SearchRequest(task="bowl", trials=3), "builtin")
        if position == 0:
            with open_study(here(), bowl, search.study) as study:
                study.tell(study.start(fixed({"x": 0.5, "y": 5}, 0)).number, "failed", "=1+1")
            for name in ("export/bowl.py", f"handin/{search.study}-handin.zip"):
                path = process.folder(search.id) / name
                path.parent.mkdir(parents=True)
                path.write_text("a file")
        if state != State.QUEUED:
            queue.set_state(search.id, state, "service", "so it came")


def send(served, random, count):
    """Send so many requests, to all routes. Yields what is wrong with each answer, or None."""
    schema = schemathesis.openapi.from_url(f"{served.address}/openapi.json")
    routes = [result.ok() for result in schema.get_all_operations()]
    session, left = requests.Session(), count
    while left > 0:
        before, share = left, max(1, left // len(routes) // 2)
        for route in random.sample(routes, len(routes)):
            for mode in schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE:
                outcomes = []
                try_cases(route, mode, min(share, left), random.getrandbits(32), served, session, outcomes)
                yield from outcomes
                left -= len(outcomes)
        if left == before:
            raise RuntimeError("no request could be made")


def try_cases(route, mode, count, seed, served, session, outcomes):
    """Send so many cases to a route, valid or invalid ones."""
    if count < 1:
        return
    try:
        strategy = route.as_strategy(generation_mode=mode)
    except Exception:  # a route without parameters has no invalid ones
        return

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def one(case):
        if "{id}" in route.path and isinstance(case.path_parameters.get("id"), int):
            case.path_parameters["id"] = abs(case.path_parameters["id"]) % 10  # one that there is
        with contextlib.suppress(NotSent):
            outcomes.append(ask(served, session, route, case))

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # there is nothing invalid to send
        one()


def ask(served, session, route, case):
    """Send a case. Returns what is wrong with its answer, or None. Raises NotSent."""
    try:
        made = requests.Request(**case.as_transport_kwargs(base_url=served.address)).prepare()
        made.headers["Host"] = f"127.0.0.1:{served.port}"
        made.headers.pop("Origin", None)
        with session.send(made, timeout=30, stream=True, allow_redirects=False) as answer:
            kind = answer.headers.get("content-type", "").partition(";")[0]
            is_stream = kind == "text/event-stream"
            text = b"" if is_stream else answer.content
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, ValueError):
        raise NotSent from None
    except requests.RequestException as error:
        return f"{made.method} {made.url}: no answer: {type(error).__name__} {error}"
    return wrong(route, made, answer.status_code, kind, text)


def wrong(route, made, status, kind, text):
    """What an answer has that the description does not promise; None if it is as it should be."""
    said = f"{made.method} {made.url} {made.body!r}"[:400]
    promised = route.definition.raw["responses"]
    if status >= 500 or b"Traceback" in text:
        return f"{said}: {status} {text[:300]!r}"
    if str(status) not in promised and status != 405:
        return f"{said}: {status} is not in its description: {text[:200]!r}"
    if status >= 400:
        is_problem = kind == "application/problem+json" and json.loads(text)["status"] == status
        return None if is_problem else f"{said}: {status} as {kind}: {text[:200]!r}"
    kinds = promised.get(str(status), {}).get("content", {})
    return None if kind in kinds else f"{said}: {status} as {kind}, which its description has not"
