"""Where a trial was trained: code, machine, versions. Kept with each, so that it can be repeated."""

import importlib.metadata
import os
import subprocess

from objectives.replay import machine
from search import paths
from search.tasks import device

PACKAGES = ("torch", "numpy", "optuna", "mlflow")
NO_COMMIT = "none"  # the commit of a folder that is no git repository of its own


def provenance(trained_on="cpu"):
    """The git commit, whether the tree differs from it, package versions and the machine.

    A GPU stands in its processor's place: a frozen script, which trains on the CPU, will see that it differs.
    """
    commit = git("rev-parse", "HEAD") if _is_own_repository() else None
    return {
        "commit": commit or NO_COMMIT,
        "dirty": commit is not None and git("status", "--porcelain") != "",
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": machine() | ({} if trained_on == "cpu" else {"processor": device.name(trained_on)}),
    }


def commit_of(provenance: dict) -> str:
    """The commit of a trial's provenance in words: the commit, "-dirty" after it, or "no commit"."""
    commit = provenance.get("commit", NO_COMMIT)
    if commit == NO_COMMIT:
        return "no commit"
    return f"{commit}-dirty" if provenance.get("dirty") else commit


def git(*arguments):
    """What git says of this checkout; None where it fails, as it does where there is none."""
    # Else git writes what it finds out to its index; if it is killed then, its lock stays and bars commits.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        asked = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def _is_own_repository() -> bool:
    """Whether the project's root is the top of a git repository, not a folder of somebody else's."""
    top = git("rev-parse", "--show-toplevel")
    return bool(top) and os.path.realpath(top) == os.path.realpath(paths.ROOT)
