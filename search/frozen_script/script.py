"""The text of a frozen script: cut from the real sources, and checked to be complete.

The script's parts are copied from the task's file, its model, its data source and `objectives/replay.py`,
comments included: nothing is written twice. Only the head, the record and the defaults of `Config` are new.
They are values, written as literals.
"""

import ast
import inspect
import warnings
from collections.abc import Mapping
from typing import Any

from objectives import replay
from search.errors import TaskError, TrialbookError
from search.frozen_script.defaults import config_in, fields_in, literal, searched_ranges, with_defaults
from search.frozen_script.source_code import Sources, TaskModule, task_name
from search.frozen_script.statements import missing_names, names_used
from search.paths import PACKAGES
from search.primitives.text import one_line
from search.primitives.values import Plain

BEGINS = "The best configuration that a search found for this task."
END = """if __name__ == "__main__":
    if code := replay(RECORD, Config(), load, train, score):
        sys.exit(code)"""

Record = dict[str, Any]  # plain values, and dictionaries of them


def script_of(
    task: TaskModule, values: Mapping[str, Plain], searched: Mapping[str, str], record: Record, head: str
) -> str:
    """The text of a frozen script, checked to be complete.

    Args:
        values: field of Config -> the value that becomes its default.
        searched: field -> its range in words, where it was searched.
        record: the script's RECORD.
        head: the end of the script's docstring, below the task's own.

    Raises TaskError where the task's code cannot be cut into a script; TrialbookError where a value
    cannot be written as one.
    """
    sources = Sources(task)
    sources.need(replay.__name__, "replay")
    sources.need(replay.__name__, "sys")
    source = sources.modules[task.__name__]
    config = with_defaults(task, source, values, searched)
    parts = [
        f"{_docstring(task, source.file, head)}\n\n{sources.imports()}",
        f"RECORD = {literal(record)}",
        *_blocks(task, sources, config),
        END,
    ]
    text = "\n\n\n".join(parts) + "\n"
    _require_complete(text, task, source.file, values)
    return text


def preview(task: TaskModule, defaults: Mapping[str, Plain], searched: Mapping[str, str]) -> str:
    """The frozen script that the defaults of a task would have.

    A search makes it before its first trial: a task whose winner cannot be exported is reported then.

    Args:
        defaults: field of Config -> its value.
        searched: field -> its range in words, where it is searched.

    Raises TaskError, which names the task.
    """
    name = task_name(task)
    stand_ins = ["study", "run", "commit", "data_file", "digest", "metric", "direction"]
    record = {"task": name} | dict.fromkeys(stand_ins, "none") | {"trial": 0, "score": 0.0, "machine": {}}
    try:
        return script_of(task, defaults, searched, record, BEGINS)
    except TrialbookError as error:
        named = f"task {name!r}"
        raise TaskError(f"{error}" if named in str(error) else f"{named}: {error}") from None
    except Exception as error:
        raise TaskError(f"task {name!r}: the text of the frozen script raised {one_line(error)}") from None


def recut(text: str, task: TaskModule) -> str:
    """Cut a frozen script anew from today's sources. It keeps its record, values and ranges.

    Raises TaskError.
    """
    tree = ast.parse(text)
    docstring = ast.get_docstring(tree) or ""
    head = docstring[docstring.index(BEGINS) :]
    return script_of(task, values_in(tree), searched_ranges(text), record_in(tree), head)


def record_in(tree: ast.Module) -> Record:
    """The RECORD of a frozen script."""
    record: Record = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECORD"
    )
    return record


def values_in(tree: ast.Module) -> dict[str, Plain]:
    """The defaults of a frozen script's Config, by name. Raises ValueError where a field has none."""
    return {name: _default(node) for name, node in fields_in(config_in(tree).body).items()}


def _default(field: ast.AnnAssign) -> Plain:
    if field.value is None:
        raise ValueError(f"the field `{ast.unparse(field)}` has no default")
    value: Plain = ast.literal_eval(field.value)
    return value


def _blocks(task: TaskModule, sources: Sources, config: str) -> list[str]:
    """The blocks of a script's code, each module's under its title.

    Config stands first, unless it needs a name that is defined in one of the modules.
    """
    needed = set[str]().union(*(source.needed for source in sources.modules.values())) - {"Config"}
    stays = bool(needed & names_used(config))
    blocks = [] if stays else [config]
    untitled = (*PACKAGES, task.__name__)  # a package's docstring is no title, the task's is the head
    for source in sources.in_order():
        definition = source.definition("Config") if source.name == task.__name__ else None
        texts = source.texts({definition: config if stays else None} if definition else {})
        if texts and source.name not in untitled:
            texts[0] = f"{source.title()}\n{texts[0]}"
        blocks += texts
    return blocks


def _require_complete(text: str, task: TaskModule, file: str, values: Mapping[str, Plain]) -> None:
    """Raise TaskError where a script is no Python, lacks a name or has other defaults than these."""
    name = task_name(task)
    try:
        with warnings.catch_warnings(action="ignore"):
            tree, code = ast.parse(text), compile(text, f"{name}.py", "exec")
        defaults = values_in(tree)
    except (SyntaxError, ValueError) as error:
        raise TaskError(f"the frozen script of task {name!r} would be no Python: {one_line(error)}") from None
    for missing, function in missing_names(code).items():
        user = f"{function} uses" if function else "its top level uses"
        raise TaskError(
            f"the frozen script of task {name!r} would lack the name {missing!r}, which {user}: "
            "define it at the top level of its file, or import it there by its own name"
        )
    if [repr(defaults.get(field)) for field in values] != [repr(value) for value in values.values()]:
        raise TaskError(
            f"the frozen script of task {name!r} would have other defaults than it should: write each field "
            f"of Config in {file} as `name: type = value  # comment`, on a line of its own"
        )


def _docstring(task: TaskModule, file: str, head: str) -> str:
    """The script's docstring: the task's, escaped where a literal needs it, and the head."""
    if not (doc := inspect.getdoc(task)):
        raise TaskError(
            f"{file} has no docstring: its first line says what is asked, and the script repeats it"
        )
    doc = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    doc = "".join(letter if letter == "\n" or letter.isprintable() else ascii(letter)[1:-1] for letter in doc)
    return f'"""{doc}\n\n{head}\n"""'
