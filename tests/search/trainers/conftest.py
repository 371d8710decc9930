"""Tasks that a test writes."""

import boundary
import pytest


@pytest.fixture
def write_task(task_files):
    """`write_task(name, code)` makes a task in which `code` replaces parts of boundary.TEXT: its module."""
    return lambda name, code="": task_files.write(name, boundary.TEXT + code)
