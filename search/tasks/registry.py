"""From a task's name to its module."""

import importlib
import inspect
import traceback
from types import ModuleType

import objectives
from search.errors import TaskError, unknown
from search.text import one_line


def find(name: str) -> ModuleType:
    """The module of a task. Raises UsageError where there is none; TaskError where its import fails."""
    if name not in objectives.names():
        raise unknown("TASK", name, objectives.names())
    try:
        return importlib.import_module(f"objectives.{name}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's file does, `sys.exit` too
        raise TaskError(f"task {name!r} cannot be imported: {one_line(error)}{_place(error)}") from None


def name_of(task: ModuleType) -> str:
    """The task's only name: its file's."""
    return task.__name__.rpartition(".")[2]


def doc_of(task: ModuleType) -> str:
    """The docstring of a task, whose first line is its question; its name where it has none any more."""
    return (inspect.getdoc(task) or "").strip() or name_of(task)


def question_of(task: ModuleType) -> str:
    """What a task asks, in one line."""
    return doc_of(task).splitlines()[0]


def _place(error: BaseException) -> str:
    """Where in a file of tasks an exception was raised, in words; a SyntaxError says so itself."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
    ]
    if isinstance(error, SyntaxError) or len(frames) < 2:  # the first is `find`
        return ""
    return f" ({frames[-1].filename}, line {frames[-1].lineno})"
