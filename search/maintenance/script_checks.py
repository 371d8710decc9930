"""The checks of a frozen script: it is that of a trial of this study, and names that trial's run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search import paths
from search.frozen_script import files
from search.maintenance.study_and_log import StudyAndLog
from search.study.trial import Trial


class _Script(NamedTuple):
    """A frozen script of this study, and the trial that it names."""

    path: Path
    record: Mapping[str, Any]
    values: Mapping[str, Any]
    trial: Trial | None


def _script_of(audited: StudyAndLog) -> _Script | None:
    """The frozen script of the task; None if there is none, or if another study made it.

    Another study of the same name made it if both its run and its values are unknown here. Raises
    `files.UNREADABLE`.
    """
    path = paths.frozen(audited.study.description.task)
    if not path.exists():
        return None
    record, values = files.record(path), files.values(path)
    trial = audited.trial(record.get("trial"))
    runs = {run.info.run_id for runs in audited.runs.values() for run in runs}
    is_known = record.get("run") in runs or (trial is not None and trial.config == values)
    if record.get("study") != audited.study.name or not is_known:
        return None
    return _Script(path, record, values, trial)


def script_is_that_of_its_trial(audited: StudyAndLog) -> Iterator[str]:
    try:
        script = _script_of(audited)
    except files.UNREADABLE:
        yield f"{paths.frozen(audited.study.description.task).name} cannot be read as a frozen script"
        return
    if script is None:
        return
    name, record, trial = script.path.name, script.record, script.trial
    if trial is None:
        yield f"{name} names trial {record.get('trial')}, which is not in the study"
        return
    for subject, written, expected in (
        ("other values", script.values, trial.config),
        ("another digest", record.get("digest"), trial.fingerprint.get("data")),
        ("another score", record.get("score"), trial.score),
    ):
        if written != expected:
            yield f"{name} has {subject} than its trial {trial.number}"


def script_names_the_run_of_its_trial(audited: StudyAndLog) -> Iterator[str]:
    try:
        script = _script_of(audited)
    except files.UNREADABLE:  # the check before this one says so
        return
    if script is None or script.trial is None:
        return
    runs = [run.info.run_id for run in audited.runs_of(script.trial.number)]
    run = script.record.get("run")
    if runs and run not in (*runs, "unknown"):
        yield f"{script.path.name} names run {run}, which is not that of trial {script.trial.number}"
