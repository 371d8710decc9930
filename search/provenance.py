"""Where a trial was trained: code, machine, versions. Kept with each, so that it can be repeated."""

import importlib.metadata
import subprocess

from objectives.replay import machine
from search import places

PACKAGES = ("torch", "numpy", "optuna", "mlflow")


def provenance():
    """The git commit, whether the tree differs from it, package versions and the machine."""
    commit = _git("rev-parse", "HEAD")
    return {
        "commit": commit or "none",
        "dirty": bool(_git("status", "--porcelain")) if commit else True,
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": machine(),
    }


def _git(*arguments):
    """What git says; nothing where it is not there or this is no checkout."""
    try:
        asked = subprocess.run(["git", *arguments], cwd=places.ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
