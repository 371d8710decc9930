"""The front door: what is typed reaches the program as it was typed."""

import os
import re
import shutil
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


@pytest.fixture
def own_environment():
    """The Makefile runs `.venv`: without one that is up to date, it would set one up here."""
    if Path(sys.prefix) != ROOT / ".venv" or make("-q", ".venv/ready").returncode != 0:
        pytest.skip("these tests do not run in an up-to-date .venv: `make test` does")


def needs_environment(test):
    """Mark a test that runs commands in this environment."""
    return pytest.mark.integration(pytest.mark.usefixtures("own_environment")(test))


def test_bare_make_lists_every_verb_with_one_sentence():
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", make().stdout, re.MULTILINE))
    declared = re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed.keys() == set(declared)
    assert {"search", "status", "winner", "export", "ui", "test", "setup", "bench"} <= listed.keys()


@needs_environment
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


@needs_environment
def test_options_are_those_of_the_command_line():
    assert "unknown option 'trails'" in make("search", "TASK=langid", "TRAILS=3").stderr
    assert "TRIALS '0' is not valid" in make("search", "TASK=langid", "TRIALS=0").stderr
    assert "DATA_DIR 'nowhere' is not a folder" in make("search", "TASK=langid", "DATA_DIR=nowhere").stderr


@needs_environment
def test_variables_of_the_environment_are_not_options():
    assert "TASK is missing" in make("search", TASK="langid", TRIALS="x").stderr


PYTHON = """#!/bin/bash
if [ "$1" = -c ]; then echo "$VERSION"; exit; fi
printf '%s\\n' "$@" >> "$SAID"
if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
"""


@pytest.fixture
def set_up(tmp_path):
    """`set_up(version, *typed)` sets up a copy of the project by a stand-in for a Python of this version.

    Returns the process, and what was run: a line for each argument.
    """
    for name in ("Makefile", "requirements.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    python, ran = tmp_path / "python", tmp_path / "ran"
    python.write_text(PYTHON)
    python.chmod(0o755)
    ran.touch()

    def run(version, *typed):
        environment = os.environ | {"VERSION": version, "SAID": str(ran)}
        command = ["make", "--no-print-directory", "setup", f"PYTHON={python}", *typed]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        return done, ran.read_text().splitlines()

    return run


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_setup_with_a_python_that_is_supported_installs_all_that_is_pinned(set_up, tmp_path, version):
    done, ran = set_up(version)
    assert done.returncode == 0, done.stderr
    assert ran[:3] == ["-m", "venv", ".venv"]
    assert ran[3:] == ["-m", "pip", "install", "--disable-pip-version-check", "-r", "requirements.txt"]
    assert (tmp_path / ".venv" / "ready").exists()


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14", "3.15", "4.0", ""])
def test_setup_with_another_python_is_one_line_and_installs_nothing(set_up, tmp_path, version):
    done, ran = set_up(version)
    said = done.stderr.splitlines()
    assert done.returncode == 2 and ran == [] and not (tmp_path / ".venv").exists()
    shown = version or "not found"
    assert said[0] == (
        f"error: PYTHON '{tmp_path}/python' is {shown}: Python 3.11 to 3.13 is needed: "
        "make setup PYTHON=python3.13"
    )
    assert len(said) == 2 and said[1].startswith("make")


@pytest.mark.parametrize(
    "index", ["https://index.example/cpu", "$(shell touch trap)", "`touch trap`; touch trap"]
)
def test_setup_takes_torch_alone_from_its_index_whatever_was_typed(set_up, tmp_path, index):
    done, ran = set_up("3.12", f"TORCH_INDEX={index}")
    assert done.returncode == 0, done.stderr
    (pinned,) = re.findall("^torch==.*$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    pip = ["-m", "pip", "install", "--disable-pip-version-check"]
    assert ran[3:] == [
        *[*pip, "--quiet", "--no-deps", f"--index-url={index}", pinned],
        *[*pip, "-r", "requirements.txt"],
    ]
    assert not (tmp_path / "trap").exists() and not (tmp_path / "x").exists()


@needs_environment
def test_an_index_of_torch_is_no_option_of_a_command():
    assert "TASK is missing" in make("search", "TORCH_INDEX=https://index.example/cpu").stderr
