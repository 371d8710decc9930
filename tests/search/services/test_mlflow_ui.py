"""The log in a browser, as a real process on a free port."""

import base64
import http.client
import json
import socket

import pytest
from stores import here

from search.cli.app import main
from search.coordinator import search
from search.executors.inline import Inline
from search.study.opening import open_study


@pytest.fixture
def served(bowl, database, serve):
    """The port on which `python -m search ui` shows a study of one trial that the log did not know."""
    with open_study(here(), bowl, "searched") as study:
        search(study, Inline(study), trials=1)
    return serve("ui")


def ask(port, method, path, content=None, host=None, password=None):
    """The status and the text of an answer. `host` is the name by which the server is called."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", "Host": host or f"127.0.0.1:{port}"}
    if password:
        headers["Authorization"] = f"Basic {base64.b64encode(f'admin:{password}'.encode()).decode()}"
    connection.request(method, path, json.dumps(content) if content else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_the_log_is_shown_on_this_machine_alone(served, listens):
    assert ask(served, "GET", "/")[0] == 200
    assert ask(served, "GET", "/", host=f"localhost:{served}")[0] == 200
    assert ask(served, "GET", "/", host="elsewhere.example")[0] == 403
    assert not listens("127.0.0.2", served)  # which a server of all addresses would answer

    status, text = ask(served, "POST", "/api/2.0/mlflow/experiments/search", {"max_results": 10})
    experiments = {each["name"]: each["experiment_id"] for each in json.loads(text)["experiments"]}
    assert status == 200 and "bowl" in experiments
    wanted = {"experiment_ids": [experiments["bowl"]]}
    status, text = ask(served, "POST", "/api/2.0/mlflow/runs/search", wanted)
    assert status == 200
    assert {run["info"]["run_name"] for run in json.loads(text)["runs"]} == {"searched", "trial-0000"}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", "", "$(true)"])
@pytest.mark.parametrize("password", [None, "short"])
def test_others_are_not_let_in_without_a_password(host, password, monkeypatch, capsys, home):
    if password:
        monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", password)
    assert main(["ui", f"--host={host}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: HOST ") and said.count("\n") == 1 and not home.exists()


@pytest.mark.thorough
def test_others_are_let_in_with_a_password(database, serve, monkeypatch, listens):
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", "correct horse battery")
    port = serve("ui", "--host", "0.0.0.0")
    assert listens("127.0.0.2", port)
    assert ask(port, "GET", "/")[0] == 401
    assert ask(port, "GET", "/", password="wrong")[0] == 401
    assert ask(port, "GET", "/", password="correct horse battery")[0] == 200
    assert ask(port, "GET", "/", host="elsewhere.example", password="correct horse battery")[0] == 403


def test_a_port_that_is_taken_is_said_before_anything_is_written(bowl, home, capsys):
    with open_study(here(), bowl, "searched"), socket.create_server(("127.0.0.1", 0)) as taken:
        before = sorted(home.rglob("*"))
        assert main(["ui", "--port", str(taken.getsockname()[1])]) == 2
        assert sorted(home.rglob("*")) == before
    assert "cannot be opened: Address already in use" in capsys.readouterr().err
