"""One module of the project as text: its statements, its imports, and the part of it that a script takes."""

import ast
import importlib
import importlib.util
import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from search.frozen_script.statements import Statement, statements
from search.paths import PACKAGES

LEGEND = re.compile(r"[A-Z] \w+(, [A-Z] [\w ]+)*\.$")  # "L letters, B batch, H hidden units."
WIDTH = 108  # of a comment


@dataclass(frozen=True)
class Import:
    """One name that an import statement at the top level of a module binds."""

    module: str  # that it comes from
    original: str | None  # its name in that module; None where it is a module, or the package of one
    bound: str  # its name in the importing module
    text: str  # a statement that binds it alone
    line: int

    @property
    def is_internal(self) -> bool:
        """Whether it comes from this project, not from a library."""
        return package_of(self.module) in PACKAGES

    @property
    def target(self) -> str:
        """The full name of the thing that is imported."""
        if self.original is not None:
            return f"{self.module}.{self.original}"
        return self.module if " as " in self.text else package_of(self.module)

    @property
    def internal_module(self) -> str | None:
        """The module of this project that it binds; None where it binds another thing."""
        if self.original is None:
            return self.target
        value = getattr(importlib.import_module(self.module), self.original, None)
        name = value.__name__ if isinstance(value, ModuleType) else ""
        return name if package_of(name) in PACKAGES else None


class Source:
    """One module, as text.

    Args:
        module: its full name.
    """

    def __init__(self, module: str) -> None:
        self.name = module
        self.needed: set[str] = set()  # names that the script takes from here
        self.taken: set[Statement] = set()
        self.external: set[tuple[str, str]] = set()  # names of libraries that those use, and their targets
        self.reads: set[str] = set()  # modules of the project that come before this one
        loaded = importlib.import_module(module)
        is_package = hasattr(loaded, "__path__")
        text = _text_of(loaded)
        tree = ast.parse(text)
        self.file = f"{module.replace('.', '/')}{'/__init__' if is_package else ''}.py"
        self.doc = ast.get_docstring(tree) or ""
        self.statements = statements(text, tree)
        self.imports: dict[str, list[Import]] = {}
        self.star: ast.ImportFrom | None = None  # the first `from module import *`
        self.has_future_annotations = False
        package = module if is_package else module.rpartition(".")[0]
        for node in tree.body:
            if isinstance(node, ast.Import):
                self._read_import(node)
            elif isinstance(node, ast.ImportFrom):
                self._read_import_from(node, package)

    def binding(self, name: str) -> list[Statement]:
        """The statements that bind or change a name, in the order of the source."""
        return [statement for statement in self.statements if name in statement.binds]

    def definition(self, name: str) -> Statement | None:
        """The one class or function of a name; None where it has no definition, or several."""
        definitions = [each for each in self.binding(name) if each.is_definition]
        return definitions[0] if len(definitions) == 1 else None

    def in_canonical_order(self) -> list[Statement]:
        """The taken statements: functions and classes by name, as their order has no effect, then others."""
        taken = [statement for statement in self.statements if statement in self.taken]
        definitions = [statement for statement in taken if statement.is_definition]
        others = [statement for statement in taken if not statement.is_definition]
        return sorted(definitions, key=lambda definition: definition.defined_name) + others

    def texts(self, replaced: Mapping[Statement, str | None]) -> list[str]:
        """The blocks of text that are taken, in the order of the source.

        Args:
            replaced: a statement -> the text that replaces its own; None leaves it out.
        """
        blocks: list[str] = []
        before: Statement | None = None
        for statement in self.statements:
            text = replaced.get(statement, statement.text)
            if statement not in self.taken or text is None:
                continue
            if before and before.is_joined_with(statement):
                blocks[-1] += f"\n{text}"
            else:
                blocks.append(text)
            before = statement
        return blocks

    def title(self) -> str:
        """The comment above a part of the script: its file, its purpose, and the meaning of its letters."""
        first, *paragraphs = self.doc.split("\n\n")
        legend = [text for text in paragraphs[-1:] if LEGEND.match(text)]
        lines = textwrap.wrap(f"{self.name.replace('.', '/')}.py: {' '.join(first.split())}", WIDTH)
        return "\n".join(f"# {line}" for line in (*lines, *legend))

    def internal_modules(self) -> list[str]:
        """The modules of the project that this one imports, whichever of their names it takes."""
        internal = [each for group in self.imports.values() for each in group if each.is_internal]
        names = {name for each in internal for name in (each.module, each.internal_module) if name}
        return sorted(names - {self.name})

    def _read_import(self, node: ast.Import) -> None:
        for alias in node.names:
            bound, text = alias.asname or package_of(alias.name), f"import {_as_written(alias)}"
            self._add(Import(alias.name, None, bound, text, node.lineno))

    def _read_import_from(self, node: ast.ImportFrom, package: str) -> None:
        module = node.module or ""
        if node.level:
            module = importlib.util.resolve_name("." * node.level + module, package)
        if module == "__future__":
            self.has_future_annotations |= any(alias.name == "annotations" for alias in node.names)
            return
        for alias in node.names:
            if alias.name == "*":
                self.star = self.star or ast.ImportFrom(module, node.names, 0, lineno=node.lineno)
            else:
                bound, text = alias.asname or alias.name, f"from {module} import {_as_written(alias)}"
                self._add(Import(module, alias.name, bound, text, node.lineno))

    def _add(self, imported: Import) -> None:
        self.imports.setdefault(imported.bound, []).append(imported)


def package_of(module: str) -> str:
    """The top-level package of a module."""
    return module.partition(".")[0]


def imported_modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The names of the modules that an import statement reads, as they are written."""
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def _text_of(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # an empty file, or a folder without one
        return ""


def _as_written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name
