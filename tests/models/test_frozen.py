"""The committed winners reach their scores, each in a clean interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

import data
from search import tasks

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "models" / "frozen").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_frozen_script_reaches_its_score(script, tmp_path):
    path = tasks.find(script.stem).DATA.prepare("builtin")
    assert data.read(path)
    done = subprocess.run(
        [sys.executable, "-I", str(script), "--data", str(path)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
