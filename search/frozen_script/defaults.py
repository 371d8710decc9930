"""The class `Config` of a task with other values as its defaults: the part of a frozen script that is new."""

import ast
import json
from dataclasses import fields
from types import ModuleType, UnionType

from search.errors import TaskError, TrialbookError, readable
from search.frozen_script.source_code import Source
from search.frozen_script.statements import comments
from search.values import TYPES, Plain

WIDTH = 110  # of a line
NOT_FIELDS = ("ClassVar", "InitVar")  # in whose annotations these stand, those are no settings
SIMPLE = ("bool", "int", "float", "str")  # annotations
SEARCHED = "searched "  # how the part of a comment begins that names the range


def with_defaults(task: ModuleType, source: Source, values: dict, searched: dict) -> str:
    """The class Config with these values as its defaults, each with the range that was searched.

    Args:
        source: the task's own file.
        values: field -> the value that becomes its default.
        searched: field -> its range in words, where it was searched.

    Raises TaskError where the file does not hold the class as it must.
    """
    statement = source.definition("Config")
    if statement is None or not isinstance(statement.node, ast.ClassDef):
        raise TaskError(
            f"{source.file} must itself hold one `class Config` at its top level, a dataclass: a frozen "
            "script has the winning values as its defaults"
        )
    text = statement.text
    if statement.node.body[0].lineno == statement.node.lineno:  # all of it on one line
        text = ast.unparse(statement.node)
    node = next(each for each in ast.parse(text).body if isinstance(each, ast.ClassDef))
    lines, said = text.split("\n"), comments(text)
    indent = lines[node.body[0].lineno - 1].encode()[: node.body[0].col_offset].decode()
    inherited = values.keys() - {each.target.id for each in node.body if is_field(each)}
    if inherited:
        types = {each.name: _annotation(each.type) for each in fields(task.Config)}
        added = [name for name in values if name in inherited]
        lines[node.end_lineno :] = [
            _declared(indent, name, types.get(name, "object"), values[name], searched.get(name), "")
            for name in added
        ]
    for group in reversed(_groups(node.body)):
        if any(is_field(each) and each.target.id in values for each in group):
            first, last = group[0].lineno, group[-1].end_lineno
            comment = " ".join(said[line] for line in range(first, last + 1) if line in said)
            lines[first - 1 : last] = [
                _field(indent, each, values, searched, comment if each is group[-1] else "") for each in group
            ]
    return "\n".join(lines)


def is_field(node: ast.stmt) -> bool:
    """Whether a statement of a dataclass declares a setting."""
    declares = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    return declares and not any(word in ast.unparse(node.annotation) for word in NOT_FIELDS)


def literal(value: object, depth: int = 1) -> str:
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
    if not same or type(value) not in TYPES:
        seen = f"{value!r:.80}" if type(value) is not int else "a number of thousands of digits"
        raise TrialbookError(f"{seen} is no plain value: a frozen script holds numbers and text only")
    return text


def searched_ranges(text: str) -> dict[str, str]:
    """The ranges in words that the comments of a script's Config name, by field."""
    node = next(
        each for each in ast.parse(text).body if isinstance(each, ast.ClassDef) and each.name == "Config"
    )
    lines, said, found = text.split("\n"), comments(text), {}
    for each in filter(is_field, node.body):
        above = each.lineno - 1 if lines[each.lineno - 2].lstrip().startswith("#") else None
        comment = said.get(each.end_lineno) or said.get(above, "")
        _, marked, words = f"; {comment}".rpartition(f"; {SEARCHED}")
        if marked:
            found[each.target.id] = words
    return found


def _field(indent: str, node: ast.stmt, values: dict, searched: dict, comment: str) -> str:
    """One statement of the class: a setting with its new default, or what else it is."""
    if not is_field(node) or node.target.id not in values:
        return indent + ast.unparse(node)
    name, annotation = node.target.id, ast.unparse(node.annotation)
    if annotation in SIMPLE and isinstance(node.value, ast.Constant) and node.value.value is None:
        annotation += " | None"  # the script's default may be another, and its option still takes None
    return _declared(indent, name, annotation, values[name], searched.get(name), comment)


def _declared(
    indent: str, name: str, annotation: str, value: Plain, searched: str | None, comment: str
) -> str:
    remarks = ([comment] if comment else []) + (
        [readable(SEARCHED + searched)] if searched is not None else []
    )
    declared, remark = f"{indent}{name}: {annotation} = {literal(value)}", f"# {'; '.join(remarks)}"
    if not remarks:
        return declared
    apart = len(declared) + len(remark) + 2 > WIDTH
    return f"{indent}{remark}\n{declared}" if apart else f"{declared}  {remark}"


def _groups(nodes: list[ast.stmt]) -> list[list[ast.stmt]]:
    """The statements of a class, those that share a line together."""
    groups = []
    for node in nodes:
        if groups and node.lineno == groups[-1][-1].end_lineno:
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _annotation(kind: object) -> str:
    """The annotation of a field that a base class declares; what is not made of builtins as a text."""
    parts = kind.__args__ if isinstance(kind, UnionType) else [kind]
    if all(isinstance(part, type) and part.__module__ == "builtins" for part in parts):
        return kind.__name__ if isinstance(kind, type) else str(kind)
    return literal(kind if isinstance(kind, str) else str(kind))
