"""`make serve` and its tokens, as a person types them."""

import os
import socket
import threading
import time
from pathlib import Path

import plain
import pytest
import requests

from search.cli.app import main
from search.storage import journal

TOYS = Path(plain.__file__).parent
PATIENCE = 90  # seconds until a search of the bowl must be done


@pytest.fixture
def service(serve, monkeypatch):
    """The address of `python -m search serve`, whose processes find the toy tasks."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOYS), os.environ.get("PYTHONPATH", "")]))
    return f"http://127.0.0.1:{serve('serve', '--jobs', '1')}"


def until_done(address):
    deadline = time.monotonic() + PATIENCE
    while (search := requests.get(address, timeout=10).json())["state"] != "done":
        assert search["state"] in ("queued", "searching") and time.monotonic() < deadline, search
        threading.Event().wait(0.2)
    return search


def test_serve_searches_freezes_and_packs_a_winner(service, home):
    asked = {"task": "bowl", "trials": 6, "name": "first"}
    made = requests.post(f"{service}/api/searches", json=asked, timeout=10)
    address = f"{service}/api/searches/{made.json()['id']}"
    assert made.status_code == 201 and made.json()["study"] == "local.first"

    search = until_done(address)
    assert "stopped as TRIALS=6 is reached" in search["reason"]
    assert [change["state"] for change in search["changes"]] == ["queued", *["searching"] * 3, "done"]
    assert search["mlflow"].endswith("viewStateShareKey=local.first") and search["core_seconds"] > 0
    winner = requests.get(f"{address}/winner", timeout=10).json()
    assert winner["confirmed"] and winner["standard_error"] > 0

    script = requests.get(f"{address}/script", timeout=10)
    assert "attachment" in script.headers["Content-Disposition"] and "def train(" in script.text
    assert requests.get(f"{address}/handin", timeout=10).content.startswith(b"PK")
    assert (home / "mlruns" / "studies" / "local.first.journal").exists()


def test_serve_refuses_a_port_in_use_and_a_folder_that_is_served(home, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert main(["serve", "--port", port]) == 2
        assert f"PORT {port} of 127.0.0.1 cannot be opened" in capsys.readouterr().err
    (home / "mlruns" / "service").mkdir(parents=True, exist_ok=True)
    with journal.lock(home / "mlruns" / "service" / "service"):
        assert main(["serve", "--port", port]) == 4
    assert f"is run by process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "typed, message",
    [
        (["serve", "--host", "my machine"], "HOST 'my machine' is not valid"),
        (["serve", "--trainers", "inline"], "unknown TRAINERS 'inline'"),
        (["serve", "--address", "auto"], "ADDRESS is for TRAINERS=ray alone"),
        (["serve", "--quota", "0"], "QUOTA '0' is not valid"),
        (["token"], "NAME is missing"),
        (["token", "--name", "Ada L."], "NAME 'Ada L.' is no login"),
        (["token", "--name", "ada", "--role", "root"], "unknown ROLE 'root'"),
        (["token", "--name", "ada", "--revoke"], "unknown NAME 'ada'"),
    ],
)
def test_what_is_wrong_is_one_line(typed, message, capsys):
    assert main(typed) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1


@pytest.mark.parametrize(
    "typed, said",
    [
        (["--name=Ada!"], "NAME 'Ada!' is no login"),
        (["--name=ada", "--role=king"], "unknown ROLE 'king': valid are staff, student"),
        (["--name=ada", "--revoke"], "unknown NAME 'ada': valid are none yet"),
    ],
)
def test_wrong_token_is_one_line_and_nothing_is_written(home, capsys, typed, said):
    assert main(["token", *typed]) == 2
    assert said in capsys.readouterr().err and not (home / "mlruns").exists()


def test_a_token_is_shown_once_and_can_be_revoked(home, capsys):
    assert main(["token", "--name", "ada", "--role", "staff"]) == 0
    token = capsys.readouterr().out.strip()
    assert token.startswith("trialbook_") and len(token) > 50
    assert main(["tokens"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("ada ") and "staff" in listed and "valid" in listed and token not in listed
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert token.encode() not in stored and b"ada" in stored

    assert main(["token", "--name", "ada", "--revoke"]) == 0
    assert capsys.readouterr().out == "revoked 1 token of ada\n"
    assert main(["tokens"]) == 0 and "revoked 20" in capsys.readouterr().out
