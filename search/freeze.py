"""From a winner to one script that stands alone, made of the real sources.

What the script needs is taken out of the task's file, its model, its data source and
`objectives/replay.py` as it stands there, comments included: nothing is written twice. New are
only the head, the record and the defaults of `Config`, and these are values, written as literals.
"""

import ast
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from objectives import replay
from search import places, tasks
from search.errors import NoWinner, TrialbookError, readable
from search.sources import OURS, Sources

WIDTH = 110  # of a line
UNREADABLE = (SyntaxError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError)
UNREADABLE += (OSError,)
FLAG = "# CROSSED OUT, do not use: "  # how the first line of a script begins whose trial is


def freeze(study, standing, run_id):
    """The text of the frozen script of a winner. `run_id` is its trial's run in the log."""
    task, trial = study.task, standing.trial
    record = _record(study, standing, run_id)
    sources = Sources(task)
    sources.need(replay.__name__, "replay")
    sources.need(replay.__name__, "sys")
    parts = [
        f"{_head(task, record, standing)}\n\n{sources.imports()}",
        f"RECORD = {literal(record)}",
    ]
    parts.append(_with_defaults(sources.modules[task.__name__], trial.config, study.ranges()))
    untitled = (*OURS, task.__name__)  # a room's docstring describes the room; the task's is the head
    for source in sources.in_order():
        texts = source.texts(source.needed - {"Config"})
        if texts and source.name not in untitled:
            texts[0] = f"{source.title()}\n{texts[0]}"
        parts += texts
    parts.append('if __name__ == "__main__":\n    sys.exit(replay(RECORD, Config(), load, train, score))')
    return "\n\n\n".join(parts) + "\n"


def export(study, standing, run_id, folder=None):
    """Freeze a winner into the project, or with its data into a folder. Returns the script's path.

    Raises TrialbookError where the script does not reach its score; nothing is written then.
    """
    name = study.about["task"]
    text = freeze(study, standing, run_id)
    prove(text, study.data_path)
    if folder is None:
        return write(places.frozen(name), text)
    path = write(Path(folder) / f"{name}.py", text)
    shutil.copyfile(study.data_path, path.with_name(study.data_path.name))
    return path


def prove(text, data_path):
    """Run a script in a clean interpreter, far from this project. Raises TrialbookError on a miss."""
    with tempfile.TemporaryDirectory() as folder:
        script = write(Path(folder) / "script.py", text)
        command = [sys.executable, "-I", script, "--data", data_path.resolve()]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ran.returncode != 0:
        last = " ".join((ran.stdout + ran.stderr).strip().splitlines()[-2:])[:300]
        raise TrialbookError(f"the script does not reach its score, and was not written: {last}")


def flag(study):
    """Say at the top of a frozen script whether the trial it was made from is crossed out.

    Returns its path where it was made from a trial of this study that is crossed out, else None.
    """
    path = places.frozen(study.about["task"])
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
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "RECORD"
    )


def values(path):
    """The defaults of a frozen script's Config, by name; the script is read, not run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    config = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config")
    fields = [node for node in config.body if isinstance(node, ast.AnnAssign)]
    return {node.target.id: ast.literal_eval(node.value) for node in fields}


def find(task_name):
    """The frozen script of a task. Raises NoWinner."""
    path = places.frozen(task_name)
    if not path.exists():
        raise NoWinner(f"no frozen winner of {task_name}: make search export TASK={task_name}")
    return path


def write(path, text):
    """Put a script in its place: whole, or not at all. Returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    return unfinished.replace(path)


def _with_defaults(source, values, ranges):
    """The class Config with these values as its defaults, each with the range searched."""
    node = source.definitions["Config"]
    start = node.decorator_list[0].lineno
    lines = source.text("Config").split("\n")
    for field in node.body:
        if not isinstance(field, ast.AnnAssign):
            continue
        name = field.target.id
        line = lines[field.lineno - start]
        comment = line.encode()[field.end_col_offset :].decode().strip().removeprefix("#").strip()
        searched = f"; searched {tasks.describe(ranges[name])}" if name in ranges else ""
        declared = f"    {name}: {ast.unparse(field.annotation)} = {literal(values[name])}"
        remark = f"# {comment}{readable(searched)}"
        apart = len(declared) + len(remark) + 2 > WIDTH
        lines[field.lineno - start] = f"    {remark}\n{declared}" if apart else f"{declared}  {remark}"
    return "\n".join(lines)


def literal(value, depth=1):
    """A value as Python text that holds nothing but that value. Raises TrialbookError."""
    if isinstance(value, dict):
        items = [f"{'    ' * depth}{literal(k)}: {literal(v, depth + 1)},\n" for k, v in value.items()]
        return "{\n" + "".join(items) + "    " * (depth - 1) + "}"
    plain = isinstance(value, str) and value.isascii() and value.isprintable()
    try:
        text = json.dumps(value) if plain else repr(value)
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):  # also of a number of thousands of digits
        same = False
    if not same or type(value) not in (int, float, bool, str, type(None)):
        seen = f"{value!r:.80}" if type(value) is not int else "a number of thousands of digits"
        raise TrialbookError(f"{seen} is no plain value: a frozen script holds numbers and text only")
    return text


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


def _head(task, record, standing):
    """The script's docstring: what it is, where it comes from, what it should reach."""
    name, metric = record["task"], record["metric"]
    score = f"{record['score']:.5g} on validation data (standard error {standing.trial.standard_error:.2g})"
    lines = [
        inspect.getdoc(task),
        "",
        "The best configuration that a search found for this task. The script needs numpy and torch",
        "alone: it trains the network from scratch, prints the curve and compares with the recorded",
        f"score, {metric} {score}.",
        _worth(standing),
        "",
        f"From study {record['study']}, trial {record['trial']}, run {record['run']},",
        f"code {record['commit']}, data {record['data_file']} ({record['digest']}).",
        f"Generated by `make export TASK={name}`: change the task, not this file.",
    ]
    text = "\n".join(lines)
    if '"""' in text or "\\" in text or not all(line.isprintable() for line in lines[1:]):
        raise TrialbookError("the head of a frozen script can hold printable text without backslashes only")
    return f'"""{text}\n"""'


def _worth(standing):
    """What that score is worth, in a line."""
    if not standing.confirmed:
        return "That was one seed, the best of several trials: another seed may well do a little worse."
    mean = f"{standing.mean:.5g} (standard error {standing.standard_error:.2g})"
    return f"Confirmed: the mean of {len(standing.scores)} trainings on fresh seeds is {mean}."
