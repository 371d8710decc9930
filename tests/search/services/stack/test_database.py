"""The stack's PostgreSQL: what it needs, and whom it lets in."""

import os
from pathlib import Path

import pytest

from search import paths
from search.cli.app import main
from search.services.stack import database


@pytest.mark.usefixtures("postgresql")
@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as whoever runs these tests")
def test_a_folder_that_postgres_may_not_look_into_is_said_in_one_line(home, free, capsys):
    paths.home().mkdir(mode=0o700)
    assert main(["stack", "--port", str(free)]) == 3
    said = capsys.readouterr().err
    assert "cannot be set up" in said and "Permission denied" in said and said.count("\n") == 1
    assert not database.data().exists()


@pytest.mark.usefixtures("postgresql")
def test_a_password_that_is_lost_is_said_in_one_line(home, free, capsys):
    database.data().mkdir(parents=True)
    assert main(["stack", "--port", str(free)]) == 3
    assert "trialbook.pgpass is missing: it holds a password that" in capsys.readouterr().err


def test_without_postgresql_the_package_is_named_and_nothing_is_written(home, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(database, "DEBIAN_PROGRAMS", Path("/nowhere"))
    assert main(["stack"]) == 3
    said = capsys.readouterr().err
    assert "PostgreSQL is not installed" in said and "`postgresql`" in said and said.count("\n") == 1
    assert not home.exists()


@pytest.mark.parametrize(
    "host, listens, others",
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("192.0.2.1", "127.0.0.1,192.0.2.1", True),
        ("0.0.0.0", "*", True),
        ("::", "*", True),
    ],
)
def test_only_the_studies_are_for_others_and_only_where_they_are_let_in(host, listens, others, home):
    database.data().mkdir(parents=True)
    command = database.server(host, 5433).command
    assert f"listen_addresses={listens}" in command and "port=5433" in command
    rules = (database.data() / "pg_hba.conf").read_text().splitlines()
    assert all(rule.endswith(" scram-sha-256") for rule in rules)
    reached = [rule.split()[1:4] for rule in rules if "samehost" not in rule]
    assert reached == ([["trialbook", "trialbook", "all"]] if others else [])
