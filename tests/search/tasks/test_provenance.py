"""What is asked of git."""

import os
import subprocess

import pytest

from search import paths
from search.tasks.provenance import commit_of, git, provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A file that git tracks, in a checkout whose index does not know that it is as it was."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    tracked = tmp_path / "tracked"
    tracked.write_text("as it was")
    for command in ("init -q", "add tracked", "-c user.name=me -c user.email=m@e commit -qm all"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    os.utime(tracked, (1, 1))
    return tracked


def test_asking_git_leaves_its_index_alone(checkout):
    index = checkout.parent / ".git" / "index"
    before = index.read_bytes()
    assert git("status", "--porcelain") == ""
    assert index.read_bytes() == before
    checkout.write_text("changed")
    assert git("status", "--porcelain") == "M tracked"


def test_where_git_fails_it_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git("rev-parse", "HEAD") is None


def test_provenance_in_an_own_repository_names_its_commit(checkout):
    found = provenance()
    assert (found["commit"], found["dirty"]) == (git("rev-parse", "HEAD"), False)
    checkout.write_text("changed")
    assert provenance()["dirty"] is True


def test_provenance_in_a_foreign_repository_has_no_commit(checkout, monkeypatch):
    inside = checkout.parent / "project"
    inside.mkdir()
    monkeypatch.setattr(paths, "ROOT", inside)
    found = provenance()
    assert (found["commit"], found["dirty"]) == ("none", False)


def test_provenance_without_a_repository_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = provenance()
    assert (found["commit"], found["dirty"]) == ("none", False)


@pytest.mark.parametrize(
    "found, words",
    [
        ({"commit": "abc", "dirty": False}, "abc"),
        ({"commit": "abc", "dirty": True}, "abc-dirty"),
        ({"commit": "none", "dirty": True}, "no commit"),
        ({}, "no commit"),
    ],
)
def test_commit_of_says_it_in_words(found, words):
    assert commit_of(found) == words
