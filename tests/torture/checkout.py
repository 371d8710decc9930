"""A copy of the checkout: the torture runs in it, and work in the checkout does not disturb it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = ".torture"  # a file that each copy has
GIT = ("git", "-c", "user.name=torture", "-c", "user.email=torture@localhost", "-c", "commit.gpgsign=false")


def is_copy():
    """Whether this program runs in a copy."""
    return (ROOT / MARK).exists()


def copy(folder):
    """Copy the checkout as it now is, without its studies, into a folder that is not there yet.

    The copy has a git repository of its own. It shares the installed libraries and the prepared data.
    """
    shutil.copytree(ROOT, folder, symlinks=True, ignore=_ignored)
    (folder / "mlruns").mkdir()
    (folder / MARK).touch()
    for shared in (".venv", "data/cache"):
        if (ROOT / shared).exists():
            (folder / shared).symlink_to((ROOT / shared).resolve())
    if shutil.which("git"):
        for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=copy"]):
            subprocess.run([*GIT, *command], cwd=folder, check=True)


def run(arguments, folder):
    """Run the torture with these arguments in a new copy. Returns its exit code."""
    copy(folder)
    command = [sys.executable, "-m", "tests.torture", *arguments]
    without_caches = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # cases look for files that are new
    return subprocess.run(command, cwd=folder, env=without_caches).returncode


def _ignored(folder, names):
    """What a copy does not have: studies, caches, environments."""
    unwanted = {"__pycache__"}
    if Path(folder) == ROOT:
        unwanted |= {"mlruns", "mlflow.db", *(name for name in names if name.startswith("."))} - {
            ".gitignore"
        }
    if Path(folder) == ROOT / "data":
        unwanted |= {"cache", "course"}
    return unwanted
