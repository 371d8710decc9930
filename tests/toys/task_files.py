"""Task files that a test writes, for itself and for the trainers that it starts."""

import importlib
import linecache
import os
import sys

import objectives
from search import tasks


class TaskFiles:
    """The tasks in a folder of a test's own: see the fixtures `write_task` and `edited_bowl`."""

    def __init__(self, folder, monkeypatch):
        self.folder, self._names = folder / "objectives", set()
        self.folder.mkdir(parents=True)
        monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(self.folder)])
        monkeypatch.syspath_prepend(folder)  # which trainers are told; other processes have PYTHONPATH
        toys = os.path.dirname(__file__)
        path = [str(folder), toys, os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)  # of two texts of one second and one length

    def write(self, name, text):
        """Write a task, or another text of it, as a new process would see it. Returns its module."""
        self.put(name, text)
        return tasks.find(name)

    def put(self, name, text):
        """Write a file that may be no task; None deletes it."""
        path = self.folder / f"{name}.py"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text, encoding="utf-8")
        self._names.add(name)
        self.forget()

    def forget(self):
        """Let each be imported anew."""
        for name in self._names:
            sys.modules.pop(f"objectives.{name}", None)
            vars(objectives).pop(name, None)
        importlib.invalidate_caches()
        linecache.clearcache()


def changed(text, *changes):
    """A text with some of it replaced: pairs of the old and the new. Each old one must occur in it."""
    for old, new in changes:
        assert old in text, f"{old!r} is not in the task"
        text = text.replace(old, new)
    return text
