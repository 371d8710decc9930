"""A confirmed study, a PostgreSQL server, a search service, a browser: for the tests that need one."""

import os
import tempfile
import uuid
from pathlib import Path

import browsers
import databases
import psycopg
import pytest
from served import class_web, serve_web, web  # noqa: F401

from search.coordinator import confirm
from search.executors.inline import Inline


@pytest.fixture
def confirmed(searched):
    """A study of the bowl whose contenders have fresh seeds."""
    confirm(searched, Inline(searched), replicates=2)
    return searched


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server. Another user must reach its folder."""
    if not databases.tool("initdb"):
        pytest.skip("NOT TRIED ON A DATABASE: PostgreSQL is not installed (Debian: apt install postgresql)")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with databases.server(Path(folder) / "data") as server:
            yield server


@pytest.fixture
def storage(server, monkeypatch):
    """The address of an empty database of a test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server.address(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    monkeypatch.setenv("TRIALBOOK_STORAGE", server.address(name))
    return server.address(name)


@pytest.fixture
def browser(tmp_path):
    """A browser whose window is 1280 pixels wide."""
    if not browsers.HERE:
        pytest.skip(
            "NOT LOOKED AT: chromium or chromedriver is missing (apt install chromium chromium-driver)"
        )
    with browsers.opened(tmp_path, 1280, 1000) as browser:
        yield browser
