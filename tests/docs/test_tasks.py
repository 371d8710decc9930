"""The example of docs/tasks.md works as it stands there: searched, exported, trained elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def example(tmp_path):
    """The example's file, in a folder of tasks outside the project. It is the first block of code."""
    blocks = re.findall("```python\n(.*?)```", (ROOT / "docs" / "tasks.md").read_text(), re.DOTALL)
    assert "METRIC" in blocks[0]
    path = tmp_path / "objectives" / "line.py"
    path.parent.mkdir()
    path.write_text(blocks[0])
    return path


def run(*command, **where):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, **where)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.thorough
def test_the_example_learns_the_plane(example, database, tmp_path):
    inside = {"cwd": ROOT, "env": {**os.environ, "PYTHONPATH": str(tmp_path)}}
    out = tmp_path / "away"
    said = run("-m", "search", "search", "--task", "line", "--trials", "3", "--trainers", "inline", **inside)
    assert "Which settings find the three numbers of a plane?" in said
    run("-m", "search", "export", "--task", "line", "--out", str(out), **inside)

    said = run("-I", str(out / "line.py"), cwd=tmp_path)
    assert "As recorded: expected equal to the last bit" in said
    planes = re.findall(r"plane 'y = (\S+) x0 \+ (\S+) x1 \+ (\S+)'", said)
    assert [float(number) for number in planes[-1]] == pytest.approx([7, 8, 3], abs=0.01)
