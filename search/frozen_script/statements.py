"""The top-level statements of a module: the names that each binds and uses, its effect, its text.

A module is read from its file. None of its code runs.
"""

import ast
import builtins
import dis
import io
import symtable
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
NESTED = (*DEFINITIONS, ast.Lambda)  # their bodies do not run when the module is imported
READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
STORES = ("STORE_NAME", "STORE_GLOBAL")
MODULE_NAMES = {"__name__", "__file__", "__doc__", "__builtins__", "__annotations__"}
MODULE_NAMES |= {"__spec__", "__package__"}


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement at the top level of a module."""

    node: ast.stmt
    first: int  # the number of its first line, decorators included
    last: int
    text: str  # as in the file, with the comment above it
    binds: frozenset[str]  # the names of the module that it binds or changes
    uses: frozenset[str]  # the names that it reads, from the module or from the builtins
    has_effect: bool  # whether it does more than to bind or change names of the module

    @property
    def is_definition(self) -> bool:
        """Whether it defines a function or a class."""
        return isinstance(self.node, DEFINITIONS)

    @property
    def defined_name(self) -> str:
        """The name of the function or class; "" of any other statement."""
        return self.node.name if isinstance(self.node, DEFINITIONS) else ""

    def is_joined_with(self, following: "Statement") -> bool:
        """Whether both belong into one block of a script: no definitions, and no line between them."""
        if self.is_definition or following.is_definition:
            return False
        return following.first <= self.last + 1


def statements(text: str, tree: ast.Module) -> list[Statement]:
    """The statements of a module except its docstring, its imports and its `if __name__ == "__main__"`."""
    nodes = [node for node in tree.body if not _is_left_out(node)]
    lines = text.split("\n")  # splitlines also splits where Python does not
    shared = _shared_lines(tree.body)
    scopes = [_scope(_segment(lines, node)) for node in nodes]
    module_names = frozenset[str]().union(*(binds for binds, _ in scopes))
    result = []
    for node, (binds, uses) in zip(nodes, scopes, strict=True):
        changed, has_effect = _effects(node, module_names)
        first, last = _first_line(node), last_line(node)
        is_alone = not shared & set(range(first, last + 1))
        copied = _with_comment(lines, first, last) if is_alone else _segment(lines, node)
        has_effect = has_effect or binds == {"_"}
        result.append(Statement(node, first, last, copied, binds | changed, uses, has_effect))
    return result


def meaning(node: object) -> str:
    """A syntax tree as text that is the same under every version of Python: no docstring, no position."""
    if isinstance(node, list):
        return f"[{','.join(map(meaning, node))}]"
    if isinstance(node, ast.Constant):
        return f"Constant({_constant(node.value)})"
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = []
    for name in sorted(node._fields):
        value: Any = getattr(node, name, None)
        if (
            name == "body"
            and isinstance(node, DEFINITIONS)
            and ast.get_docstring(node, clean=False) is not None
        ):
            value = value[1:]
        if name == "values" and isinstance(node, ast.JoinedStr):
            value = _merged(value)
        if name not in ("ctx", "kind", "type_comment") and value is not None and value != []:
            fields.append(f"{name}={meaning(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def comments(text: str) -> dict[int, str]:
    """The comments of a text by the number of their line, without the number sign."""
    tokens = tokenize.generate_tokens(io.StringIO(text, newline="\n").readline)
    return {
        token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT
    }


def last_line(node: ast.stmt) -> int:
    """The number of a statement's last line."""
    assert node.end_lineno is not None  # the parser sets it
    return int(node.end_lineno)


def names_used(text: str) -> frozenset[str]:
    """The names that a statement reads, from its module or from the builtins."""
    return _scope(text)[1]


def missing_names(code: CodeType) -> dict[str, str]:
    """The names that a module's code reads and nothing defines, each with the function that reads it."""
    everything = list(_code_objects(code, ""))
    defined = set(dir(builtins)) | MODULE_NAMES | _names(code, STORES)
    defined |= {name for each, _ in everything for name in _names(each, ("STORE_GLOBAL",))}
    missing: dict[str, str] = {}
    for each, function in everything:
        for name in sorted(_names(each, READS) - defined - _names(each, STORES)):
            missing.setdefault(name, function)
    return missing


def _is_left_out(node: ast.stmt) -> bool:
    if isinstance(node, IMPORTS):
        return True
    if isinstance(node, ast.If) and isinstance(node.test, ast.Compare):
        sides = [node.test.left, *node.test.comparators]
        if any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides):
            return True
    return isinstance(node, ast.Pass) or isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, DEFINITIONS) else []
    return min(node.lineno, *(each.lineno for each in decorators)) if decorators else node.lineno


def _shared_lines(nodes: list[ast.stmt]) -> set[int]:
    """The numbers of the lines on which more than one statement stands."""
    return {after.lineno for before, after in zip(nodes, nodes[1:]) if after.lineno == last_line(before)}


def _segment(lines: list[str], node: ast.stmt) -> str:
    """A statement alone, from its first character to its last."""
    first = _first_line(node)
    start = node.col_offset if first == node.lineno else 0
    cut = lines[first - 1 : node.end_lineno]
    cut[-1] = cut[-1].encode()[: node.end_col_offset].decode()
    cut[0] = cut[0].encode()[start:].decode()
    return "\n".join(cut)


def _with_comment(lines: list[str], first: int, last: int) -> str:
    """Whole lines, and the comment directly above them."""
    start = first - 1
    while start > 0 and lines[start - 1].startswith("#"):
        start -= 1
    return "\n".join(lines[start:last])


class _OneScopeEach(ast.NodeTransformer):
    """Give each comprehension a scope of its own: since Python 3.12 some lie in that around them.

    The parts of an f-string become a tuple, since `ast.unparse` cannot write each f-string.
    """

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.AST:
        return self.generic_visit(ast.GeneratorExp(node.elt, node.generators))

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        pair = ast.Tuple([node.key, node.value], ast.Load())
        return self.generic_visit(ast.GeneratorExp(pair, node.generators))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        parts: list[ast.expr] = [
            each.value for each in ast.walk(node) if isinstance(each, ast.FormattedValue)
        ]
        return self.generic_visit(ast.Tuple(parts, ast.Load()))


def _scope(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the module that a statement binds, and those that it reads, inner functions included."""
    text = ast.unparse(ast.fix_missing_locations(_OneScopeEach().visit(ast.parse(text))))
    top = symtable.symtable(text, "statement", "exec")
    binds = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    uses = {each.get_name() for each in top.get_symbols() if each.is_referenced()}
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        inner += table.get_children()
        runs_here = table.get_type() == "class" or table.get_name().strip("<>") == "genexpr"
        symbols = [each for each in table.get_symbols() if each.is_global()]
        binds |= {each.get_name() for each in symbols if each.is_assigned() and runs_here}
        uses |= {each.get_name() for each in symbols if each.is_assigned() or each.is_referenced()}
    return frozenset(binds), frozenset(uses)


def _effects(node: ast.stmt, module_names: frozenset[str]) -> tuple[frozenset[str], bool]:
    """The module's names that a statement changes in place, and whether it has another effect.

    `TABLE["a"] = 1` and `TABLE.update(b=2)` change TABLE, if the module itself binds it. Any other call
    whose result is unused, such as `torch.set_default_dtype(...)`, has another effect.
    """
    roots: list[str | None] = []  # the names that are changed; None stands for another effect
    for each in _at_module_level(node):
        if isinstance(each, ast.Subscript | ast.Attribute) and not isinstance(each.ctx, ast.Load):
            roots.append(_root(each))
        elif isinstance(each, ast.Expr) and not isinstance(each.value, ast.Constant):
            call = each.value
            function = call.func if isinstance(call, ast.Call) else None
            roots.append(_root(function) if isinstance(function, ast.Attribute) else None)
        elif isinstance(each, ast.Assert | ast.Raise):
            roots.append(None)
    return frozenset(name for name in roots if name in module_names), not module_names.issuperset(roots)


def _at_module_level(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all nodes within it that run when the module is imported."""
    yield node
    if not isinstance(node, NESTED):
        for child in ast.iter_child_nodes(node):
            yield from _at_module_level(child)


def _root(node: ast.AST) -> str | None:
    """The name at the beginning of `name.part[0].other`; None where it begins with something else."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _constant(value: object) -> str:
    """A constant as text. `repr` of a text depends on the version's Unicode, `ascii` does not."""
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(ascii, value))})"
    return f"{type(value).__name__} {ascii(value)}"


def _merged(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string, with constants that follow each other as one and without empty ones."""
    merged: list[ast.expr] = []
    for each in values:
        last = merged[-1] if merged else None
        if isinstance(each, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(str(last.value) + str(each.value))
        elif not isinstance(each, ast.Constant) or each.value != "":
            merged.append(each)
    return merged


def _code_objects(code: CodeType, function: str) -> Iterator[tuple[CodeType, str]]:
    """A code object and those within it, each with the name of the function or class that it belongs to."""
    function = function if code.co_name.startswith("<") else code.co_name
    yield code, function
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_objects(constant, function)


def _names(code: CodeType, operations: tuple[str, ...]) -> set[str]:
    return {each.argval for each in dis.get_instructions(code) if each.opname in operations}
