"""Find the task, the studies and the trials that options name."""

import contextlib
import datetime
import re
import shlex
from collections.abc import Sequence

import data
from search import tasks
from search.cli.options import StudyData, StudyName, StudyTrials, TaskData, missing
from search.errors import NoWinner, UsageError
from search.primitives.text import readable
from search.primitives.values import Plain, shown
from search.storage import StudyStore
from search.study.opening import require_same, resolve, studies_of
from search.study.stored import StoredStudy
from search.study.trial import Trial
from search.tasks import Task
from search.tasks.provenance import git

PAIR = re.compile(r"""[\s,]*(?P<name>[^\s,="']+)=(?P<value>"[^"]*"|'[^']*'|[^\s,"']+)(?=[\s,]|$)[\s,]*""")
CONSTANTS: dict[str, Plain] = {"True": True, "False": False, "None": None}


def find_task(options: TaskData | StudyName) -> Task:
    """The task that was typed. Its data are looked for in the folder that was typed, if any."""
    if isinstance(options, TaskData) and options.data_dir:
        data.use_course_folder(options.data_dir)
    return task_named(options.task)


def task_named(name: str | None) -> Task:
    """The task of a name. Raises UsageError."""
    if name is None:
        import objectives

        raise missing("task", f"valid are {', '.join(objectives.names())}")
    return tasks.find(name)


def find_study(options: StudyData | StudyName, store: StudyStore) -> StoredStudy:
    """The study that was named, else the task's only one, else the task's default one."""
    task, name = find_task(options), options.study
    source = options.data if isinstance(options, StudyData) else None
    if name is None:
        existing = studies_of(store, tasks.name_of(task))
        only = len(existing) == 1 and source is None
        name = existing[0] if only else resolve(store, task, None, source)[1]
        if name not in existing and not store.exists(name):
            typed = shlex.quote(tasks.name_of(task))
            hint = f"STUDY= {', '.join(existing)}" if existing else f"make search TASK={typed}"
            raise NoWinner(f"task {options.task!r} has no study {name!r} yet: {hint}")
    study = StoredStudy.read(store, name)
    require_same(name, study.description, task)
    return study


def study_to_try(options: StudyData, store: StudyStore) -> str | None:
    """The study that was named, else the task's only one, else None: the task's default one."""
    if options.study is not None:
        return options.study
    with contextlib.suppress(NoWinner):
        return find_study(options, store).name
    return None


def read_values(text: str | None) -> dict[str, Plain] | None:
    """The values of WITH, by name; None without WITH. Raises UsageError.

    Pairs name=value are separated by spaces or commas. Text in quotes may hold those.
    """
    if text is None:
        return None
    values: dict[str, Plain] = {}
    place = 0
    while match := PAIR.match(text, place):
        name, place = match["name"], match.end()
        if name in values:
            raise UsageError(f"WITH {shown(text)} names {name} twice")
        values[name] = _value(match["value"])
    if not values or place < len(text):
        wrong = readable(text[place : place + 40]) or "nothing"
        raise UsageError(
            f"WITH is not valid at {wrong!r}: name=value pairs, as hidden_size=300 mode='two words'"
        )
    return values


def _value(text: str) -> Plain:
    """A value as it was typed: a number, True, False or None; all else is text, as is all in quotes."""
    if text[0] in "\"'":
        return text[1:-1]
    if text in CONSTANTS:
        return CONSTANTS[text]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def study_names(options: StudyName, store: StudyStore) -> list[str]:
    """The name of the study that was typed, or those of all studies."""
    if options.study is None and options.task is None:
        return store.names()
    return [find_study(options, store).name]


def find_trials(trials: Sequence[Trial], named: StudyTrials) -> list[int]:
    """The numbers of the trials that are meant by one of the three ways to name them. Raises UsageError.

    Args:
        trials: those to choose from.
        named: by `trials` as "3-9,14"; by `since`, a time (ISO 8601) or a commit, which means its trials and
            later ones; or by `code`, the beginning of a fingerprint of the code.
    """
    given = [way for way in (named.trials, named.since, named.code) if way is not None]
    if len(given) != 1:
        raise UsageError("which trials? Name them by one of TRIALS=3-9,14 or SINCE=time or commit or CODE=")
    if named.trials is not None:
        found = _numbered(trials, named.trials)
    elif named.since is not None:
        found = _since(trials, named.since)
    else:
        code = named.code or " "  # no fingerprint begins with a space
        found = [trial.number for trial in trials if trial.fingerprint.get("code", "").startswith(code)]
    if not found:
        raise UsageError(f"no trial is meant by {given[0]!r}")
    return found


def _numbered(trials: Sequence[Trial], text: str) -> list[int]:
    existing, found = {trial.number for trial in trials}, set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})(?:\s*-\s*(\d{1,7}))?\s*", part, re.ASCII)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"TRIALS {text!r} is not valid: numbers and ranges, as 3-9,14")
        wanted = range(int(match[1]), int(match[2] or match[1]) + 1)
        absent = next((number for number in wanted if number not in existing), None)  # of millions, the first
        if absent is not None:
            raise UsageError(f"TRIALS {text!r}: there is no trial {absent}, only 0 to {len(existing) - 1}")
        found |= set(wanted)
    return sorted(found)


def _since(trials: Sequence[Trial], text: str) -> list[int]:
    try:
        begin = datetime.datetime.fromisoformat(text).astimezone().replace(tzinfo=None)  # as trials have
    except (ValueError, OverflowError):  # the year 1 may be the year 0 here
        return _since_commit(trials, text)
    return [trial.number for trial in trials if trial.started >= begin]


def _since_commit(trials: Sequence[Trial], text: str) -> list[int]:
    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if commit is None:
        raise UsageError(f"SINCE {text!r} is neither a time (2026-11-25 or 2026-11-25T10:30) nor a commit")
    after = {
        trained: git("merge-base", "--is-ancestor", commit, trained) is not None
        for trained in {trial.provenance.get("commit", "none") for trial in trials}
    }
    return [trial.number for trial in trials if after[trial.provenance.get("commit", "none")]]
