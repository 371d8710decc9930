"""Fingerprints: digests of the code that trains a trial, of the ranges it was drawn from, and of its data.

Trials that differ in one of them answer another question, and never count beside each other.
"""

import hashlib
import json

from optuna.distributions import check_distribution_compatibility, distribution_to_json, json_to_distribution

from search import tasks
from search.errors import StudyConflict
from search.frozen_script.source_code import Sources
from search.study import void


def of(task, digest):
    """The fingerprint of a trial that begins now, on data of this digest."""
    ranges = hashlib.sha256(json.dumps(space(task), sort_keys=True).encode()).hexdigest()
    code = Sources(task).digest()
    return {"code": code, "space": ranges[:12], "data": digest, "score": score(task.METRIC, task.DIRECTION)}


def score(metric, direction):
    """What a score means, as "maximize accuracy"."""
    return f"{direction} {metric}"


def space(task):
    """A task's ranges as they are stored."""
    return as_text(tasks.ranges(task))


def as_text(ranges):
    """Optuna's text of each range, by name."""
    return {name: distribution_to_json(each) for name, each in ranges.items()}


def settle(study, today, old):
    """See to it that only trials count which have the fingerprint of today.

    Args:
        today: that fingerprint.
        old: "aside" or "void", what the others are to be; None where that was not said.

    Raises StudyConflict where it was not said, or where Optuna takes no trial of today's ranges into this
    study.
    """
    if study.about["metric"] != study.task.METRIC:
        seen = f"{study.about['metric']!r}, and task {study.about['task']!r} now scores {study.task.METRIC!r}"
        raise StudyConflict(f"study {study.name!r} compares trials by {seen}: choose a new STUDY=")
    others = _others(study, today)
    possible = _compatible(study.about["space"], space(study.task)) or not any(study.trials())
    if not others and possible:
        return
    changed = " and ".join(sorted(set().union(*others.values()))) or "space"
    said = f"the {changed} of task {study.about['task']!r} changed since study {study.name!r}"
    if not possible:
        raise StudyConflict(f"{said} began, to ranges of another kind: choose a new STUDY=")
    if old is None:
        raise StudyConflict(
            f"{said} had trials {void.ranges(others)}: OLD=aside goes on without them, OLD=void also "
            "calls them wrong, and a new STUDY= leaves them alone"
        )
    study.cross(old, others, f"the {changed} changed")


def require_same_code(study, trial):
    """Raise StudyConflict where the task's code is no longer that which trained a trial."""
    today, then = Sources(study.task).digest(), trial.fingerprint.get("code")
    if then not in (None, today):
        name, commit = study.about["task"], trial.provenance.get("commit", "none")
        back = f"bring back the code of commit {commit[:12]}" if commit != "none" else "bring the code back"
        raise StudyConflict(
            f"the code of task {name!r} changed since trial {trial.number} of study {study.name!r} was "
            f"trained (then {then}, now {today}): {back}, or train anew: "
            f"make search TASK={name} STUDY={study.name} OLD=aside"
        )


def _others(study, today):
    """The trials that count and are not of today: number -> what differs."""
    # Of trials that were written down without:
    about = study.about
    unsaid = today | {"data": about["digest"], "score": score(about["metric"], about["direction"])}
    differs = {}
    for trial in study.trials():
        then = unsaid | trial.fingerprint
        if not trial.crossed and then != today:
            differs[trial.number] = {what for what in today if then[what] != today[what]}
    return differs


def _compatible(old, new):
    """Whether Optuna takes trials of both spaces into one study."""
    try:
        for name in old.keys() & new.keys():
            check_distribution_compatibility(json_to_distribution(old[name]), json_to_distribution(new[name]))
    except ValueError:
        return False
    return True
