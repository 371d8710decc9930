"""Finds a task's module by its name."""

import importlib
import inspect
import traceback

import objectives
from search.errors import TaskError, unknown
from search.primitives.text import one_line
from search.tasks.task import Task


def find(name: str) -> Task:
    """Import the module of a task. Raises UsageError where it does not exist, TaskError where it fails."""
    if name not in objectives.names():
        raise unknown("TASK", name, objectives.names())
    try:
        return importlib.import_module(f"objectives.{name}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's file may raise anything, SystemExit too
        raise TaskError(f"task {name!r} cannot be imported: {one_line(error)}{_location(error)}") from None


def name_of(task: Task) -> str:
    """The task's only name: its file's."""
    return task.__name__.rpartition(".")[2]


def doc_of(task: Task) -> str:
    """The docstring of a task, or its name where the docstring has been deleted."""
    return (inspect.getdoc(task) or "").strip() or name_of(task)


def question_of(task: Task) -> str:
    """The question that a task asks: the first line of its docstring."""
    return doc_of(task).splitlines()[0]


def _location(error: BaseException) -> str:
    """The file and line that raised an exception, in words; "" for a SyntaxError, which names them itself."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
    ]
    if isinstance(error, SyntaxError) or len(frames) < 2:  # the first is `find`
        return ""
    return f" ({frames[-1].filename}, line {frames[-1].lineno})"
