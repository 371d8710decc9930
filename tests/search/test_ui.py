"""The log in a browser, as a real process on a free port."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from search.coordinator import search
from search.study import Study
from search.trainers.inline import Inline

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds until the server must answer


@pytest.fixture
def port():
    """A port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def served(bowl, database, port, tmp_path):
    """The port on which `python -m search ui` shows a study of one trial that the log did not know."""
    with Study.open(bowl, "searched") as study:
        search(study, Inline(study), trials=1)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "toys")}
    command = [sys.executable, "-m", "search", "ui", "--port", str(port)]
    with open(tmp_path / "said", "w") as said:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + PATIENCE
        while not listens("127.0.0.1", port):
            ended = server.poll() is not None or time.monotonic() > deadline
            assert not ended, (tmp_path / "said").read_text()
            threading.Event().wait(0.1)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def listens(host, port):
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def ask(port, method, path, content=None, host=None):
    """The status and the text of an answer. `host` is the name by which the server is called."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", "Host": host or f"127.0.0.1:{port}"}
    connection.request(method, path, json.dumps(content) if content else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_the_log_is_shown_on_this_machine_alone(served):
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
