"""What code a task's training is made of: its own statements and those that they use, as text.

A frozen script is cut out of these, and a trial's fingerprint is their digest. Both take the same
statements: all that bind or change a name that training uses, and all with an effect of their own.
"""

import ast
import graphlib
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import textwrap
from dataclasses import dataclass
from types import ModuleType

from search.errors import TaskError
from search.frozen_script.statements import IMPORTS, Statement, meaning, statements
from search.paths import PACKAGES

LEGEND = re.compile(r"[A-Z] \w+(, [A-Z] [\w ]+)*\.$")  # "L letters, B batch, H hidden units."
RESERVED = {"RECORD": "the frozen script itself"}  # name -> what defines it in every script
WIDTH = 108  # of a comment


@dataclass(frozen=True)
class Import:
    """One name that an import statement at the top level of a module binds."""

    module: str  # that it comes from
    original: str | None  # its name there; None: it is the module itself, or the package that it lies in
    bound: str  # its name here
    text: str  # a statement that binds it alone
    line: int

    @property
    def is_ours(self) -> bool:
        return _package(self.module) in PACKAGES

    @property
    def target(self) -> str:
        """What the name stands for."""
        if self.original is not None:
            return f"{self.module}.{self.original}"
        return self.module if " as " in self.text else _package(self.module)


class Sources:
    """The modules of this project that train a task, and what is needed of each.

    Raises TaskError where a part of them cannot be cut into one script.
    """

    def __init__(self, task: ModuleType):
        self.modules: dict[str, Source] = {}
        self._external: dict[str, set] = {}  # name in the script -> the import statements that bind it
        self._origin = dict(RESERVED)  # name in the script -> what defines it
        for module, name in ((task, "Config"), (task.DATA, "load"), (task, "train"), (task, "score")):
            self.need(module.__name__, name)

    def need(self, module: str, name: str, user: Statement | None = None) -> None:
        """Take a name of a module, with all that it uses. `user` is the module's statement that uses it."""
        source = self._source(module)
        if name in source.needed:
            return
        binding = source.binding(name)
        if binding:
            self._claim(name, module)
            source.needed.add(name)
            for statement in binding:
                self._take(source, statement)
        for imported in source.imports.get(name, ()):
            if imported.is_ours:
                self._follow(source, imported, user)
            else:
                self._claim(name, module if binding else imported.target)
                self._external.setdefault(name, set()).add(imported.text)
                source.external.add((name, imported.target))

    def imports(self) -> str:
        """The import statements, the standard library's first."""
        mine, others = set(), set()
        for statement in set().union(*self._external.values()):
            package = statement.split()[1].partition(".")[0]
            (mine if package in sys.stdlib_module_names else others).add(statement)
        groups = ["\n".join(_sorted(group)) for group in (mine, others) if group]
        if any(source.has_future_annotations for source in self.modules.values() if source.taken):
            groups.insert(0, "from __future__ import annotations")
        return "\n\n".join(groups)

    def in_order(self) -> list["Source"]:
        """The modules that are needed, each after those that it reads: data, then models, then objectives."""
        graph = {name: source.reads - {name} for name, source in self.modules.items()}
        sorter, waiting, ordered = graphlib.TopologicalSorter(graph), set(), []
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            raise TaskError(
                f"{' and '.join(sorted(set(error.args[1])))} import each other: "
                "move what both use into a module of its own"
            ) from None
        while sorter.is_active():
            waiting |= set(sorter.get_ready())
            name = min(
                waiting, key=lambda name: (PACKAGES.index(_package(name)), name.endswith(".replay"), name)
            )
            waiting.remove(name)
            sorter.done(name)
            ordered.append(self.modules[name])
        return [source for source in ordered if source.taken]

    def digest(self) -> str:
        """Twelve hex digits of SHA-256 over what the code does: no comment, docstring or blank counts."""
        sha = hashlib.sha256()
        for name, source in sorted(self.modules.items()):
            for external in sorted(source.external):
                sha.update(f"{name} imports {external}\n".encode())
            for statement in source.in_canonical_order():
                sha.update(f"{name} {meaning(statement.node)}\n".encode())
        return sha.hexdigest()[:12]

    def _source(self, module: str) -> "Source":
        """A module, with the effects of importing it: those of its package and of its own imports too."""
        if module in self.modules:
            return self.modules[module]
        source = self.modules[module] = Source(module)
        if "." in module:
            source.reads.add(self._source(module.rpartition(".")[0]).name)
        for imported in source.own_modules():
            source.reads.add(self._source(imported).name)
        for statement in source.statements:
            if statement.has_effect:
                self._take(source, statement)
        return source

    def _take(self, source: "Source", statement: Statement) -> None:
        """Take a statement, all that changes the names it binds, and all that it uses."""
        if statement in source.taken:
            return
        source.taken.add(statement)
        if source.star:
            raise TaskError(
                f"{source.file}, line {source.star.lineno}: names that come from "
                f"`import *` cannot be followed: write `from {source.star.module} import NAME`"
            )
        _require_no_own_import(source, statement)
        for name in sorted(statement.binds):
            self.need(source.name, name)
        for name in sorted(statement.uses):
            self.need(source.name, name, statement)

    def _follow(self, source: "Source", imported: Import, user: Statement | None) -> None:
        """Take a name from another module of ours."""
        if module := _own_module(imported):
            raise TaskError(_module_used(source, imported, module, user))
        if imported.bound != imported.original:
            raise TaskError(
                f"{source.file}, line {imported.line}: {imported.module}.{imported.original} goes by another "
                f"name, {imported.bound}: write `from {imported.module} import {imported.original}`"
            )
        self.need(imported.module, imported.original)

    def _claim(self, name: str, origin: str) -> None:
        """Give a name of the script to one origin. Raises TaskError where it has another."""
        if (other := self._origin.setdefault(name, origin)) != origin:
            raise TaskError(
                f"{other} and {origin} both define {name}: one script cannot hold both, rename one"
            )


class Source:
    """One module, as text."""

    def __init__(self, module: str):
        self.name = module
        self.needed: set[str] = set()  # names that the script takes from here
        self.taken: set[Statement] = set()
        self.external: set[tuple] = set()  # names that those use from other libraries, and their targets
        self.reads: set[str] = set()  # modules of ours that come before this one
        found = importlib.import_module(module)
        try:
            text = inspect.getsource(found)
        except (OSError, TypeError):  # an empty file, or a folder without one
            text = ""
        tree = ast.parse(text)
        self.file = f"{module.replace('.', '/')}{'/__init__' if hasattr(found, '__path__') else ''}.py"
        self.doc = ast.get_docstring(tree) or ""
        self.statements = statements(text, tree)
        self.imports: dict[str, list[Import]] = {}
        self.star, self.has_future_annotations = None, False
        package = module if hasattr(found, "__path__") else module.rpartition(".")[0]
        for node in tree.body:
            if isinstance(node, IMPORTS):
                self._read_import(node, package)

    def binding(self, name: str) -> list[Statement]:
        """The statements that bind or change a name, in the order of the source."""
        return [statement for statement in self.statements if name in statement.binds]

    def definition(self, name: str) -> Statement | None:
        """The one class or function of a name; None where there is none, or several."""
        found = [each for each in self.binding(name) if each.is_definition]
        return found[0] if len(found) == 1 else None

    def in_canonical_order(self) -> list[Statement]:
        """What is taken: functions and classes by name, since their order does nothing, then the others."""
        taken = [statement for statement in self.statements if statement in self.taken]
        definitions = [statement for statement in taken if statement.is_definition]
        others = [statement for statement in taken if not statement.is_definition]
        return sorted(definitions, key=lambda statement: statement.node.name) + others

    def texts(self, replaced: dict[Statement, str | None]) -> list[str]:
        """The blocks of text that are taken, in the order of the source.

        Args:
            replaced: a statement -> the text that stands in its place; None leaves it out.
        """
        blocks, before = [], None
        for statement in self.statements:
            text = replaced.get(statement, statement.text)
            if statement not in self.taken or text is None:
                continue
            plain = not statement.is_definition
            if plain and before and not before.is_definition and statement.first <= before.last + 1:
                blocks[-1] += f"\n{text}"
            else:
                blocks.append(text)
            before = statement
        return blocks

    def title(self) -> str:
        """Where a part of the script comes from, what it is, and what its letters mean."""
        first, *paragraphs = self.doc.split("\n\n")
        legend = [text for text in paragraphs[-1:] if LEGEND.match(text)]
        lines = textwrap.wrap(f"{self.name.replace('.', '/')}.py: {' '.join(first.split())}", WIDTH)
        return "\n".join(f"# {line}" for line in (*lines, *legend))

    def own_modules(self) -> list[str]:
        """The modules of ours that this one imports, whatever it takes of them."""
        ours = [each for group in self.imports.values() for each in group if each.is_ours]
        found = {name for each in ours for name in (each.module, _own_module(each)) if name}
        return sorted(found - {self.name})

    def _read_import(self, node: ast.Import | ast.ImportFrom, package: str) -> None:
        module = getattr(node, "module", None)
        if getattr(node, "level", 0):
            module = importlib.util.resolve_name("." * node.level + (module or ""), package)
        if module == "__future__":
            self.has_future_annotations |= any(alias.name == "annotations" for alias in node.names)
            return
        for alias in node.names:
            renamed = f" as {alias.asname}" if alias.asname else ""
            if alias.name == "*":
                self.star = self.star or ast.ImportFrom(module, node.names, 0, lineno=node.lineno)
            elif module is None:
                bound, text = alias.asname or _package(alias.name), f"import {alias.name}{renamed}"
                found = Import(alias.name, None, bound, text, node.lineno)
                self.imports.setdefault(bound, []).append(found)
            else:
                bound, text = alias.asname or alias.name, f"from {module} import {alias.name}{renamed}"
                found = Import(module, alias.name, bound, text, node.lineno)
                self.imports.setdefault(bound, []).append(found)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _own_module(imported: Import) -> str | None:
    """The module of ours that an import binds; None where it binds another thing."""
    if imported.original is None:
        return imported.target
    found = getattr(importlib.import_module(imported.module), imported.original, None)
    name = found.__name__ if isinstance(found, ModuleType) else ""
    return name if _package(name) in PACKAGES else None


def _module_used(source: Source, imported: Import, module: str, user: Statement | None) -> str:
    """The message about code that uses one of our modules, not a name of it."""
    line, shown, remedy = imported.line, imported.bound, f"write `from {module} import NAME` and use that"
    named = {imported.bound: module} | ({imported.module: imported.module} if not imported.original else {})
    for node in ast.walk(user.node) if user else ():  # of data.words.LETTERS the whole comes first
        if isinstance(node, ast.Attribute) and (taken := named.get(ast.unparse(node.value))):
            line, shown, remedy = node.lineno, ast.unparse(node), f"write `from {taken} import {node.attr}`"
            break
    return f"{source.file}, line {line}: {shown} cannot be cut into one script: {remedy}"


def _require_no_own_import(source: Source, statement: Statement) -> None:
    """Raise TaskError where a statement itself imports a module of ours: no script would find that."""
    for node in ast.walk(statement.node):
        if isinstance(node, IMPORTS):
            named = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            relative = bool(getattr(node, "level", 0))
            if relative or any(_package(name) in PACKAGES for name in named):
                raise TaskError(
                    f"{source.file}, line {node.lineno}: `{ast.unparse(node)}` cannot be cut into one "
                    "script: import the names at the top level of the file"
                )


def _sorted(found: set[str]) -> list[str]:
    """`import` before `from`, each by name; names from one module in one statement."""
    plain = sorted(statement for statement in found if statement.startswith("import"))
    named = {}
    for statement in found - set(plain):
        module, _, names = statement.removeprefix("from ").partition(" import ")
        named.setdefault(module, []).append(names)
    return plain + [f"from {module} import {', '.join(sorted(named[module]))}" for module in sorted(named)]
