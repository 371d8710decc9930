"""The text of a frozen script: cut out of the real sources, checked to hold together.

What the script needs is taken out of the task's file, its model, its data source and
`objectives/replay.py` as it stands there, comments included: nothing is written twice. New are
only the head, the record and the defaults of `Config`, and these are values, written as literals.
"""

import ast
import inspect
import warnings
from types import ModuleType
from typing import Any

from objectives import replay
from search.errors import TaskError, TrialbookError, one_line
from search.frozen_script.defaults import is_field, literal, searched_ranges, with_defaults
from search.frozen_script.source_code import Sources
from search.frozen_script.statements import missing_names, names_used
from search.paths import PACKAGES

BEGINS = "The best configuration that a search found for this task."
END = """if __name__ == "__main__":
    if code := replay(RECORD, Config(), load, train, score):
        sys.exit(code)"""


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
    untitled = (*PACKAGES, task.__name__)  # a room's docstring describes the room; the task's is the head
    for source in sources.in_order():
        blocks = source.texts(replaced if source is mine else {})
        if blocks and source.name not in untitled:
            blocks[0] = f"{source.title()}\n{blocks[0]}"
        parts += blocks
    text = "\n\n\n".join([*parts, END]) + "\n"
    _require_whole(text, task, mine.file, values)
    return text


def preview(task: ModuleType, defaults: dict[str, Any], searched: dict[str, str]) -> str:
    """The frozen script that the defaults of a task would have.

    A search asks for it before its first trial, so that no export fails for the task's sake after it.

    Args:
        defaults: field of Config -> its value.
        searched: field -> its range in words, where it is searched.

    Raises TaskError, which names the task.
    """
    name = task.__name__.rpartition(".")[2]
    stand_ins = ["study", "run", "commit", "data_file", "digest", "metric", "direction"]
    record = {"task": name} | dict.fromkeys(stand_ins, "none") | {"trial": 0, "score": 0.0, "machine": {}}
    try:
        return script_of(task, defaults, searched, record, BEGINS)
    except TrialbookError as error:
        named = f"task {name!r}"
        raise TaskError(f"{error}" if named in str(error) else f"{named}: {error}") from None
    except Exception as error:
        raise TaskError(f"task {name!r}: the text of the frozen script raised {one_line(error)}") from None


def recut(text: str, task: ModuleType) -> str:
    """A frozen script cut anew from today's sources, with the record, values and ranges that it has.

    Raises TaskError.
    """
    tree = ast.parse(text)
    head = ast.get_docstring(tree)
    head = head[head.index(BEGINS) :]
    return script_of(task, values_in(tree), searched_ranges(text), record_in(tree), head)


def record_in(tree: ast.Module) -> dict:
    """The RECORD of a frozen script."""
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECORD"
    )


def values_in(tree: ast.Module) -> dict:
    """The defaults of a frozen script's Config, by name."""
    config = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config")
    return {node.target.id: ast.literal_eval(node.value) for node in config.body if is_field(node)}


def _require_whole(text, task, file, values):
    """Raise TaskError where a script is no Python, lacks a name or has other defaults than these."""
    name = task.__name__.rpartition(".")[2]
    try:
        with warnings.catch_warnings(action="ignore"):
            tree, code = ast.parse(text), compile(text, f"{name}.py", "exec")
        same = list(map(repr, map(values_in(tree).get, values))) == list(map(repr, values.values()))
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


def _docstring(task, file, head):
    """The script's docstring: the task's, what it cannot hold as it stands escaped, and the head."""
    if not (doc := inspect.getdoc(task)):
        raise TaskError(
            f"{file} has no docstring: its first line says what is asked, and the script repeats it"
        )
    doc = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    doc = "".join(letter if letter == "\n" or letter.isprintable() else ascii(letter)[1:-1] for letter in doc)
    return f'"""{doc}\n\n{head}\n"""'
