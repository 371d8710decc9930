"""Tasks that a test writes, and the groups in which its trials train."""

import boundary
import pytest

from search.trainers.groups.together import Together


@pytest.fixture
def write_task(task_files):
    """`write_task(name, code)` makes a task in which `code` replaces parts of boundary.TEXT: its module."""
    return lambda name, code="": task_files.write(name, boundary.TEXT + code)


@pytest.fixture
def sizes(monkeypatch):
    """How many networks took their steps together, each time."""
    seen, take = [], Together.take

    def heard(self, descents):
        taken = take(self, descents)
        seen.extend([len(taken)] if taken else [])
        return taken

    monkeypatch.setattr(Together, "take", heard)
    return seen
