"""The frozen script that a task's defaults would have."""

from search import tasks
from search.frozen_script.script import preview


def preview_of(task) -> str:
    """The text, with the ranges that the task searches."""
    searched = {name: tasks.describe(range_) for name, range_ in tasks.ranges(task).items()}
    return preview(task, tasks.defaults(task), searched)
