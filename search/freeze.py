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
from pathlib import Path

from objectives import replay
from search import places, tasks
from search.errors import TrialbookError
from search.sources import OURS, Sources

WIDTH = 110  # of a line


def freeze(study, trial, run_id):
    """The text of the frozen script of a trial. `run_id` is its run in the log."""
    task = study.task
    record = _record(study, trial, run_id)
    sources = Sources(task)
    sources.need(replay.__name__, "replay")
    sources.need(replay.__name__, "sys")
    parts = [
        f"{_head(task, record, trial.standard_error)}\n\n{sources.imports()}",
        f"RECORD = {literal(record)}",
    ]
    parts.append(_with_defaults(sources.modules[task.__name__], trial.config, tasks.ranges(task)))
    untitled = (*OURS, task.__name__)  # a room's docstring describes the room; the task's is the head
    for source in sources.in_order():
        texts = source.texts(source.needed - {"Config"})
        if texts and source.name not in untitled:
            texts[0] = f"{source.title()}\n{texts[0]}"
        parts += texts
    parts.append('if __name__ == "__main__":\n    sys.exit(replay(RECORD, Config(), load, train, score))')
    return "\n\n\n".join(parts) + "\n"


def export(study, trial, run_id, folder=None):
    """Freeze a trial into the project, or with its data into a folder. Returns the script's path."""
    name = study.about["task"]
    text = freeze(study, trial, run_id)
    if folder is None:
        return write(places.frozen(name), text)
    path = write(Path(folder) / f"{name}.py", text)
    shutil.copyfile(study.data_path, path.with_name(study.data_path.name))
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
    lines = source.text("Config").splitlines()
    for field in node.body:
        if not isinstance(field, ast.AnnAssign):
            continue
        name = field.target.id
        line = lines[field.lineno - start]
        comment = line[field.end_col_offset :].strip().removeprefix("#").strip()
        searched = f"; searched {tasks.describe(ranges[name])}" if name in ranges else ""
        declared = f"    {name}: {ast.unparse(field.annotation)} = {literal(values[name])}"
        remark = f"# {comment}{searched}"
        apart = len(declared) + len(remark) + 2 > WIDTH
        lines[field.lineno - start] = f"    {remark}\n{declared}" if apart else f"{declared}  {remark}"
    return "\n".join(lines)


def literal(value, depth=1):
    """A value as Python text that holds nothing but that value. Raises TrialbookError."""
    if isinstance(value, dict):
        items = [f"{'    ' * depth}{literal(k)}: {literal(v, depth + 1)},\n" for k, v in value.items()]
        return "{\n" + "".join(items) + "    " * (depth - 1) + "}"
    plain = isinstance(value, str) and value.isascii() and value.isprintable()
    text = json.dumps(value) if plain else repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        same = False
    if not same or type(value) not in (int, float, bool, str, type(None)):
        raise TrialbookError(f"{text} is no plain value: a frozen script holds numbers and text only")
    return text


def _record(study, trial, run_id):
    """What the script should reach, and where it comes from."""
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
        "tolerance": study.task.TOLERANCE,
        "machine": trial.provenance["machine"],
    }


def _head(task, record, error):
    """The script's docstring: what it is, where it comes from, what it should reach."""
    name, metric, score = record["task"], record["metric"], record["score"]
    lines = [
        inspect.getdoc(task),
        "",
        "The best configuration that a search found for this task. The script needs numpy and torch",
        "alone: it trains the network from scratch, prints the curve and compares with the recorded",
        f"score, {metric} {score:.5g} on validation data (standard error {error:.2g}). That was one",
        "training with one seed, the best of several: another seed may well do a little worse.",
        "",
        f"From study {record['study']}, trial {record['trial']}, run {record['run']},",
        f"code {record['commit']}, data {record['data_file']} ({record['digest']}).",
        f"Generated by `make export TASK={name}`: change the task, not this file.",
    ]
    text = "\n".join(lines)
    if '"""' in text or "\\" in text:
        raise TrialbookError("the head of a frozen script cannot hold quotes or backslashes")
    return f'"""{text}\n"""'
