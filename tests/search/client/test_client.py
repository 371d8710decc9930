"""A search of the service from Python: started, waited for, changed, and what it found."""

import io
import logging
import socket
import subprocess
import sys
import threading
import time
import zipfile

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Response

from search.client import Client, SearchFailed
from search.client.models import State
from search.errors import NoWinner, StoreError, StudyConflict, TrialbookError, UsageError

SEARCH = {
    "id": 1,
    "owner": "local",
    "task": "bowl",
    "data": "builtin",
    "study": "local.bowl-1",
    "seed": 0,
    "trials": 4,
    "timeout": None,
    "threshold": None,
    "state": "queued",
    "wanted": "",
    "step": "search",
    "reason": "it was asked for",
    "created": "2026-01-01T00:00:00Z",
    "started": None,
    "ended": None,
    "jobs": 0,
    "seconds_used": 0,
    "core_seconds": 0,
    "expected_end": None,
}
DETAIL = SEARCH | {"changes": [], "has_script": False, "has_handin": False, "mlflow": None}


@pytest.fixture
def client(web):
    return Client(web.address)


@pytest.fixture
def stand_in():
    """A server that answers what a test tells it to: it stands for a service that misbehaves."""
    with HTTPServer("127.0.0.1") as server:
        yield server


def test_import_needs_neither_torch_nor_mlflow():
    code = (
        "import sys; from search.client import Client; print({'torch', 'mlflow', 'pandas'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


@pytest.mark.integration
def test_the_example_of_the_package_runs_a_search_to_its_script(client, tmp_path):
    run = client.search("bowl", trials=6)
    assert run.wait(120).state == State.DONE
    winner = run.winner()
    assert winner.trial < 6 and 0 <= winner.estimate < 1 and winner.standard_error > 0
    script = run.script(tmp_path / "best.py").read_text(encoding="utf-8")
    assert script.startswith('"""Where is the lowest point of a bowl?') and "RECORD" in script
    with zipfile.ZipFile(run.script(tmp_path / "best.zip", data=True)) as file:
        assert any(name.endswith("/bowl.py") for name in file.namelist())
    with zipfile.ZipFile(run.handin(tmp_path / "handin.zip")) as file:
        assert "report.html" in file.namelist()
    assert [change.state for change in run.detail.changes][0] == State.QUEUED
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        *("best.py", "best.zip", "handin.zip")
    ]


def test_tasks_have_ranges(client):
    [bowl] = [task for task in client.tasks() if task.name == "bowl"]
    assert [each.name for each in bowl.ranges] == ["x", "y"] and bowl.direction == "minimize"


def test_results_of_a_search_are_typed_and_agree(web, client, tmp_path):
    run = client.run(web.searched().id)
    trials, table = run.trials(), run.trials_dataframe()
    assert [trial.number for trial in trials] == list(range(8)) == list(table["trial"])
    assert [trial.score for trial in trials if trial.score is not None] == list(table["score"].dropna())
    assert run.winner().config["epochs"] == 5
    assert "<html" in run.report(tmp_path / "report.html").read_text(encoding="utf-8")
    text = "".join(line.decode() for line in io.BytesIO(run.records(2)))
    assert text.count("\n") == len(run.records().splitlines()) - 2


def test_events_end_with_the_search_and_resume_after_one(web, client):
    run = client.run(web.searched().id)
    events = list(run.events())
    assert events[-1].kind == "end" and events[-1].data == {"state": "done"}
    assert [event.data["trial"] for event in events if event.kind == "started"] == list(range(8))
    middle = len(events) // 2
    again = [event for event in run.events(after=events[middle].id) if event.kind != "progress"]
    assert again == [event for event in events[middle + 1 :] if event.kind != "progress"]


def test_wait_for_a_failed_search_raises_its_reason(web, client):
    run = client.run(web.searched(state=State.FAILED).id)
    with pytest.raises(SearchFailed, match=f"search {run.id} failed: as the test has it"):
        run.wait()


def test_wait_for_a_paused_search_ends_at_its_timeout(web, client):
    run, start = client.run(web.add(trials=3).id), time.monotonic()
    with pytest.raises(TimeoutError, match="the search goes on"):
        run.wait(timeout=1)
    assert 1 <= time.monotonic() - start < 5


def test_wait_for_a_search_that_is_cancelled_meanwhile_returns_it(web, client):
    run = client.run(web.add(trials=3).id)
    timer = threading.Timer(0.2, run.cancel)
    timer.start()
    assert run.wait(60).state == State.CANCELLED
    timer.join()


def test_changes_are_those_of_the_service(web, client):
    run = client.run(web.searched(state=State.PAUSED).id)
    assert run.extend(trials=20).trials == 20
    assert run.void([3], "the mask was wrong").search.id == run.id
    assert run.add_trial({"x": 0.3}).request
    assert run.pause().state == State.PAUSED
    assert run.cancel().state == State.CANCELLED
    with pytest.raises(StudyConflict, match=f"search {run.id} is cancelled: it would have to be"):
        run.resume()


def test_a_service_that_ends_closes_its_streams_without_a_fault(serve_web, capfd):
    web = serve_web()
    run = Client(web.address, patience=0).run(web.add(trials=3).id)
    events = run.events()
    assert next(events).kind == "state"
    web.end()
    with pytest.raises(StoreError, match="does not answer"):
        list(events)
    assert capfd.readouterr().err == ""


def test_searches_are_listed_by_state_and_owner(web, client):
    first, second = web.add("ada", trials=3), web.add("ben", trials=3)
    assert [each.id for each in client.searches()] == [second.id, first.id]
    assert [each.id for each in client.searches(state="paused", owner="ada")] == [first.id]
    assert client.searches(state=State.DONE) == []


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (lambda client: client.search("bowel"), UsageError, "unknown TASK 'bowel': valid are"),
        (lambda client: client.search("bowl", trials=0), UsageError, "trials 0 is not valid: Input should"),
        (lambda client: client.search("bowl", timeout=float("nan")), UsageError, "timeout nan is not valid"),
        (lambda client: client.search("bowl", data="sea"), UsageError, "'sea'"),
        (lambda client: client.run(7), UsageError, "there is no search 7 of yours"),
        (lambda client: client.searches(state="asleep"), UsageError, "state 'asleep' is not valid"),
    ],
)
def test_a_wrong_call_raises_one_sentence(client, call, error, sentence):
    with pytest.raises(error, match=sentence) as raised:
        call(client)
    assert "\n" not in str(raised.value)


def test_what_is_not_there_yet_is_no_winner_and_leaves_no_file(web, client, tmp_path):
    run = client.run(web.add(trials=3).id)
    for call in (run.winner, lambda: run.script(tmp_path / "x"), lambda: run.report(tmp_path / "y")):
        with pytest.raises(NoWinner, match=f"search {run.id}"):
            call()
    with pytest.raises(UsageError, match="is a folder"):
        run.report(tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []
    assert run.trials() == [] and run.trials_dataframe().empty


def test_tokens_decide_what_is_seen(class_web):
    ada, ben = (Client(class_web.address, class_web.token(name)) for name in ("ada", "ben"))
    number = class_web.add("ada", trials=3).id
    assert ada.run(number).detail.owner == "ada" and ben.searches() == []
    with pytest.raises(UsageError, match="there is no search"):
        ben.run(number)
    with pytest.raises(UsageError, match="needs a token"):
        Client(class_web.address).tasks()
    with pytest.raises(UsageError, match="this token is wrong or revoked"):
        Client(class_web.address, "trialbook_wrong").tasks()


def test_a_token_is_in_no_text(class_web, caplog, stand_in):
    caplog.set_level(logging.DEBUG)
    token = class_web.token("ada")
    stand_in.expect_request("/api/tasks").respond_with_data(status=302, headers={"Location": "/elsewhere"})
    texts = []
    for address in (class_web.address, stand_in.url_for(""), "http://127.0.0.1:1"):
        client = Client(address, token, patience=0)
        texts.append(repr(client) + repr(vars(client)) + repr(vars(client._connection)))
        for call in (client.tasks, lambda client=client: client.run(99)):
            try:
                call()
            except TrialbookError as error:
                texts.append(f"{error} {error!r} {error.__cause__} {error.__context__!r}")
    with pytest.raises(UsageError) as raised:
        Client(class_web.address, f"{token}\n")
    assert len(texts) >= 7
    assert all(token not in text for text in (*texts, str(raised.value), caplog.text))


@pytest.mark.parametrize("address", ["", "host:8000", "ftp://host", "http://me:secret@host", "http://a b"])
def test_an_address_that_is_none_is_refused_and_not_repeated(address):
    with pytest.raises(UsageError, match="http://host:port, without a password") as raised:
        Client(address)
    assert "secret" not in str(raised.value)


def test_a_service_that_is_not_there_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"does not answer \(Connection refused\): does `make serve` run"):
        Client(f"http://127.0.0.1:{port}").tasks()
    assert time.monotonic() - start < 5


def test_a_post_whose_answer_is_lost_is_repeated_with_its_key(stand_in):
    keys = []

    def answer(request):
        keys.append(request.headers["Idempotency-Key"])
        return Response(status=502) if len(keys) < 3 else Response(json_of(SEARCH), 201)

    stand_in.expect_request("/api/searches", method="POST").respond_with_handler(answer)
    stand_in.expect_request("/api/searches/1").respond_with_json(DETAIL)
    client = Client(stand_in.url_for(""))
    assert client.search("bowl").id == 1
    assert len(keys) == 3 and len(set(keys)) == 1
    assert client.search("bowl").id == 1
    assert keys[-1] != keys[0]


def test_a_change_whose_answer_is_lost_is_not_repeated(stand_in):
    calls = []
    stand_in.expect_request("/api/searches/1").respond_with_json(DETAIL)
    stand_in.expect_request("/api/searches/1/trials").respond_with_handler(
        lambda request: calls.append(request) or Response(status=502)
    )
    with pytest.raises(StoreError, match="answers 502 BAD GATEWAY and no reason"):
        Client(stand_in.url_for("")).run(1).add_trial({"x": 0.3})
    assert len(calls) == 1


def test_a_stream_that_is_cut_is_resumed_after_its_last_event(stand_in):
    asked = []
    parts = [
        'id: 1.1\nevent: started\ndata: {"trial": 0}\n\n: alive\n\nid: 2.1\nevent: ep',
        'id: 2.1\nevent: epoch\ndata: {"trial": 0}\n\n',
        'id: 2.2\nevent: end\ndata: {"state": "done"}\n\n',
    ]

    def answer(request):
        asked.append(request.headers.get("Last-Event-ID"))
        return Response(parts[len(asked) - 1], mimetype="text/event-stream")

    stand_in.expect_request("/api/searches/1").respond_with_json(DETAIL)
    stand_in.expect_request("/api/searches/1/events").respond_with_handler(answer)
    events = list(Client(stand_in.url_for("")).run(1).events())
    assert [event.kind for event in events] == ["started", "epoch", "end"]
    assert asked == [None, "1.1", "2.1"]


def test_a_download_that_is_cut_leaves_the_earlier_file(stand_in, tmp_path):
    stand_in.expect_request("/api/searches/1").respond_with_json(DETAIL)
    stand_in.expect_request("/api/searches/1/report").respond_with_handler(
        lambda request: Response(iter(["half of"]), headers={"Content-Length": "100"})
    )
    path = tmp_path / "report.html"
    path.write_text("earlier")
    with pytest.raises(StoreError, match="does not answer"):
        Client(stand_in.url_for(""), patience=0).run(1).report(path)
    assert path.read_text() == "earlier"
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["report.html"]


def json_of(value):
    return requests.models.complexjson.dumps(value)
