"""The frame of all commands: help, the version, and one line for whatever fails."""

import os
import re
import subprocess
import sys

import forks
import pytest
from typed import said

from search import paths
from search.cli.app import COMMANDS, main, option_names


def test_help_is_the_reference(capsys):
    assert main(["--help"]) == 0
    out, _ = said(capsys)
    assert all(f"\n  {name}: " in out for name in COMMANDS) and "exit codes:" in out and "--debug" in out
    for arguments in [], ["-h"], ["--trials", "3"]:
        assert main(arguments) == 0
        assert said(capsys)[0] == out
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        shown, error = said(capsys)
        assert f"python -m search {name} " in shown and f"Example: make {name}" in shown and error == ""
        listed = re.findall(r"^  --([a-z-]+)", shown, re.MULTILINE)
        assert set(listed) == set(option_names(name)) - {"-q"}, name


def test_a_command_has_help_of_its_own_with_defaults_and_an_example(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for arguments in ["search", "--help"], ["search", "--task", "bowl", "-h"]:
        assert main(arguments) == 0
        out, _ = said(capsys)
        assert "--timeout S" in out and "[default: 300]" in out and "Example: make search TASK=" in out
        assert "exit codes" not in out and "--fix" not in out


@pytest.mark.parametrize("typed", ["--version", "search --version"])
def test_the_version_is_that_of_the_package(typed, capsys):
    assert main(typed.split()) == 0
    assert said(capsys) == ("Trialbook 0.2.0\n", "")


def test_a_fault_of_ours_is_one_line_and_its_traceback_lies_in_a_file(searched, capsys, monkeypatch):
    monkeypatch.setattr("search.storage.files.FileStore.names", lambda store: 1 / 0)
    for _ in range(2):
        assert main(["status"]) == 1
        assert said(capsys)[1] == (
            "error: a fault of this program: ZeroDivisionError: division by zero "
            f"(where: {paths.faults()}, or --debug)\n"
        )
    assert paths.faults().read_text().count("Traceback") == 2
    for debug in ("--debug", "--DEBUG=1"):
        with pytest.raises(ZeroDivisionError):
            main(["status", debug])


def test_a_file_that_cannot_be_written_is_named_in_one_line(searched, database, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["report", "--task", "bowl", "--out", str(tmp_path / "file" / "below")]) == 3
    assert said(capsys)[1].startswith(f"error: {tmp_path}/file")


def test_what_is_wrong_is_one_line_that_can_be_read_whatever_was_typed(searched, tmp_path, capsys):
    file = tmp_path / "a\nb\u2028\x1b[2J"
    file.touch()
    named = ["--task", "bowl", "--study", "searched"]
    assert main(["report", *named, "--out", str(file / "below")]) == 3
    err = said(capsys)[1]
    assert err.endswith("a\\nb\\u2028\\x1b[2J/below: Not a directory\n") and len(err.splitlines()) == 1
    assert main(["status", "--task", "x" * 100_000]) == 2
    err = said(capsys)[1]
    assert err.startswith("error: unknown TASK 'xxx") and "valid are" in err and len(err) < 1000


@pytest.mark.integration
def test_a_name_that_is_no_text_can_be_said(searched, tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    process, output, errors = forks.start(*["report", "--task", "bowl", "--out"], os.fsdecode(folder))
    with output, errors:
        assert "/\\udcff/searched.html" in output.read() and errors.read() == ""
    process.join()
    assert process.exitcode == 0
    assert os.path.exists(folder + b"/searched.html")


@pytest.mark.integration
def test_a_backend_that_matplotlib_does_not_know_is_one_line(tmp_path):
    command = [sys.executable, "-m", "search", "grade", "--check-dependencies"]
    nonsense = os.environ | {"MPLBACKEND": "nonsense"}
    done = subprocess.run(command, cwd=paths.ROOT, env=nonsense, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: MPLBACKEND 'nonsense' is not valid: agg, or nothing, which chooses one\n"
