"""Open a study to search or change it, so that only trials of today's code count.

A fingerprint has digests of the code that trains a trial, of the ranges of its draw, and of its data. Trials
with different fingerprints answer different questions, and never count beside each other.
"""

import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace

import optuna
from optuna.distributions import check_distribution_compatibility, json_to_distribution

import data
from search import tasks
from search.errors import StoreError, StudyConflict, unknown
from search.frozen_script.script import preview
from search.frozen_script.source_code import Sources
from search.storage import StudyStore, backups
from search.storage.base import LONGEST_NAME, Lock, check_name
from search.storage.optuna_storage import DraftBackend
from search.study.shared import SharedStudy
from search.study.stored import first_description, load, require_existing
from search.study.study import Study
from search.study.trial import Action, Trial, number_ranges
from search.study.view import StudyDescription, StudyView, space_of
from search.tasks import Task, isolation

OLD: dict[str, Action] = {"supersede": "superseded", "void": "void"}  # what becomes of trials of old code


def open_study(
    store: StudyStore,
    task: Task,
    name: str | None = None,
    source: str | None = None,
    seed: int | None = None,
    old: str | None = None,
    join: bool = False,
) -> Study:
    """Create or resume a study, for this process alone or, with `join`, together with others.

    Args:
        store: the store of the study.
        task: the module of a task.
        name: a-z0-9._-, at most 63 letters; by default task-source.
        source: one of the task's sources of data; by default the study's, or the task's default.
        seed: the seed from which all seeds of the study derive, 0 to 2^31 - 1; by default the study's, or 0.
        old: the fate of trials that other code, ranges or data trained: one of OLD. They never count beside
            new ones, so by default they raise StudyConflict.

    Raises UsageError, StudyConflict, StoreError, data.DataError; TaskError if the task breaks its contract.
    A TaskError leaves everything unwritten.
    """
    notes = check_task(task)
    if join:
        store.join(name or "")  # raises if this store cannot be shared
    source, name = resolve(store, task, name, source)
    if old not in (None, *OLD):
        raise unknown("OLD", old, OLD)
    exists = store.exists(name)
    if exists:
        require_same(name, first_description(store, name), task, source, seed)
    arrays = data.read_checked(tasks.prepared(task, source), task.DATA)
    digest = data.digest(arrays)
    with isolation.State("cpu"):
        tasks.check_data(task, arrays)
    lock = store.lock(name, shared=join)
    try:
        if not store.exists(name):
            create(
                store,
                name,
                StudyDescription(
                    task=tasks.name_of(task),
                    source=source,
                    digest=digest,
                    seed=seed or 0,
                    metric=task.METRIC,
                    direction=task.DIRECTION,
                    space=space_of(tasks.ranges(task)),
                ),
            )
        study = SharedStudy(store, name, lock) if join else _locked(store, name, lock)
        study.notes = notes
        today = fingerprint_of(task, digest)
        study.exclusive(lambda: _settle(study, today, old))
    except BaseException:
        lock.close()
        raise
    if not join:
        study.close_unfinished()
    return study


def check_task(task: Task) -> list[str]:
    """Check a task without its data, and that its winner can be exported. Returns notes. Raises TaskError."""
    with isolation.State("cpu"):
        notes = tasks.check(task)
        searched = {name: tasks.describe(range_) for name, range_ in tasks.ranges(task).items()}
        preview(task, tasks.defaults(task), searched)
    return notes


def hold_study(store: StudyStore, name: str, lock: Lock | None = None) -> Study:
    """Lock an existing study to change it. Pass its `lock` if this process holds it already.

    Trials that a killed search left running or paused stay so: only a search may end them.

    Raises UsageError, StudyConflict, StoreError.
    """
    require_existing(store, name)
    load(store, name, store.open(name))  # a damaged study is not locked
    return _locked(store, name, lock or store.lock(name))


def create(store: StudyStore, name: str, description: StudyDescription) -> None:
    """Write a new study without trials."""
    draft = DraftBackend()
    storage = optuna.storages.JournalStorage(draft)
    study = optuna.create_study(study_name=name, storage=storage, direction=description.direction)
    study.set_user_attr("about", description.as_record())
    store.create(name, draft.records)


def _locked(store: StudyStore, name: str, lock: Lock) -> Study:
    """A locked study. Half a record at its end is cut off and reported."""
    problems = list(store.problems(name))
    if problems:
        load(store, name, store.open(name))  # raises if it is damaged elsewhere: then it stays as it is
        backup = backups.keep(store.files(name))
        for problem in problems:
            problem.repair()
            print(f"{store.where(name)}: {problem.message}; backup: {backup}", file=sys.stderr)
    return Study(store, name, lock)


# Names and sources


def default_name(task: Task, source: str) -> str:
    """The default name of a study: TASK-SOURCE.

    Capitals become small letters, and invalid characters become "-".
    """
    name, end = tasks.name_of(task).lower(), f"-{source}"
    name = re.sub(r"[^a-z0-9._-]+", "-", name).lstrip("._-") or "task"
    return name[: LONGEST_NAME - len(end)] + end


def resolve(store: StudyStore, task: Task, name: str | None, source: str | None) -> tuple[str, str]:
    """The source and the name of a study, with defaults for None. Raises UsageError."""
    if name is not None:
        check_name(name)
        if source is None and store.exists(name):
            source = first_description(store, name).source
    source = source_of(task, source)
    return source, name or default_name(task, source)


def source_of(task: Task, source: str | None) -> str:
    """A task's source of data, by default the task's choice. Raises UsageError if it has no such source."""
    if source is not None and source not in task.DATA.SOURCES:
        raise unknown("DATA", source, task.DATA.SOURCES)
    return source or tasks.default_source(task)


def require_same(
    name: str, about: StudyDescription, task: Task, source: str | None = None, seed: int | None = None
) -> None:
    """Raise StudyConflict if a study has another task, source or seed. None matches any."""
    required = {"task": tasks.name_of(task), "source": source, "seed": seed}
    for field, value in required.items():
        recorded = getattr(about, field)
        if value is not None and value != recorded:
            raise StudyConflict(
                f"study {name!r} has the {field} {recorded!r}, not {value!r}: choose a new STUDY="
            )


def studies_of(store: StudyStore, task_name: str) -> list[str]:
    """The names of a task's studies, sorted, without damaged ones."""
    names = []
    for name in store.names():
        with contextlib.suppress(StoreError):
            if first_description(store, name).task == task_name:
                names.append(name)
    return names


# Fingerprints


def fingerprint_of(task: Task, digest: str) -> dict[str, str]:
    """The fingerprint of a trial that starts now, on data of this digest."""
    space = hashlib.sha256(json.dumps(space_of(tasks.ranges(task)), sort_keys=True).encode()).hexdigest()
    score = f"{task.DIRECTION} {task.METRIC}"
    return {"code": Sources(task).digest(), "space": space[:12], "data": digest, "score": score}


def require_same_code(study: StudyView, trial: Trial) -> None:
    """Raise StudyConflict if the task's code is no longer the code that trained a trial."""
    today, then = Sources(study.task).digest(), trial.fingerprint.get("code")
    if then not in (None, today):
        name, commit = study.description.task, trial.provenance.get("commit", "none")
        back = f"bring back the code of commit {commit[:12]}" if commit != "none" else "bring the code back"
        raise StudyConflict(
            f"the code of task {name!r} changed since trial {trial.number} of study {study.name!r} was "
            f"trained (then {then}, now {today}): {back}, or train again: "
            f"make search TASK={name} STUDY={study.name} OLD=supersede"
        )


def _settle(study: Study, today: dict[str, str], old: str | None) -> None:
    """Void or supersede trials without today's fingerprint, and describe the study as it is today.

    Raises StudyConflict if there are such trials and `old` is None, or if Optuna takes no trial of today's
    ranges into this study.
    """
    about, task = study.description, study.task
    if about.metric != task.METRIC:
        change = f"{about.metric!r}, and task {about.task!r} now scores {task.METRIC!r}"
        raise StudyConflict(f"study {study.name!r} compares trials by {change}: choose a new STUDY=")
    space = space_of(tasks.ranges(task))
    others = _of_other_code(study, today)
    possible = _compatible(about.space, space) or not any(study.trials())
    changed = " and ".join(sorted(set().union(*others.values()))) or "space"
    message = f"the {changed} of task {about.task!r} changed since study {study.name!r}"
    if not possible:
        raise StudyConflict(f"{message} began, to ranges of another kind: choose a new STUDY=")
    if others and old is None:
        raise StudyConflict(
            f"{message} had trials {number_ranges(others)}: OLD=supersede continues without them, OLD=void "
            "also marks them as wrong, and a new STUDY= leaves them alone"
        )
    if others and old is not None:
        study.void(OLD[old], sorted(others), f"the {changed} changed")
    _describe_as_today(study, today, space)


def _describe_as_today(study: Study, today: dict[str, str], space: dict[str, str]) -> None:
    same = [trial.fingerprint.get("space") == today["space"] for trial in study.history()]
    space = study.description.space if same and all(same) else space
    new = replace(study.description, digest=today["data"], space=space, direction=study.task.DIRECTION)
    study.describe(new)
    study.fingerprint = today


def _of_other_code(study: StudyView, today: dict[str, str]) -> dict[int, set[str]]:
    """The trials that are not void and have another fingerprint: number -> the parts that differ."""
    about = study.description
    # Records of earlier versions lack parts of the fingerprint.
    defaults = today | {"data": about.digest, "score": f"{about.direction} {about.metric}"}
    differing = {}
    for trial in study.trials():
        then = defaults | trial.fingerprint
        if not trial.void and then != today:
            differing[trial.number] = {part for part in today if then[part] != today[part]}
    return differing


def _compatible(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether Optuna takes trials of both spaces into one study."""
    try:
        for name in old.keys() & new.keys():
            check_distribution_compatibility(json_to_distribution(old[name]), json_to_distribution(new[name]))
    except ValueError:
        return False
    return True
