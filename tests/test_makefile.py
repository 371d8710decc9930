"""The front door: what is typed reaches the program as it was typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*arguments, **environment):
    """Run make with this interpreter's environment as the one that is set up."""
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(autouse=True)
def own_environment():
    """The Makefile runs `.venv`: without one that is up to date, it would set one up here."""
    if Path(sys.prefix) != ROOT / ".venv" or make("-q", ".venv/ready").returncode != 0:
        pytest.skip("these tests do not run in an up-to-date .venv: `make test` does")


def test_bare_make_lists_every_verb_with_one_sentence():
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", make().stdout, re.MULTILINE))
    declared = re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed.keys() == set(declared)
    assert {"search", "status", "winner", "export", "ui", "test", "setup", "bench"} <= listed.keys()


@pytest.mark.parametrize(
    "name",
    [
        "$(shell touch {})",
        "$$(touch {})",
        "`touch {}`",
        '"; touch {}; "',
        "'; touch {}; '",
        "$HOME",
        "a b",
        "\\",
    ],
)
def test_what_is_typed_is_not_executed(name, tmp_path):
    trap = tmp_path / "trap"
    typed = name.replace("{}", str(trap))
    done = make("search", f"TASK={typed}")
    assert not trap.exists()
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(f"error: unknown TASK {typed!r}: valid are")


def test_options_are_those_of_the_command_line():
    assert "unknown option 'trails'" in make("search", "TASK=langid", "TRAILS=3").stderr
    assert "TRIALS '0' is not valid" in make("search", "TASK=langid", "TRIALS=0").stderr
    assert "DATA_DIR 'nowhere' is not a folder" in make("search", "TASK=langid", "DATA_DIR=nowhere").stderr


def test_variables_of_the_environment_are_not_options():
    assert "TASK is missing" in make("search", TASK="langid", TRIALS="x").stderr
