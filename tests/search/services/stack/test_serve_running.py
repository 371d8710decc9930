"""A stack that runs: a real PostgreSQL and a real MLflow server, killed in all the ways there are."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest
from logs import log_client
from mlflow.exceptions import MlflowException

from search.cli.app import main
from search.services.stack import database

ROOT = Path(__file__).parents[4]
PATIENCE = 60  # seconds until what must happen must have happened


def until(happened):
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not (value := happened()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    return value


class Stack:
    """`python -m search stack` in a folder that PostgreSQL may look into, whoever runs these tests."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="stack-"))
        self.home.chmod(0o755)
        self.folder = self.home / "mlruns" / "stack"
        with socket.create_server(("127.0.0.1", 0)) as one:
            self.port = one.getsockname()[1]
        self.process = None

    def start(self, ready="docs/cluster.md"):
        """Start it, and wait until it says that it is `ready`. Returns what it said.

        One that runs ends first.
        """
        if self.process and self.process.poll() is None:
            self.end(signal.SIGTERM)
        said = self.home / "said"
        with open(said, "w") as file:
            environment = {**os.environ, "TRIALBOOK_HOME": str(self.home)}
            command = [sys.executable, "-m", "search", "stack", "--port", str(self.port)]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
        until(lambda: ready in said.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, said.read_text()
        return said.read_text()

    def said(self):
        """All that it said since it was started."""
        return (self.home / "said").read_text()

    def end(self, number):
        """End it by a signal. Returns its exit code, and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE), time.monotonic() - began

    def processes(self):
        """What runs on its behalf: each process's command line, by its number."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.folder) in command or f"--port {self.port} " in command:
                found[int(folder.name)] = command
        return found

    def number_of(self, part):
        """The process of whose command line a text is a part."""
        return next((number for number, command in self.processes().items() if part in command), None)

    def connect(self, role, name=None, **how):
        """A connection to its database with what a password file holds."""
        how = {"passfile": str(self.folder / f"{role}.pgpass"), "connect_timeout": 5, **how}
        return psycopg.connect(host="127.0.0.1", port=self.port + 1, user=role, dbname=name or role, **how)


@pytest.fixture(scope="module")
def stack(postgresql):
    """A stack that runs, although its first set-up was killed. The tests below end it, one by one."""
    stack = Stack()
    try:
        stack.start("Setting up")
        until((stack.folder / "postgres.new" / "postmaster.pid").exists)
        assert stack.end(signal.SIGKILL)[0] == -signal.SIGKILL
        until(lambda: not stack.processes())
        assert not (stack.folder / "postgres").exists()
        assert "Setting up" in stack.start()
        yield stack
    finally:
        if stack.process and stack.process.poll() is None:
            stack.end(signal.SIGTERM)
        shutil.rmtree(stack.home)


def test_each_role_has_a_password_that_is_told_to_nobody(stack):
    files = [stack.folder / f"{role}.pgpass" for role in database.ROLES]
    passwords = [file.read_text().strip().rpartition(":")[2] for file in files]
    assert len(set(passwords)) == 2 and min(map(len, passwords)) >= 32
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    told = stack.said() + "".join(path.read_text() for path in stack.folder.glob("*.log"))
    told += "".join(stack.processes().values())
    assert f"export PGPASSFILE={stack.folder}/trialbook.pgpass" in told
    assert not [password for password in passwords if password in told]


def test_the_database_is_sound_and_lets_nobody_in_but_its_roles(stack):
    with stack.connect("trialbook") as connection:
        settings = ("server_encoding", "data_checksums", "fsync", "listen_addresses")
        shown = [connection.execute(f"SHOW {setting}").fetchone()[0] for setting in settings]
        assert shown == ["UTF8", "on", "on", "127.0.0.1"]
    for role, name in (("trialbook", "mlflow"), ("trialbook", "postgres"), ("postgres", "postgres")):
        with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
            stack.connect(role, name)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        stack.connect("trialbook", password="wrong")


def test_mlflow_keeps_all_in_it_and_what_is_killed_comes_back(stack, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{stack.port}")
    client = log_client()
    run = client.create_run(client.create_experiment("kept")).info.run_id
    client.log_text(run, "hello", "said.txt")
    assert [path.read_text() for path in (stack.home / "mlruns" / "artifacts").rglob("said.txt")] == ["hello"]
    with stack.connect("mlflow") as connection:
        assert connection.execute("SELECT run_uuid FROM runs").fetchall() == [(run,)]

    before = stack.processes()
    for started in ("postgres -D", "-m mlflow server"):  # the second leaves one behind that it has started
        os.kill(stack.number_of(started), signal.SIGKILL)
    until(lambda: before.keys() & stack.processes().keys() == {stack.process.pid})
    until(lambda: status_of(client, run) == "RUNNING")
    client.set_terminated(run)
    assert status_of(client, run) == "FINISHED"
    for name in ("PostgreSQL", "MLflow"):
        assert f"{name} was ended by SIGKILL: it is started again in 1 s" in stack.said()


def status_of(client, run):
    """What MLflow says of a run; None where it does not answer."""
    with contextlib.suppress(MlflowException):
        return client.get_run(run).info.status


def test_a_second_one_says_who_runs_it(stack, monkeypatch, capsys):
    monkeypatch.setenv("TRIALBOOK_HOME", str(stack.home))
    assert main(["stack", "--port", str(stack.port)]) == 4
    said = f"error: the stack in {stack.folder} is run by process {stack.process.pid}\n"
    assert capsys.readouterr().err == said


def test_ctrl_c_ends_all_of_it_cleanly(stack):
    with stack.connect("trialbook"):  # for which a server that is patient would wait
        code, seconds = stack.end(signal.SIGINT)
    assert (code, stack.processes()) == (130, {}) and seconds < 10
    assert "database system is shut down" in (stack.folder / "postgresql.log").read_text().splitlines()[-1]


def test_one_that_is_killed_leaves_no_process(stack):
    assert "Setting up" not in stack.start()
    assert stack.end(signal.SIGKILL)[0] == -signal.SIGKILL
    until(lambda: not stack.processes())


@contextlib.contextmanager
def running_as_owner(folder):
    """The number of a process of the user that runs PostgreSQL: PostgreSQL takes it for another server."""
    with subprocess.Popen(["sleep", "600"], cwd=folder, **database.owner()) as process:
        try:
            yield process.pid
            assert process.poll() is None
        finally:
            process.kill()


def test_what_a_killed_one_left_is_used_and_a_signal_ends_it_while_it_starts(stack):
    passwords = [(stack.folder / f"{role}.pgpass").read_text() for role in database.ROLES]
    with running_as_owner(stack.home) as number:
        (stack.folder / "postgres" / "postmaster.pid").write_text(f"{number}\n{stack.folder}/postgres\n")
        stack.start("Starting MLflow")
    assert passwords == [(stack.folder / f"{role}.pgpass").read_text() for role in database.ROLES]
    stack.connect("mlflow").close()
    assert stack.end(signal.SIGTERM)[0] == 143 and not stack.processes()
