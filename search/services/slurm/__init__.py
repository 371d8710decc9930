"""A search as a batch job of a cluster: scripts for Slurm, which `make slurm` prints, and a manifest for
Kubernetes, which is filled in by hand. What is typed enters a script as text that its shell does not read.
"""

import re
import shlex
from pathlib import Path

from search import redact, tasks
from search.errors import UsageError, unknown
from search.storage import postgres
from search.storage.base import check_name
from search.study.opening import source_of

SCRIPTS = {"ray": "slurm-ray.sh", "join": "slurm-join.sh"}  # by HOW=
RAY_ALONE = ("cpus", "gpus", "memory")


def slurm(how, jobs, options):
    """A batch script for Slurm, as text.

    Args:
        how: "ray": one search, on a Ray cluster of so many `jobs`; "join": so many coordinators of one study.
        options: those of the search, by name, and its `storage`.

    Raises UsageError.
    """
    if how not in SCRIPTS:
        raise unknown("HOW", how, SCRIPTS)
    if jobs is None:
        raise UsageError("JOBS is missing: on how many nodes? A whole number from 1 to 256")
    said = {name: value for name, value in options.items() if value is not None}
    _check(how, said)
    fixed = {"ray": {"trainers": "ray", "address": "auto"}, "join": {"join": 1}}[how]
    script = (Path(__file__).parent / SCRIPTS[how]).read_text(encoding="utf-8")
    filled = {"name": said["task"], "last": str(jobs - 1), "command": _command(said | fixed)}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], script)


def _check(how, said):
    """Raises UsageError where the search would, or where the script could not hold what was said."""
    task = tasks.find(said["task"])
    if "study" in said:
        check_name(said["study"])
    source_of(task, said.get("data"))
    if how == "join":
        if "storage" not in said:
            raise UsageError("HOW=join needs STORAGE=postgresql://..., the database that coordinators share")
        if alone := [name.upper() for name in RAY_ALONE if name in said]:
            raise UsageError(
                f"{', '.join(alone)} is for HOW=ray alone: a coordinator has a trainer on each core"
            )
    if "storage" in said:
        postgres.check(said["storage"])
    for name, value in said.items():
        if not str(value).isprintable():
            raise UsageError(f"{name.upper()} {value!r} is not valid: one line of text")
        if redact.held(str(value).encode()):
            raise UsageError(f"{name.upper()} holds a password: it belongs into a file that PGPASSFILE names")


def _command(said):
    """The search as a command, each word quoted.

    Not by make: it hands on the signal before the end that Slurm sends to all, and the second of two ends a
    search at once.
    """
    words = [f"--{name.replace('_', '-')}={value}" for name, value in said.items()]
    return shlex.join([".venv/bin/python", "-m", "search", "search", *words])
