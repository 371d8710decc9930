"""Services whose queue and studies are in a PostgreSQL database, which goes away or has another service."""

import contextlib
import os
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

import databases
import forks
import psycopg
import pytest
import requests

pytestmark = [pytest.mark.thorough, pytest.mark.xdist_group("nursery"), pytest.mark.usefixtures("nursery")]

PATIENCE = 20.0  # seconds until what must happen has happened
MANY = 100_000  # trials, which nobody waits for


class Serving:
    """`python -m search serve` in a home of its own.

    Args:
        home: where its files are.
        storage: the address of its database.
    """

    def __init__(self, home, storage):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.printed, self.address = home / "printed", f"http://127.0.0.1:{port}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRIALBOOK_HOME", str(home))
            patch.setenv("TRIALBOOK_STORAGE", storage)
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")  # so no pages of MLflow start
            self.process = forks.start_into(self.printed, "serve", "--port", str(port), "--jobs", "1")

    @property
    def said(self):
        return self.printed.read_text() if self.printed.exists() else ""

    def until(self, wanted, path="/healthz", status=200):
        """Ask again and again until the answer has a status and is as wanted. Returns the answer."""
        deadline, answer = time.monotonic() + PATIENCE, None
        while True:
            try:
                answer = requests.get(self.address + path, timeout=30)
                if answer.status_code == status and wanted(answer):
                    return answer
            except requests.ConnectionError:
                assert self.process.exitcode is None, self.said
            assert time.monotonic() < deadline, (answer and answer.text, self.said)
            threading.Event().wait(0.05)

    def is_healthy(self):
        return self.until(lambda answer: answer.text == "ok")

    def add(self, **asked):
        made = requests.post(f"{self.address}/api/searches", json={"task": "slow"} | asked, timeout=30)
        assert made.status_code == 201, made.text
        return made.json()["id"]

    def until_state(self, number, state):
        return self.until(lambda answer: answer.json()["state"] == state, f"/api/searches/{number}").json()

    def end(self, number=signal.SIGTERM):
        if self.process.is_alive():
            os.kill(self.process.pid, signal.SIGCONT)
            os.kill(self.process.pid, number)
        self.process.join(PATIENCE)
        return self.process.exitcode


@pytest.fixture
def serve_storage(tmp_path, database):
    """`serve_storage("ann", address)` serves a database from a folder of that name."""
    services = []

    def serve(name, address):
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        (home / "mlflow.db").write_bytes(Path(database).read_bytes())
        services.append(Serving(home, address))
        return services[-1]

    yield serve
    for service in services:
        service.end(signal.SIGKILL)
        for pid_file in service.printed.parent.glob("mlruns/service/*/process"):
            if pid_file.read_text().strip():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid_file.read_text()), signal.SIGKILL)


@pytest.fixture
def own_server(tmp_path_factory):
    """A PostgreSQL server that a test may stop."""
    if not databases.tool("initdb"):
        pytest.skip("NOT TRIED ON A DATABASE: PostgreSQL is not installed (Debian: apt install postgresql)")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with databases.server(Path(folder) / "data") as server:
            yield server


def end_holder(storage):
    """End the session that holds the claim of a service."""
    with psycopg.connect(storage, autocommit=True) as session:
        held = "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
        session.execute(held)


def reasons(search):
    return [change["reason"] for change in search["changes"]]


def test_second_service_of_a_database_is_told_who_has_it_and_can_follow_it(storage, serve_storage):
    first = serve_storage("first", storage)
    first.is_healthy()
    second = serve_storage("second", storage)
    second.process.join(PATIENCE)
    said = f"the queue in the database of STORAGE is served by process {first.process.pid} on "
    assert second.process.exitcode == 4 and said in second.said and second.said.count("\n") == 1
    assert first.end() == 143
    third = serve_storage("third", storage)
    third.is_healthy()


def test_service_that_lost_its_database_to_another_starts_nothing_until_it_has_it_again(
    storage, serve_storage
):
    first = serve_storage("first", storage)
    first.is_healthy()
    os.kill(first.process.pid, signal.SIGSTOP)  # as a machine that sleeps
    end_holder(storage)
    second = serve_storage("second", storage)
    second.is_healthy()
    os.kill(first.process.pid, signal.SIGCONT)
    fault = first.until(lambda answer: answer.text != "ok", status=503)
    said = f"is served by process {second.process.pid} on "
    assert said in fault.text and "connection to the database was lost" in fault.text
    assert "\n" not in fault.text

    number = first.add(trials=MANY)  # the queue is one
    found = second.until_state(number, "searching")
    assert reasons(found).count("it is its turn") == 1
    home = first.printed.parent
    assert not (home / "mlruns" / "service" / str(number)).exists()

    assert second.end() == 143
    first.is_healthy()
    found = first.until(
        lambda answer: reasons(answer.json()).count("it is its turn") == 2, f"/api/searches/{number}"
    )
    assert "the service started again" in reasons(found.json())
    assert (home / "mlruns" / "service" / str(number) / "lock").exists()
    assert first.end() == 143


def test_service_survives_the_end_of_its_sessions(storage, serve_storage, monkeypatch):
    service = serve_storage("first", storage)
    service.is_healthy()
    number = service.add(trials=MANY)
    service.until_state(number, "searching")
    for _ in range(3):
        databases.end_backends(storage)
        answer = requests.get(f"{service.address}/api/searches/{number}/trials", timeout=30)
        assert answer.status_code in (200, 503), answer.text
    service.is_healthy()
    trains_on(service, storage, number)
    assert "Traceback" not in service.said and service.end() == 143


def trains_on(service, storage, number):
    """Wait until a search has trained more than now, in the same process."""
    search = service.until_state(number, "searching")
    assert reasons(search).count("it is its turn") == 1
    found = service.until(lambda answer: True, f"/api/searches/{number}/trials").json()
    epochs = sum(trial["epochs"] for trial in found)
    service.until(
        lambda answer: sum(trial["epochs"] for trial in answer.json()) > epochs,
        f"/api/searches/{number}/trials",
    )


def test_service_without_its_database_says_so_and_goes_on_when_it_returns(own_server, serve_storage):
    storage = own_server.address()
    service = serve_storage("first", storage)
    service.is_healthy()
    number = service.add(trials=MANY)
    service.until_state(number, "searching")
    own_server.stop()
    try:
        fault = service.until(lambda answer: True, status=503)
        assert "\n" not in fault.text and "refused" in fault.text
        asked = {"json": {"task": "slow", "trials": 3}, "timeout": 30}
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", f"/{number}"),
            ("GET", f"/{number}/trials"),
            ("POST", f"/{number}/pause"),
        ):
            answer = requests.request(method, f"{service.address}/api/searches{path}", **asked)
            assert answer.status_code == 503, (path, answer.text)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert "\n" not in answer.json()["detail"] and "refused" in answer.json()["detail"]
        page = requests.get(service.address, timeout=30)
        assert page.status_code == 503 and "refused" in page.text
    finally:
        own_server.start()
    service.is_healthy()
    trains_on(service, storage, number)
    assert "Traceback" not in service.said and service.end() == 143
