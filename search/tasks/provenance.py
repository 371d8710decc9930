"""Where a trial was trained: code, machine, versions. Each trial keeps it, so that it can be repeated."""

import importlib.metadata
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from objectives.replay import machine
from search import paths
from search.tasks import device

VERSIONED = ("torch", "numpy", "optuna", "mlflow")  # the libraries whose versions are kept
NO_COMMIT = "none"  # the commit of a folder that is no git repository of its own


def provenance(trained_on: str = "cpu") -> dict[str, Any]:
    """The git commit, whether the tree differs from it, package versions and the machine.

    A GPU replaces the processor: a frozen script trains on the CPU, and so it sees that the machine differs.
    """
    commit = git("rev-parse", "HEAD") if _is_own_repository() else None
    return {
        "commit": commit or NO_COMMIT,
        "dirty": commit is not None and git("status", "--porcelain") != "",
        "packages": {name: importlib.metadata.version(name) for name in VERSIONED},
        "machine": machine() | ({} if trained_on == "cpu" else {"processor": device.name(trained_on)}),
    }


def commit_of(provenance: Mapping[str, Any]) -> str:
    """The commit of a trial's provenance in words: the commit, "-dirty" after it, or "no commit"."""
    commit = str(provenance.get("commit", NO_COMMIT))
    if commit == NO_COMMIT:
        return "no commit"
    return f"{commit}-dirty" if provenance.get("dirty") else commit


def git(*arguments: str) -> str | None:
    """The output of a git command in this checkout; None where it fails, as it does without a repository."""
    # Otherwise git writes to its index. If it is killed then, its lock stays and blocks commits.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        result = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _is_own_repository() -> bool:
    """Whether the project's root is the top of a git repository, not a folder within another one."""
    top = git("rev-parse", "--show-toplevel")
    return bool(top) and os.path.realpath(str(top)) == os.path.realpath(paths.ROOT)
