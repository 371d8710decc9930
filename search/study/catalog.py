"""Which studies there are: their names, the one that is meant, how one is created and loaded.

They lie in files, or in the database that STORAGE names.
"""

import contextlib
import os
import re
import shlex
import sys

import optuna

from search import paths, tasks
from search.errors import StoreError, StudyConflict, UsageError, unknown
from search.storage import backups, files
from search.study import fingerprint, schema

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
LONGEST_NAME = 63
VALID_NAME = f"a-z 0-9 . _ -, a letter or digit first, at most {LONGEST_NAME}"
UNREADABLE = (
    KeyError,
    ValueError,
    AttributeError,
    TypeError,
    AssertionError,
    RecursionError,
)  # is a damaged journal to Optuna


def database():
    """The database that holds the studies; None where they lie in files."""
    if not (url := paths.storage()):
        return None
    from search.storage import postgres

    return postgres.database(url, os.getpid())


def names():
    """The names of all studies, sorted."""
    if (there := database()) is not None:
        return there.names()
    return sorted(path.stem for path in paths.studies().glob("*.journal") if NAME.fullmatch(path.stem))


def strays() -> list[str]:
    """Journals beside the studies that are none of them, each with the reason in one line."""
    if database() is not None:
        return []
    found = sorted(path for path in paths.studies().glob("*.journal") if not NAME.fullmatch(path.stem))
    return [f"{path} is no study: its name is not valid, which is {VALID_NAME}" for path in found]


def exists(name):
    """Whether there is a study of this name."""
    return there.exists(name) if (there := database()) is not None else file(name).exists()


def records(name):
    """What a study consists of: a journal of Optuna's."""
    if (there := database()) is not None:
        from search.storage import postgres

        return postgres.Records(there, name)
    return files.Journal(file(name))


def lock(name, shared=False):
    """Hold a study until what is returned is closed: see `journal.lock`, and `postgres.Database.lock`."""
    return there.lock(name, shared) if (there := database()) is not None else files.lock(file(name))


def holder(name):
    """The process that holds a study, as text; None where none does."""
    return there.holder(name) if (there := database()) is not None else files.holder(file(name))


def of(task_name):
    """The names of a task's studies, sorted, but for those that are damaged."""
    found = []
    for name in names():
        with contextlib.suppress(StoreError):
            if first_about(name)["task"] == task_name:
                found.append(name)
    return found


def file(name):
    """The journal of a study."""
    return paths.studies() / f"{name}.journal"


def check_name(name):
    """Raises UsageError where a study cannot be called so."""
    if not NAME.fullmatch(name):
        raise UsageError(f"STUDY {name!r} is no name: valid are {VALID_NAME}")


def default_name(task, source: str) -> str:
    """The name of a study of a task on a source of data, where none is given: TASK-SOURCE.

    Capitals become small letters, and what no study's name may have becomes "-".
    """
    name, end = tasks.name_of(task).lower(), f"-{source}"
    name = re.sub(r"[^a-z0-9._-]+", "-", name).lstrip("._-") or "task"
    return name[: LONGEST_NAME - len(end)] + end


def default_source(task, source):
    """The source of data where none is given. Raises UsageError where the task has no such source."""
    if source is not None and source not in task.DATA.SOURCES:
        raise unknown("DATA", source, task.DATA.SOURCES)
    return source or tasks.default_source(task)


def resolve(task, name, source):
    """The source and the name that a study has where they are not given. Raises UsageError."""
    if name is not None:
        check_name(name)
        if source is None and exists(name):
            source = first_about(name)["source"]
    source = default_source(task, source)
    return source, name or default_name(task, source)


def first_about(name):
    """What a study was about when it began, without reading all of it: task, source and seed stay."""
    _, loaded = load(name, files.Head(records(name)))
    return loaded.user_attrs["about"]


def load(name, records):
    """A study's storage, and the study as Optuna has it. Raises StoreError, which names the way back."""
    try:
        return _loaded(name, records)
    except UNREADABLE as error:
        said = f"is damaged: {type(error).__name__} {error}"
        if database() is not None:
            raise StoreError(f"study {name!r} of STORAGE {said}") from None
        raise StoreError(f"{file(name)} {said}. {_way_back(name)}") from None


def cut_torn_end(name):
    """Cut half a record off a journal's end, keep it as it was, and say so: see `journal.cut_torn_end`.

    Raises StoreError where it is damaged elsewhere: then it stays as it is.
    """
    if database() is None and (torn := files.torn_end(file(name))):
        load(name, files.Journal(file(name)))
        kept = backups.keep([file(name)])
        files.cut_torn_end(file(name))
        said = f"{file(name)} ended in the middle of a record: its last {len(torn)} bytes were cut off"
        print(f"{said}; as it was: {kept}", file=sys.stderr)


def _loaded(name, records):
    storage = files.Storage(records)
    held = [study.study_name for study in storage.get_all_studies()]
    if held and name not in held:
        raise StoreError(f"{file(name)} is a copy of study {held[0]!r}: its file has another name")
    loaded = optuna.load_study(study_name=name, storage=storage)
    schema.check(loaded.user_attrs, storage.every_trial(loaded._study_id))
    return storage, loaded


def _way_back(name):
    """How a damaged study gets back, in a sentence."""
    for copy in backups.of(file(name)):
        if _is_whole(name, copy):
            command = shlex.join(["cp", str(copy), str(file(name))])
            return f"Its newest whole copy is put back by: {command}"
    return f"There is no whole copy of it in {paths.backups()}"


def _is_whole(name, path):
    """Whether a copy of a study's journal can be read to its end."""
    try:
        _loaded(name, files.Journal(path))
    except (StoreError, *UNREADABLE):
        return False
    return not files.torn_end(path)


def must_be(name, about, task, source, seed):
    """Raises StudyConflict where a study is about something else than what is asked; None asks nothing."""
    asked = {"task": tasks.name_of(task), "source": source, "seed": seed}
    for what, value in asked.items():
        if value is not None and value != about[what]:
            seen = f"{about[what]!r}, not {value!r}"
            raise StudyConflict(f"study {name!r} has as its {what} {seen}: choose a new STUDY=")


def create(task, name, source, digest, seed):
    """Begin a new study."""
    draft = files.Draft()
    study = optuna.create_study(
        study_name=name, storage=optuna.storages.JournalStorage(draft), direction=task.DIRECTION
    )
    about = {"task": tasks.name_of(task), "source": source, "digest": digest, "seed": seed}
    about |= {"metric": task.METRIC, "direction": task.DIRECTION, "space": fingerprint.space(task)}
    study.set_user_attr("about", about)
    put(name, draft.kept)


def put(name, kept):
    """Write a study that is not there yet, of records that are: whole, or not at all."""
    if (there := database()) is not None:
        there.put(name, kept)
        return
    unfinished = file(name).with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    store = files.Journal(unfinished)
    store.append_logs(kept)
    store.commit()
    unfinished.rename(file(name))
