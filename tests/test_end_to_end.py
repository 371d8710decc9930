"""The main job on real words: search, export, and the frozen script elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stores import here

from search.study.stored import StoredStudy

ROOT = Path(__file__).parents[1]


def run(*command, cwd=ROOT):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.thorough
def test_search_export_and_the_frozen_script(database, tmp_path):
    said = run("make", "search", "TASK=langid", "DATA=builtin", "TRIALS=1")
    assert "Study langid-builtin is new. Data: builtin" in said
    assert "make export TASK=langid" in said
    best = StoredStudy.read(here(), "langid-builtin").best()
    assert best.score > 0.8 and len(best.curve) == best.config["epochs"]

    run("make", "export", "TASK=langid", f"OUT={tmp_path / 'away'}")
    assert sorted(path.name for path in (tmp_path / "away").iterdir()) == ["langid.py", "words-builtin.npz"]

    (tmp_path / "empty").mkdir()
    said = run(sys.executable, "-I", str(tmp_path / "away" / "langid.py"), cwd=tmp_path / "empty")
    assert f"recorded {best.score!r}" in said
    assert "As recorded: expected equal to the last bit" in said
    assert list((tmp_path / "empty").iterdir()) == []
