"""Where a trial was trained: code, machine, versions. Kept with each, so that it can be repeated."""

import importlib.metadata
import subprocess

from objectives.replay import machine
from search import devices, places

PACKAGES = ("torch", "numpy", "optuna", "mlflow")


def provenance(device="cpu"):
    """The git commit, whether the tree differs from it, package versions and the machine.

    A GPU stands in its processor's place: a frozen script, which trains on the CPU, will see that it differs.
    """
    commit = git("rev-parse", "HEAD")
    return {
        "commit": commit or "none",
        "dirty": git("status", "--porcelain") != "",
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": machine() | ({} if device == "cpu" else {"processor": devices.name(device)}),
    }


def git(*arguments):
    """What git says of this checkout; None where it fails, as it does where there is none."""
    # Else git writes what it finds out to its index; if it is killed then, its lock stays and bars commits.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        asked = subprocess.run(command, cwd=places.ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
