"""The steps of a search: search or try, then export, then handin. Each is what a person would type."""

import sys
from dataclasses import dataclass

from search.services.queue import process
from search.services.queue.tables import Search

NEXT = {"search": "export", "try": "export", "export": "handin", "handin": ""}  # what follows a step
REASONS = {
    "try": "it does what was asked of it",
    "export": "its winner is frozen into a script, which is proved",
    "handin": "its study is packed as a hand-in",
}


@dataclass(frozen=True)
class Place:
    """Where searches run.

    Attributes:
        jobs: trainers of all searches together; None where a cluster has its own limit.
        options: of each search, such as --trainers=ray.
        storage: the address of the studies; None for files.
    """

    jobs: int | None
    options: tuple[str, ...] = ()
    storage: str | None = None


def command(search: Search, step: str, jobs: int, place: Place) -> list[str]:
    """The command of a step.

    Args:
        jobs: its trainers.
    """
    options: dict[str, object] = {"task": search.task, "study": search.study}
    if step == "search":
        left = search.seconds_left
        options |= {
            "data": search.data,
            "seed": search.seed,
            "trials": search.trials,
            "timeout": None if left is None else f"{left:.2f}",
            "bar": search.threshold,
            "jobs": jobs if place.jobs else None,
        }
    elif step != "try":
        options |= {"out": process.folder(search.id) / step}
    words = [sys.executable, "-m", "search", step]
    words += [f"--{name}={value}" for name, value in options.items() if value is not None]
    return words + (list(place.options) if step == "search" else [])
