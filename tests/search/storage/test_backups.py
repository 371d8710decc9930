"""Copies: what a search leaves behind, what is kept before it is cut, and the way back."""

import pytest
from stores import here

from search import paths
from search.cli.app import main
from search.errors import StoreError
from search.storage import backups
from search.study.opening import open_study
from search.study.stored import StoredStudy


@pytest.fixture
def at(monkeypatch):
    """`at(3)` makes it the third second."""
    return lambda second: monkeypatch.setattr(
        "search.storage.backups._now", lambda: f"20261125T1030{second:02}Z"
    )


def copies():
    return sorted(path.name for path in paths.backups().iterdir())


def test_a_search_leaves_a_copy_where_it_changed_the_study(database):
    search = ["search", "--task", "bowl", "--trainers", "inline", "--confirm", "0"]
    assert main([*search, "--trials", "2"]) == 0
    assert main([*search, "--trials", "2"]) == 0
    [first] = backups.of(here().path("bowl-builtin"))
    assert first.read_bytes() == here().path("bowl-builtin").read_bytes()


def test_the_latest_three_of_each_study_stay_and_all_else(searched, at, tell):
    file = here().path("searched")
    with open_study(here(), searched.task, "searched.too") as other:
        at(0)
        backups.rotate(here().path(other.name))
        kept = backups.keep([file])
    for second in range(1, 6):
        at(second)
        tell(searched, 0.5)
        backups.rotate(file)
        backups.rotate(file)  # it has not changed
    own = [f"searched.20261125T1030{second:02}Z.journal" for second in (3, 4, 5)]
    assert copies() == [kept.name, *own, "searched.too.20261125T103000Z.journal"]
    assert [path.name for path in backups.of(file)] == [*reversed(own), "searched.journal"]


def test_two_repairs_in_one_second_are_kept_apart(searched, at):
    at(0)
    file = here().path("searched")
    assert backups.keep([file]) != backups.keep([file])
    assert copies() == ["20261125T103000Z", "20261125T103000Z-2"]


def test_a_torn_end_is_kept_before_it_is_cut_and_that_is_said(searched, capsys):
    searched.__exit__()
    file = here().path("searched")
    whole = file.read_bytes()
    for end in (b'{"op_code"', b'{"op_code"\n', b"\0" * 10):
        file.write_bytes(whole + end)
        with open_study(here(), searched.task, "searched"):
            assert file.read_bytes() == whole
        said = capsys.readouterr().err
        assert f"its last {len(end)} bytes are cut off; backup: " in said and said.count("\n") == 1
        assert backups.of(file)[0].read_bytes() == whole + end


def test_a_damaged_study_names_its_newest_whole_copy_or_says_that_there_is_none(searched, at, tell):
    file = here().path("searched")
    for second in range(3):
        at(second)
        tell(searched, 0.5)
        backups.rotate(file)
    newest, whole, _ = backups.of(file)
    newest.write_bytes(newest.read_bytes()[:-5])
    file.write_bytes(b"")
    with pytest.raises(StoreError, match=f"searched.journal is damaged: .* put back by: cp {whole} {file}$"):
        StoredStudy.read(here(), "searched")
    for path in (whole, backups.of(file)[2]):
        path.write_bytes(b"nothing\n")
    with pytest.raises(StoreError, match=f"There is no whole copy of it in {paths.backups()}$"):
        StoredStudy.read(here(), "searched")


def test_a_copy_that_cannot_be_made_fails_no_search(database, capsys):
    paths.backups().parent.mkdir(parents=True, exist_ok=True)
    paths.backups().write_text("in the way")
    search = ["search", "--task", "bowl", "--trainers", "inline", "--confirm", "0", "--trials", "2"]
    assert main(search) == 0
    assert f"could not be copied to {paths.backups()}: File exists.\n" in capsys.readouterr().out
