"""From a winner to one script that stands alone: made by `search.frozen_script.script`, proved, put in its place."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from search import paths, tasks
from search.errors import NoWinner, TaskError, TrialbookError
from search.frozen_script.script import BEGINS, record_in, script_of, values_in
from search.study import fingerprint
from search.text import readable

UNREADABLE = (SyntaxError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError)
UNREADABLE += (OSError,)
OTHER_DATA = re.compile(r"as these differ: (.*, )?data\b")  # what a script says that was given other data
FLAG = "# CROSSED OUT, do not use: "  # how the first line of a script begins whose trial is


def freeze(study, standing, run_id):
    """The text of the frozen script of a winner. `run_id` is its trial's run in the log.

    Raises StudyConflict where the task's code has changed since; TrialbookError.
    """
    fingerprint.require_same_code(study, standing.trial)
    record = _record(study, standing, run_id)
    searched = {name: tasks.describe(ranges) for name, ranges in study.ranges().items()}
    return script_of(study.task, standing.trial.config, searched, record, _head(record, standing))


def preview(task: ModuleType, ranges: dict) -> str:
    """The frozen script that the defaults of a task would have.

    A search asks for it before its first trial, so that no export fails for the task's sake after it.

    Args:
        ranges: field -> its distribution, where it is searched.

    Raises TaskError.
    """
    name = tasks.name_of(task)
    stand_ins = ["study", "run", "commit", "data_file", "digest", "metric", "direction"]
    record = {"task": name} | dict.fromkeys(stand_ins, "none") | {"trial": 0, "score": 0.0, "machine": {}}
    try:
        searched = {field: tasks.describe(distribution) for field, distribution in ranges.items()}
        return script_of(task, tasks.defaults(task), searched, record, BEGINS)
    except TaskError:
        raise
    except TrialbookError as error:
        raise TaskError(f"task {name!r}: {error}") from None


def export(study, standing, run_id, folder=None):
    """Freeze a winner into the project, or with its data into a folder. Returns the script's path.

    Raises TrialbookError where the script does not reach its score; nothing is written then.
    """
    name = study.about["task"]
    text = freeze(study, standing, run_id)
    prove(text, study.data_path)
    if folder is None:
        return write(paths.frozen(name), text)
    path = write(Path(folder) / f"{name}.py", text)
    shutil.copyfile(study.data_path, path.with_name(study.data_path.name))
    return path


def prove(text, data_path):
    """Run a script in a clean interpreter, far from this project. Raises TrialbookError on a miss."""
    with tempfile.TemporaryDirectory() as folder:
        script = write(Path(folder) / "script.py", text)
        command = [sys.executable, "-I", script, "--data-file", data_path.resolve()]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if OTHER_DATA.search(ran.stdout):
        raise TrialbookError(f"{data_path} is not what the trial was trained on: the script was not written")
    if ran.returncode != 0:
        last = " ".join((ran.stdout + ran.stderr).strip().splitlines()[-2:])[:300]
        raise TrialbookError(f"the script does not reach its score, and was not written: {last}")


def flag(study):
    """Say at the top of a frozen script whether the trial it was made from is crossed out.

    Returns its path where it was made from a trial of this study that is crossed out, else None.
    """
    path = paths.frozen(study.about["task"])
    trial = _trial_of(path, study) if path.exists() else None
    if trial is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    plain = "".join(lines[1:] if lines[0].startswith(FLAG) else lines)
    crossed = trial.crossed
    text = f"{FLAG}{readable(' '.join(str(crossed).split()))}\n{plain}" if crossed else plain
    if text != "".join(lines):
        write(path, text)
    return path if crossed else None


def _trial_of(path, study):
    """The trial of this study that a script was made from; None where it is of another or cannot be read."""
    try:
        told = record(path)
        return study.trial(told["trial"]) if told["study"] == study.name else None
    except UNREADABLE:  # somebody changed it
        return None


def record(path):
    """The RECORD of a frozen script; the script is read, not run."""
    return record_in(ast.parse(path.read_text(encoding="utf-8")))


def values(path):
    """The defaults of a frozen script's Config, by name; the script is read, not run."""
    return values_in(ast.parse(path.read_text(encoding="utf-8")))


def find(task_name):
    """The frozen script of a task. Raises NoWinner."""
    path = paths.frozen(task_name)
    if not path.exists():
        raise NoWinner(f"no frozen winner of {task_name}: make search export TASK={task_name}")
    return path


def write(path, text):
    """Put a script in its place: whole, or not at all. Returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    return unfinished.replace(path)


def _record(study, standing, run_id):
    """What the script should reach, and where it comes from."""
    trial = standing.trial
    return {
        "task": study.about["task"],
        "study": study.name,
        "trial": trial.number,
        "run": run_id,
        "commit": trial.provenance["commit"] + ("-dirty" if trial.provenance["dirty"] else ""),
        "data_file": study.data_path.name,
        "digest": study.about["digest"],
        "metric": study.about["metric"],
        "direction": study.about["direction"],
        "score": trial.score,
        "tolerance": standing.tolerance or study.task.TOLERANCE,
        "machine": trial.provenance["machine"],
    }


def _head(record, standing):
    """What a script's docstring says below the task's own: where it comes from, what it should reach."""
    name, metric = record["task"], record["metric"]
    score = f"{record['score']:.5g} on validation data (standard error {standing.trial.standard_error:.2g})"
    lines = [
        f"{BEGINS} The script needs numpy and torch",
        "alone: it trains the network from scratch, prints the curve and compares with the recorded",
        f"score, {metric} {score}.",
        _worth(standing),
        "",
        f"From study {record['study']}, trial {record['trial']}, run {record['run']},",
        f"code {record['commit']}, data {record['data_file']} ({record['digest']}).",
        f"Generated by `make export TASK={name}`: change the task, not this file.",
    ]
    head = "\n".join(lines)
    if '"""' in head or "\\" in head or not all(line.isprintable() for line in lines):
        raise TrialbookError("the head of a frozen script can hold printable text without backslashes only")
    return head


def _worth(standing):
    """What that score is worth, in a line."""
    if not standing.confirmed:
        return "That was one seed, the best of several trials: another seed may well do a little worse."
    mean = f"{standing.mean:.5g} (standard error {standing.standard_error:.2g})"
    return f"Confirmed: the mean of {len(standing.scores)} trainings on fresh seeds is {mean}."
