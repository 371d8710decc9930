"""From a winner to one script that stands alone, made of the real sources.

What the script needs is taken out of the task's file, its model, its data source and
`objectives/replay.py` as it stands there, comments included: nothing is written twice. New are
only the head, the record and the defaults of `Config`, and these are values, written as literals.
"""

import ast
import graphlib
import importlib
import inspect
import json
import os
import re
import shutil
import sys
from pathlib import Path

from objectives import replay
from search import places, tasks
from search.errors import NoWinner, TrialbookError

OURS = ("data", "models", "objectives")
WIDTH = 110  # of a line
LEGEND = re.compile(r"[A-Z] \w+(, [A-Z] [\w ]+)*\.$")  # "L letters, B batch, H hidden units."


def freeze(study, trial, run_id):
    """The text of the frozen script of a trial. `run_id` is its run in the log."""
    task = study.task
    record = _record(study, trial, run_id)
    sources = Sources()
    for module, name in ((task, "Config"), (task.DATA, "load"), (task, "train"), (task, "score")):
        sources.need(module.__name__, name)
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


class Sources:
    """The modules of this project that a script is made of, and what it needs of each."""

    def __init__(self):
        self.modules = {}  # name -> Source
        self._external = {}  # name in the script -> the import statement that binds it
        self._origin = {}  # name in the script -> the module that defines it

    def need(self, module, name):
        """Take a name of a module into the script, with all that it uses."""
        source = self.modules.setdefault(module, Source(module))
        if name in source.definitions and name not in source.needed:
            if self._origin.setdefault(name, module) != module:
                raise TrialbookError(
                    f"{self._origin[name]} and {module} both define {name}: one script cannot hold both"
                )
            source.needed.add(name)
            for used in source.uses(name):
                self.need(module, used)
        elif name in source.imports:
            origin, original, statement = source.imports[name]
            if _room(origin) not in OURS:
                self._external[name] = statement
            elif name != original:
                raise TrialbookError(
                    f"{module} uses {origin} under another name, {name}: import it by its own"
                )
            else:
                source.reads.add(origin)
                self.need(origin, original)

    def imports(self):
        """The import statements, the standard library's first."""
        mine, others = set(), set()
        for statement in self._external.values():
            package = statement.split()[1].partition(".")[0]
            (mine if package in sys.stdlib_module_names else others).add(statement)
        return "\n\n".join("\n".join(_sorted(statements)) for statements in (mine, others))

    def in_order(self):
        """The modules, each after those that it reads: data, then models, then objectives."""
        graph = {name: sorted(source.reads) for name, source in self.modules.items()}
        ordered = graphlib.TopologicalSorter(graph).static_order()
        return [self.modules[name] for name in sorted(ordered, key=lambda name: OURS.index(_room(name)))]


class Source:
    """One module, as text."""

    def __init__(self, module):
        self.name = module
        self.needed = set()  # names that the script takes from here
        self.reads = set()  # modules of ours that those use
        text = inspect.getsource(importlib.import_module(module))
        self.lines, tree = text.splitlines(), ast.parse(text)
        self.doc = ast.get_docstring(tree) or ""
        self.definitions, self.imports = {}, {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.definitions[node.name] = node
            elif isinstance(node, ast.Assign):
                targets = [part for target in node.targets for part in ast.walk(target)]
                names = [part.id for part in targets if isinstance(part, ast.Name)]
                self.definitions |= dict.fromkeys(names, node)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = _import(node, alias)

    def uses(self, name):
        """The names that a definition uses."""
        nodes = ast.walk(self.definitions[name])
        return [node.id for node in nodes if isinstance(node, ast.Name)]

    def text(self, name):
        """A definition as it stands, with its decorators and the comment above it."""
        node = self.definitions[name]
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        while self.lines[first - 1].startswith("#"):
            first -= 1
        return "\n".join(self.lines[first : node.end_lineno])

    def texts(self, names):
        """The definitions of these names in the order of the source, each once."""
        return list(dict.fromkeys(self.text(name) for name in self.definitions if name in names))

    def title(self):
        """Where a part of the script comes from, what it is, and what its letters mean."""
        first, *paragraphs = self.doc.split("\n\n")
        legend = [text for text in paragraphs[-1:] if LEGEND.match(text)]
        return "\n".join(f"# {line}" for line in (f"{self.name.replace('.', '/')}.py: {first}", *legend))


def _room(module):
    return module.partition(".")[0]


def _import(node, alias):
    """Where an imported name comes from: its module, its name there, and a statement for it."""
    if isinstance(node, ast.Import):
        renamed = f" as {alias.asname}" if alias.asname else ""
        return alias.name, alias.name, f"import {alias.name}{renamed}"
    renamed = f" as {alias.asname}" if alias.asname else ""
    return node.module, alias.name, f"from {node.module} import {alias.name}{renamed}"


def _sorted(statements):
    """`import` before `from`, each by name; names from one module in one statement."""
    plain = sorted(statement for statement in statements if statement.startswith("import"))
    named = {}
    for statement in statements - set(plain):
        module, _, names = statement.removeprefix("from ").partition(" import ")
        named.setdefault(module, []).append(names)
    return plain + [f"from {module} import {', '.join(sorted(named[module]))}" for module in sorted(named)]


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
