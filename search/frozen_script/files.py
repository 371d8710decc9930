"""A frozen script as a file: read without running it, written whole, proved in a clean interpreter."""

import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from search import paths
from search.errors import NoWinner, TrialbookError
from search.frozen_script.script import record_in, values_in

UNREADABLE = (  # the exceptions of `record` and `values` for a file that is no frozen script
    *(SyntaxError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError),
    OSError,
)
OTHER_DATA = re.compile(r"as these differ: (.*, )?data\b")  # what a script prints on other data


def record(path: Path) -> dict[str, Any]:
    """The RECORD of a frozen script."""
    return record_in(ast.parse(path.read_text(encoding="utf-8")))


def values(path: Path) -> dict[str, Any]:
    """The defaults of a frozen script's Config, by name."""
    return values_in(ast.parse(path.read_text(encoding="utf-8")))


def find(task_name: str) -> Path:
    """The frozen script of a task. Raises NoWinner."""
    path: Path = paths.frozen(task_name)
    if not path.exists():
        raise NoWinner(f"no frozen winner of {task_name}: make search export TASK={task_name}")
    return path


def write(path: Path, text: str) -> Path:
    """Write a file whole, or not at all. Returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    return unfinished.replace(path)


def prove(text: str, data_path: Path) -> None:
    """Run a script in a clean interpreter, far from this project. Raises TrialbookError on a miss."""
    with tempfile.TemporaryDirectory() as folder:
        script = write(Path(folder) / "script.py", text)
        command = [sys.executable, "-I", str(script), "--data-file", str(data_path.resolve())]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if OTHER_DATA.search(result.stdout):
        raise TrialbookError(f"{data_path} is not what the trial was trained on: the script was not written")
    if result.returncode != 0:
        last = " ".join((result.stdout + result.stderr).strip().splitlines()[-2:])[:300]
        raise TrialbookError(f"the script does not reach its score, and was not written: {last}")
