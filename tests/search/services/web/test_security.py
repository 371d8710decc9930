"""What persons may see and do, and what strangers may not: each route, over real HTTP."""

import csv
import http.client
import io
import json
import logging
import re
import socket

import pytest
import requests as http_requests
from proposals import fixed
from stores import here

from search.client.models import SearchRequest, State
from search.primitives import redact
from search.services.queue import process
from search.services.queue.tables import engine as open_engine
from search.services.web.app import MAX_BODY
from search.services.web.auth import COOKIE, MAX_WRONG, Tokens
from search.study.opening import open_study

pytestmark = pytest.mark.integration

OPEN = {"/healthz", "/openapi.json"}  # that need no token
OF_STAFF = {"/metrics"}
SECRET = "of ann alone"  # a reason that nobody else may read
NOT_HERS = {"resume": 409}  # of a search that is done
BODIES = {
    "/api/searches": {"task": "bowl", "trials": 3},
    "/api/searches/{id}/extend": {"trials": 99},
    "/api/searches/{id}/trials": {"params": {"x": 0.5}},
    "/api/searches/{id}/void": {"trials": [0], "reason": "a bug"},
}


@pytest.fixture
def shared(bowl, serve_web, caplog):
    """A service that others reach: ann has a search that is done; everybody has a token, eve had one."""
    caplog.set_level(logging.DEBUG)
    served = serve_web(tokens=True, starts=False)
    served.token_of = {name: served.token(name) for name in ("ann", "bob", "eve")}
    served.token_of["staff"] = served.token("staff", "staff")
    served.tokens.revoke("eve")
    served.search = served.queue.add("ann", SearchRequest(task="bowl", trials=3), "builtin")
    with open_study(here(), bowl, served.search.study) as study:
        study.tell(study.start(fixed({"x": 0.5, "y": 5}, 0)).number, "failed", "=1+1")
    for name in ("export/bowl.py", f"handin/{served.search.study}-handin.zip"):
        path = process.folder(served.search.id) / name
        path.parent.mkdir(parents=True)
        path.write_text(SECRET)
    served.queue.set_state(served.search.id, State.DONE, "service", SECRET)
    return served


@pytest.fixture
def local(serve_web):
    """A service on 127.0.0.1, which needs no token."""
    return serve_web(starts=False)


def routes(app):
    """All routes of an application: their methods and paths."""
    schema = app.openapi()["paths"]
    found = [(method.upper(), path) for path, methods in schema.items() for method in methods]
    assert len(found) > 15
    hidden = [route for route in app.routes if getattr(route, "include_in_schema", False) is False]
    pages = [(method, route.path) for route in hidden for method in getattr(route, "methods", None) or ()]
    return sorted({*found, *((method, path) for method, path in pages if method in ("GET", "POST"))})


def call(served, method, path, token=None, **options):
    """The answer to a request: its status, its text and its headers. Of a stream, the beginning."""
    headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    url = served.address + path.replace("{id}", str(served.search.id) if hasattr(served, "search") else "1")
    if method == "POST" and path in BODIES:
        options.setdefault("json", BODIES[path])
    with http_requests.request(
        method, url, headers=headers, timeout=20, stream=True, allow_redirects=False, **options
    ) as answer:
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        text = next(answer.iter_content(65536)).decode() if is_stream else answer.text
        return answer.status_code, text, answer.headers


def is_problem(status, text, headers):
    return (
        headers["content-type"] == "application/problem+json"
        and json.loads(text)["status"] == status
        and "Traceback" not in text
    )


def is_api(path):
    return path.startswith("/api/") or path == "/metrics"


@pytest.mark.parametrize("who", [None, "eve", "nonsense"])
def test_route_without_a_valid_token_answers_401(shared, who):
    token = shared.token_of.get(who, who)
    for method, path in routes(shared.app):
        if is_api(path):
            answer = call(shared, method, path, token)
            assert answer[0] in ((401,) if who is None else (401, 429)), (method, path, answer)
            assert is_problem(*answer) and SECRET not in answer[1]
        elif path not in OPEN:
            assert SECRET not in call(shared, method, path, token)[1]
    assert [change.person for change in shared.queue.find(1).changes] == ["ann", "service"]


def test_route_of_another_persons_search_answers_404_and_changes_nothing(shared):
    for method, path in routes(shared.app):
        answer = call(shared, method, path, shared.token_of["bob"])
        assert SECRET not in answer[1] and "ann" not in answer[1].replace("cannot", ""), (method, path)
        if is_api(path) and "{id}" in path:
            assert answer[0] == 404 and is_problem(*answer), (method, path, answer)
            another = path.replace("{id}", "77")
            missing = call(shared, method, another, shared.token_of["bob"], **same_body(path))
            assert missing[0] == 404
            assert missing[1].replace("77", "1") == answer[1]  # nobody learns that there is one
    assert len(shared.queue.find(1).changes) == 2
    assert here().requests(shared.search.study).pending() == []


def same_body(path):
    return {"json": BODIES[path]} if path in BODIES else {}


def test_list_of_searches_of_another_person_is_empty(shared):
    assert call(shared, "GET", "/api/searches", shared.token_of["bob"])[1] == "[]"
    assert call(shared, "GET", "/api/searches?owner=ann", shared.token_of["bob"])[1] == "[]"
    assert SECRET in call(shared, "GET", "/api/searches?owner=ann", shared.token_of["staff"])[1]


@pytest.mark.parametrize("who", ["ann", "staff"])
def test_route_of_an_own_search_or_for_staff_answers(shared, who):
    for method, path in routes(shared.app):
        status, text, headers = call(shared, method, path, shared.token_of[who])
        assert status < 500 and status not in (401, 413, 422, 429), (method, path, status, text)
        assert status != 403 or (path in OF_STAFF and who == "ann"), (method, path, text)


def test_token_is_in_no_answer_and_in_no_log(shared, caplog, capfd):
    for who in ("ann", "eve", "staff"):
        for method, path in routes(shared.app):
            token = shared.token_of[who]
            answer = call(
                shared, method, path, token, headers={"X-Other": token, "Last-Event-ID": token[:40]}
            )
            assert token not in answer[1] + str(answer[2])
    call(shared, "GET", f"/api/searches/{shared.token_of['ann']}", shared.token_of["ann"])
    written = caplog.text + "".join(capfd.readouterr())
    assert "trialbook_" not in re.sub(r"/api/searches/trialbook_\S*", "", written)


def test_form_of_a_token_is_known_and_hidden(home):
    token = Tokens(open_engine(None)).create("ann", "student")
    assert re.fullmatch(r"trialbook_[\w-]{43}", token)
    assert redact.redacted(f"it was {token}.") == "it was [hidden]."
    assert redact.held(token.encode())


def test_wrong_tokens_are_limited_and_valid_ones_pass(shared):
    wrong = [call(shared, "GET", "/api/tasks", f"wrong-{each}") for each in range(MAX_WRONG + 2)]
    assert [answer[0] for answer in wrong] == [401] * MAX_WRONG + [429] * 2
    assert wrong[-1][2]["retry-after"] == "60"
    assert call(shared, "GET", "/api/tasks", shared.token_of["bob"])[0] == 200
    other = socket.create_connection(("127.0.0.1", shared.port), source_address=("127.0.0.2", 0))
    other.sendall(b"GET /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n")
    assert b" 401 " in other.recv(100)
    other.close()


def test_cookie_is_a_token_too(shared):
    assert call(shared, "GET", "/api/tasks", cookies={COOKIE: shared.token_of["bob"]})[0] == 200
    assert call(shared, "GET", "/api/tasks", cookies={COOKIE: shared.token_of["eve"]})[0] == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "", "127.0.0.1.evil:80"]
)
def test_foreign_host_is_refused_for_each_method(local, host):
    for method in ("GET", "POST"):
        answer = call(local, method, "/api/searches", headers={"Host": host.format(port=local.port)})
        assert answer[0] in (400, 403), answer
    assert local.queue.all() == []


def test_two_hosts_are_refused(local):
    answer = raw(
        local, f"GET /api/tasks HTTP/1.1\r\nHost: 127.0.0.1:{local.port}\r\nHost: evil.example\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "origin, status",
    [
        *[("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:1", 403), ("http://[", 403)],
        *[("", 403), (None, 201), ("http://127.0.0.1:{port}", 201)],
    ],
)
def test_change_that_a_foreign_page_asks_for_is_refused(local, origin, status):
    headers = {} if origin is None else {"Origin": origin.format(port=local.port)}
    answer = call(local, "POST", "/api/searches", headers=headers)
    assert answer[0] == status, answer[1]
    assert len(local.queue.all()) == (status == 201)


def test_page_of_this_service_loads_nothing_from_elsewhere(local):
    for path in ("/api/tasks", "/healthz", "/nowhere"):
        headers = call(local, "GET", path)[2]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script-src 'self';" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def raw(served, text):
    """The first bytes of the answer to bytes that no client would send; b"" if the connection is closed."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        try:
            connection.sendall(text.encode())
            return connection.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def test_body_that_is_too_large_is_refused(local):
    large = b'{"task": "' + b"x" * MAX_BODY + b'"}'
    answer = call(local, "POST", "/api/searches", json=None, data=large)
    assert answer[0] == 413 and is_problem(*answer)
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=20)
    connection.request("POST", "/api/searches", iter([large[:1000]] * 80), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    whole = b'{"task": "' + b"x" * (MAX_BODY - 12) + b'"}'
    assert call(local, "POST", "/api/searches", json=None, data=whole)[0] == 422


def test_header_floods_and_odd_requests_are_refused(local):
    host = f"Host: 127.0.0.1:{local.port}\r\n"
    flood = "".join(f"X-{each}: {'y' * 1000}\r\n" for each in range(200))
    assert re.match(rb"HTTP/1.1 4|$", raw(local, f"GET /api/tasks HTTP/1.1\r\n{host}{flood}\r\n"))
    wrong = raw(local, f"GET /api/tasks HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n")
    assert wrong.startswith(b"HTTP/1.1 400")
    for method in ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO", "CONNECT"):
        answer = raw(local, f"{method} /api/tasks HTTP/1.1\r\n{host}\r\n")
        assert re.match(rb"HTTP/1.1 (405|400|404)", answer), (method, answer)
    assert call(local, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/api/searches/../../etc/passwd", "/api/searches/%2e%2e%2fservice.db", "/api/searches/1%00"),
        *(
            "/api/searches/1/script/../../lock",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/api/searches/9999999999999999",
        ),
        *("/api/searches/-1", "/api/searches/1e3", "/api/searches/%F0%9F%98%80", "/api/searches/1;DROP"),
    ],
)
def test_path_trick_finds_nothing(shared, path):
    answer = raw(
        shared, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shared.token_of['staff']}\r\n\r\n"
    )
    assert re.match(rb"HTTP/1.1 (404|422|400)", answer), answer


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "-x", "=1", "<script>", "x\n", "", "a" * 31, "A", "é", ".", "\ud800"]
)
def test_name_that_is_no_name_is_refused(local, name):
    answer = call(local, "POST", "/api/searches", json={"task": "bowl", "name": name})
    assert answer[0] == 422 and is_problem(*answer)
    assert call(local, "POST", "/api/searches", json={"task": name})[0] == 422
    assert local.queue.all() == []


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "=cmd|'A'!A0", 10**400, 1e999, True, ""])
def test_hostile_value_of_a_hyperparameter_is_refused_as_text(shared, value):
    for params in ({"x": value}, {str(value)[:90]: 1}):
        body = {"data": json.dumps({"params": params}), "json": None}
        headers = {"Content-Type": "application/json"}
        path = "/api/searches/{id}/trials"
        answer = call(shared, "POST", path, shared.token_of["ann"], headers=headers, **body)
        assert answer[0] == 422 and is_problem(*answer), answer
    assert here().requests(shared.search.study).pending() == []


@pytest.mark.parametrize("reason", ["<script>alert(1)</script>", "=1+1", "'; DROP TABLE service_search; --"])
def test_hostile_reason_stays_text(shared, reason):
    body = {"trials": [0], "reason": reason}
    status, text, _ = call(shared, "POST", "/api/searches/{id}/void", shared.token_of["ann"], json=body)
    assert status == 202 and reason in json.loads(text)["search"]["reason"]
    report = call(shared, "GET", "/api/searches/{id}/report", shared.token_of["ann"])
    assert report[0] == 200 and "<script>alert" not in report[1]


def test_csv_has_no_formulas(shared):
    status, text, headers = call(
        shared, "GET", "/api/searches/{id}/trials?format=csv", shared.token_of["ann"]
    )
    assert status == 200 and headers["content-type"].startswith("text/csv")
    [row] = csv.DictReader(io.StringIO(text))
    assert row["why_ended"] == "'=1+1" and float(row["x"]) == 0.5


def test_stream_ends_once_a_token_is_revoked(shared, monkeypatch):
    monkeypatch.setattr("search.services.web.feeds.streams.ALIVE_SECONDS", 0.2)
    shared.queue.resume(shared.queue.set_state(1, State.PAUSED, "service", "so").id, "ann")
    headers = {"Authorization": f"Bearer {shared.token_of['ann']}"}
    with http_requests.get(
        f"{shared.address}/api/searches/1/events", headers=headers, stream=True, timeout=20
    ) as answer:
        chunks = answer.iter_content(65536)
        assert "queued" in next(chunks).decode()
        Tokens(open_engine(None)).revoke("ann")  # as `make token` does, in another process
        assert all(b"event" not in chunk for chunk in chunks)  # and so it ends
