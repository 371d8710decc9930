"""The command that starts the stack: what it refuses, and what it tells people to type."""

import socket
import subprocess
from pathlib import Path

import pytest

from search.cli.app import main
from search.services.stack import database, serve


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize(
    "typed, wrong",
    [
        ("--port 65535", "PORT 65535 is not valid"),
        ("--host nonsense", "HOST 'nonsense' is not valid"),
        ("--host 0.0.0.0", "HOST 0.0.0.0 lets others in"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(typed, wrong, home, capsys):
    assert main(["stack", *typed.split()]) == 2
    assert wrong in capsys.readouterr().err and not home.exists()


@pytest.mark.usefixtures("postgresql")
def test_a_port_that_is_taken_is_said_before_anything_is_written(home, free, monkeypatch, capsys):
    monkeypatch.setattr(serve, "RELEASE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", free + 1)):
        assert main(["stack", "--port", str(free)]) == 2
    assert f"PORT {free + 1} of 127.0.0.1 cannot be opened" in capsys.readouterr().err and not home.exists()


@pytest.mark.parametrize("guarded", [{}, {"MLFLOW_FLASK_SERVER_SECRET_KEY": "hush"}])
def test_what_is_to_be_typed_can_be_typed_and_tells_no_secret(guarded, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALBOOK_HOME", str(tmp_path / "a home"))
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", "correct horse battery")
    said = serve._instructions("db.example", 5000, guarded)
    assert "hush" not in said and "horse" not in said
    typed = [line for line in said.splitlines() if line.startswith("  export ")]
    shown = subprocess.run(["bash", "-c", "\n".join([*typed, "env"])], capture_output=True, text=True).stdout
    assert "MLFLOW_TRACKING_URI=http://db.example:5000\n" in shown
    assert "TRIALBOOK_STORAGE=postgresql://trialbook@db.example:5001/trialbook\n" in shown
    file = Path("~/.trialbook.pgpass").expanduser() if guarded else database.password_file("trialbook")
    assert f"PGPASSFILE={file}\n" in shown
    assert ("MLFLOW_TRACKING_USERNAME=admin\n" in shown) == bool(guarded)
