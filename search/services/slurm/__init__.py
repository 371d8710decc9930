"""A search as a batch job: scripts that `make slurm` prints for Slurm, and a manifest for Kubernetes.

Options enter a script as quoted text, which its shell does not interpret. A person fills in the manifest.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from search import tasks
from search.errors import UsageError, unknown
from search.primitives import redact
from search.storage import postgres
from search.storage.base import check_name
from search.study.opening import source_of

Value = str | int | float  # of an option

SCRIPTS = {"ray": "slurm-ray.sh", "join": "slurm-join.sh"}  # by HOW=
FIXED: dict[str, dict[str, Value]] = {"ray": {"trainers": "ray", "address": "auto"}, "join": {"join": 1}}
RAY_ONLY = ("cpus", "gpus", "memory")


def slurm(how: str, jobs: int | None, task: str, options: Mapping[str, Value | None]) -> str:
    """The text of a batch script for Slurm. Raises UsageError.

    Args:
        how: "ray": one search, on a Ray cluster of so many `jobs`; "join": so many coordinators of one study.
        task: the name of a task.
        options: those of the search, by name, and its `storage`; None or False for the default.
    """
    if how not in SCRIPTS:
        raise unknown("HOW", how, SCRIPTS)
    if jobs is None:
        raise UsageError("JOBS is missing: on how many nodes? A whole number from 1 to 256")
    given = {
        name: 1 if value is True else value
        for name, value in options.items()
        if value is not None and value is not False
    }
    _check(how, task, given)
    script = (Path(__file__).parent / SCRIPTS[how]).read_text(encoding="utf-8")
    command = _command({"task": task} | given | FIXED[how])
    values = {"name": task, "last": str(jobs - 1), "command": command}
    return re.sub(r"\{\{(\w+)\}\}", lambda placeholder: values[placeholder[1]], script)


def _check(how: str, task: str, given: Mapping[str, Value]) -> None:
    """Raise UsageError if the search would, or if a value does not fit into a script."""
    texts = {"task": task} | {name: str(value) for name, value in given.items()}
    if "study" in texts:
        check_name(texts["study"])
    source_of(tasks.find(task), texts.get("data"))
    if how == "join":
        if "storage" not in texts:
            raise UsageError("HOW=join needs STORAGE=postgresql://..., the database that coordinators share")
        if ray_only := [name.upper() for name in RAY_ONLY if name in texts]:
            raise UsageError(
                f"{', '.join(ray_only)} is for HOW=ray alone: a coordinator has a trainer on each core"
            )
    if "storage" in texts:
        postgres.check(texts["storage"])
    for name, text in texts.items():
        if not text.isprintable():
            raise UsageError(f"{name.upper()} {text!r} is not valid: one line of text")
        if redact.held(text.encode()):
            raise UsageError(f"{name.upper()} holds a password: put it into a file that PGPASSFILE names")


def _command(options: Mapping[str, Value]) -> str:
    """The search as a command, each word quoted.

    The command does not go through make. Slurm signals all processes before the end, and make would pass the
    signal on: two signals end a search at once.
    """
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return shlex.join([".venv/bin/python", "-m", "search", "search", *words])
