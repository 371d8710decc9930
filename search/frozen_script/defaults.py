"""The class `Config` of a task with other values as its defaults: the part of a frozen script that is new."""

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import UnionType

from search.errors import TaskError, TrialbookError
from search.frozen_script.module import Source
from search.frozen_script.source_code import TaskModule
from search.frozen_script.statements import comments, last_line
from search.primitives.text import readable
from search.primitives.values import TYPES, Plain

WIDTH = 110  # of a line
NOT_FIELDS = ("ClassVar", "InitVar")  # an annotation that holds one of these declares no setting
SIMPLE = ("bool", "int", "float", "str")  # annotations
SEARCHED = "searched "  # the first word of a remark that names a range


def with_defaults(
    task: TaskModule, source: Source, values: Mapping[str, Plain], searched: Mapping[str, str]
) -> str:
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
    lines, remarks = text.split("\n"), comments(text)
    indent = lines[node.body[0].lineno - 1].encode()[: node.body[0].col_offset].decode()
    inherited = values.keys() - fields_in(node.body).keys()
    if inherited:
        types = {each.name: _annotation(each.type) for each in fields(task.Config)}
        added = [name for name in values if name in inherited]
        lines[last_line(node) :] = [
            _declared(indent, name, types.get(name, "object"), values[name], searched.get(name), "")
            for name in added
        ]
    for group in reversed(_groups(node.body)):
        if fields_in(group).keys() & values.keys():
            first, last = group[0].lineno, last_line(group[-1])
            comment = " ".join(remarks[line] for line in range(first, last + 1) if line in remarks)
            lines[first - 1 : last] = [
                _field(indent, each, values, searched, comment if each is group[-1] else "") for each in group
            ]
    return "\n".join(lines)


def fields_in(body: Iterable[ast.stmt]) -> dict[str, ast.AnnAssign]:
    """The statements of a dataclass that declare a setting, by its name."""
    return {
        node.target.id: node
        for node in body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and not any(word in ast.unparse(node.annotation) for word in NOT_FIELDS)
    }


def config_in(tree: ast.Module) -> ast.ClassDef:
    """The class Config of a script."""
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config")


def literal(value: object, depth: int = 1) -> str:
    """A value as Python text that holds nothing but that value. Raises TrialbookError."""
    if isinstance(value, dict):
        items = [f"{'    ' * depth}{literal(k)}: {literal(v, depth + 1)},\n" for k, v in value.items()]
        return "{\n" + "".join(items) + "    " * (depth - 1) + "}"
    is_simple_text = isinstance(value, str) and value.isascii() and value.isprintable()
    try:
        text = json.dumps(value) if is_simple_text else repr(value)
        is_same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):  # also of a number of thousands of digits
        is_same = False
    if not is_same or type(value) not in TYPES:
        description = f"{value!r:.80}" if type(value) is not int else "a number of thousands of digits"
        raise TrialbookError(f"{description} is no plain value: a frozen script holds numbers and text only")
    return text


def searched_ranges(text: str) -> dict[str, str]:
    """The ranges in words that the comments of a script's Config name, by field."""
    lines, remarks, ranges = text.split("\n"), comments(text), {}
    for name, node in fields_in(config_in(ast.parse(text)).body).items():
        has_comment_above = lines[node.lineno - 2].lstrip().startswith("#")
        above = remarks.get(node.lineno - 1, "") if has_comment_above else ""
        comment = remarks.get(last_line(node)) or above
        _, marker, words = f"; {comment}".rpartition(f"; {SEARCHED}")
        if marker:
            ranges[name] = words
    return ranges


def _field(
    indent: str, node: ast.stmt, values: Mapping[str, Plain], searched: Mapping[str, str], comment: str
) -> str:
    """One statement of the class, with a new default where it declares a setting."""
    for name, field in fields_in([node]).items():
        if name in values:
            annotation = ast.unparse(field.annotation)
            is_none = isinstance(field.value, ast.Constant) and field.value.value is None
            if annotation in SIMPLE and is_none:
                annotation += " | None"  # the default may differ, and the script's option still takes None
            return _declared(indent, name, annotation, values[name], searched.get(name), comment)
    return indent + ast.unparse(node)


def _declared(
    indent: str, name: str, annotation: str, value: Plain, searched: str | None, comment: str
) -> str:
    """The line of a setting, with its comment behind it, or above it where the line would be too long."""
    remarks = [comment] if comment else []
    remarks += [readable(SEARCHED + searched)] if searched is not None else []
    declared, remark = f"{indent}{name}: {annotation} = {literal(value)}", f"# {'; '.join(remarks)}"
    if not remarks:
        return declared
    is_too_long = len(declared) + len(remark) + 2 > WIDTH
    return f"{indent}{remark}\n{declared}" if is_too_long else f"{declared}  {remark}"


def _groups(nodes: list[ast.stmt]) -> list[list[ast.stmt]]:
    """The statements of a class, those that share a line together."""
    groups: list[list[ast.stmt]] = []
    for node in nodes:
        if groups and node.lineno == last_line(groups[-1][-1]):
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _annotation(kind: object) -> str:
    """The annotation of an inherited field: a quoted text, unless it is made of builtins alone."""
    parts = kind.__args__ if isinstance(kind, UnionType) else [kind]
    if all(isinstance(part, type) and part.__module__ == "builtins" for part in parts):
        return kind.__name__ if isinstance(kind, type) else str(kind)
    return literal(kind if isinstance(kind, str) else str(kind))
