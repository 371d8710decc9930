"""From a winner to one script that stands alone, made of the real sources.

What the script needs is taken out of the task's file, its model, its data source and
`objectives/replay.py` as it stands there, comments included: nothing is written twice. New are
only the head, the record and the defaults of `Config`, and these are values, written as literals.
"""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import fields
from pathlib import Path
from types import ModuleType

from objectives import replay
from search import fingerprint, places, tasks
from search.defaults import is_field, literal, searched_ranges, with_defaults
from search.errors import NoWinner, TaskError, TrialbookError, one_line, readable
from search.sources import OURS, Sources
from search.statements import missing_names, names_used
from search.tasks.values import plain

UNREADABLE = (SyntaxError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError)
UNREADABLE += (OSError,)
OTHER_DATA = re.compile(r"as these differ: (.*, )?data\b")  # what a script says that was given other data
BEGINS = "The best configuration that a search found for this task."
END = """if __name__ == "__main__":
    if code := replay(RECORD, Config(), load, train, score):
        sys.exit(code)"""
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
        return script_of(task, _default_values(task), searched, record, BEGINS)
    except TaskError:
        raise
    except TrialbookError as error:
        raise TaskError(f"task {name!r}: {error}") from None


def script_of(task: ModuleType, values: dict, searched: dict, record: dict, head: str) -> str:
    """The text of a frozen script, which holds together.

    Args:
        values: field of Config -> the value that becomes its default.
        searched: field -> its range in words, where it was searched.
        record: the script's RECORD.
        head: what stands below the task's docstring in the script's.

    Raises TaskError where the task's code cannot be cut into a script; TrialbookError where a value
    cannot be written as one.
    """
    sources = Sources(task)
    sources.need(replay.__name__, "replay")
    sources.need(replay.__name__, "sys")
    mine = sources.modules[task.__name__]
    config = with_defaults(task, mine, values, searched)
    parts = [f"{_docstring(task, mine.file, head)}\n\n{sources.imports()}", f"RECORD = {literal(record)}"]
    # Config stands first, unless it needs something that is defined below.
    needed = set().union(*(source.needed for source in sources.modules.values())) - {"Config"}
    in_place = bool(needed & names_used(config))
    parts += [] if in_place else [config]
    replaced = {mine.definition("Config"): config if in_place else None}
    untitled = (*OURS, task.__name__)  # a room's docstring describes the room; the task's is the head
    for source in sources.in_order():
        blocks = source.texts(replaced if source is mine else {})
        if blocks and source.name not in untitled:
            blocks[0] = f"{source.title()}\n{blocks[0]}"
        parts += blocks
    text = "\n\n\n".join([*parts, END]) + "\n"
    _require_whole(text, task, mine.file, values)
    return text


def recut(text: str, task: ModuleType) -> str:
    """A frozen script cut anew from today's sources, with the record, values and ranges that it has.

    Raises TaskError.
    """
    tree = ast.parse(text)
    head = ast.get_docstring(tree)
    head = head[head.index(BEGINS) :]
    return script_of(task, _values_in(tree), searched_ranges(text), _record_in(tree), head)


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
    return _record_in(ast.parse(path.read_text(encoding="utf-8")))


def values(path):
    """The defaults of a frozen script's Config, by name; the script is read, not run."""
    return _values_in(ast.parse(path.read_text(encoding="utf-8")))


def _record_in(tree):
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECORD"
    )


def _values_in(tree):
    config = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config")
    return {node.target.id: ast.literal_eval(node.value) for node in config.body if is_field(node)}


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


def _default_values(task):
    """The defaults of a task as plain values. Raises TaskError."""
    name, found = tasks.name_of(task), {}
    try:
        config = task.Config()
        settings = fields(config)
    except Exception as error:  # whatever a user's class does
        raise TaskError(f"task {name!r}: Config() must give a dataclass: {one_line(error)}") from None
    for field in settings:
        value = getattr(config, field.name, None)
        if not field.init:
            raise TaskError(f"task {name!r}: Config.{field.name} has init=False, so no trial can set it")
        try:
            found[field.name] = plain(value)
        except (TypeError, ValueError) as error:
            raise TaskError(
                f"task {name!r}: the default of Config.{field.name}, {error}: valid are a finite number, "
                "a text, True, False and None"
            ) from None
    return found


def _require_whole(text, task, file, values):
    """Raise TaskError where a script is no Python, lacks a name or has other defaults than these."""
    name = tasks.name_of(task)
    try:
        with warnings.catch_warnings(action="ignore"):
            tree, code = ast.parse(text), compile(text, f"{name}.py", "exec")
        same = list(map(repr, map(_values_in(tree).get, values))) == list(map(repr, values.values()))
    except (SyntaxError, ValueError) as error:
        raise TaskError(f"the frozen script of task {name!r} would be no Python: {one_line(error)}") from None
    for missing, function in missing_names(code).items():
        user = f"{function} uses" if function else "its top level uses"
        raise TaskError(
            f"the frozen script of task {name!r} would lack the name {missing!r}, which {user}: "
            "define it at the top level of its file, or import it there by its own name"
        )
    if not same:
        raise TaskError(
            f"the frozen script of task {name!r} would have other defaults than it should: write each field "
            f"of Config in {file} as `name: type = value  # comment`, on a line of its own"
        )


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


def _docstring(task, file, head):
    """The script's docstring: the task's, what it cannot hold as it stands escaped, and the head."""
    if not (doc := inspect.getdoc(task)):
        raise TaskError(
            f"{file} has no docstring: its first line says what is asked, and the script repeats it"
        )
    doc = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    doc = "".join(letter if letter == "\n" or letter.isprintable() else ascii(letter)[1:-1] for letter in doc)
    return f'"""{doc}\n\n{head}\n"""'


def _worth(standing):
    """What that score is worth, in a line."""
    if not standing.confirmed:
        return "That was one seed, the best of several trials: another seed may well do a little worse."
    mean = f"{standing.mean:.5g} (standard error {standing.standard_error:.2g})"
    return f"Confirmed: the mean of {len(standing.scores)} trainings on fresh seeds is {mean}."
