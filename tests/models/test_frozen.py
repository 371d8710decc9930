"""The committed winners reach their scores, each in a clean interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search import tasks
from search.frozen_script.script import recut

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "models" / "frozen").glob("*.py"))
COURSE = os.environ.get("DATA_DIR", "")  # as the tests were called; each test sees another


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_frozen_scripts_are_what_the_sources_of_today_give(script):
    """After a change of the sources: `make refreeze`, then `make test-slow`."""
    text = script.read_text(encoding="utf-8")
    assert recut(text, tasks.find(script.stem)) == text


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_frozen_script_reaches_its_score(script, tmp_path):
    tasks.find(script.stem).DATA.prepare("builtin")
    command, environment = [sys.executable, "-I", str(script)], os.environ | {"DATA_DIR": COURSE}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    if done.returncode == 2:
        pytest.skip(f"{script.stem}: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_task_of_the_course_has_a_winner():
    questions = ["perceptron", "regression", "digits", "langid", "convolution", "attention", "chargpt"]
    assert {script.stem for script in SCRIPTS} >= set(questions)
