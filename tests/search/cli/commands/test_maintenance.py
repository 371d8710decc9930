"""The commands that keep studies in order: what each writes and says."""

from typed import said

from search import paths
from search.cli.app import main


def test_void_and_unvoid_are_said_and_logged(searched, database, capsys):
    searched.__exit__()
    named = ["--task", "bowl", "--study", "searched"]
    assert main(["export", *named]) == 0
    number = searched.best().number
    assert main(["void", *named, "--trials", f"{number},0-1", "--reason", "the mask was wrong"]) == 0
    out, _ = said(capsys)
    assert "are void" in out and "was made from a trial that is void" in out
    assert "# VOID, do not use" in paths.frozen("bowl").read_text()
    assert main(["unvoid", *named, "--trials", "0-11"]) == 0
    assert "12 trials count" in said(capsys)[0]
    assert "# VOID, do not use" not in paths.frozen("bowl").read_text()
    assert main(["unvoid", *named, "--code", searched.trial(0).fingerprint["code"]]) == 2
    assert "no trial is meant" in said(capsys)[1]


def test_wrong_usage_of_void_writes_nothing(searched, home, capsys):
    searched.__exit__()
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert main(["void", "--task", "bowl", "--study", "searched", "--trials", "99", "--reason", "x"]) == 2
    assert "there is no trial 99" in said(capsys)[1]
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
