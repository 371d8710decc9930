"""Which studies there are: their names, their files, and the one that is meant."""

import re

from search import places, tasks
from search.errors import UsageError, unknown

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def names():
    """The names of all studies, sorted."""
    return sorted(path.stem for path in places.studies().glob("*.journal"))


def file(name):
    """The journal of a study."""
    return places.studies() / f"{name}.journal"


def check_name(name):
    """Raises UsageError where a study cannot be called so."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"STUDY {name!r} is no name: valid are a-z 0-9 . _ -, a letter or digit first, at most 63"
        )


def default_name(task, source):
    """What a study of a task on a source of data is called where no name is given."""
    return f"{tasks.name_of(task)}-{source}"


def default_source(task, source):
    """The source of data where none is given. Raises UsageError where the task has no such source."""
    if source is not None and source not in task.DATA.SOURCES:
        raise unknown("DATA", source, task.DATA.SOURCES)
    return source or task.DATA.default_source()
