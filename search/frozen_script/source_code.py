"""The source code that trains a task: its own statements and those that they use, as text.

A frozen script is cut from it, and its digest is part of a trial's fingerprint. Both take the same
statements: all that bind or change a name that training uses, and all with an effect of their own.
"""

import ast
import graphlib
import hashlib
import sys
from types import ModuleType
from typing import Any, Protocol

from search.errors import TaskError
from search.frozen_script.module import Import, Source, imported_modules, package_of
from search.frozen_script.statements import Statement, meaning
from search.paths import PACKAGES

RESERVED = {"RECORD": "the frozen script itself"}  # name -> its definition in every script


class TaskModule(Protocol):
    """The part of a task that a script is cut from: see `objectives/__init__.py`."""

    @property
    def __name__(self) -> str: ...

    @property
    def DATA(self) -> Any: ...  # a module

    @property
    def Config(self) -> type[Any]: ...  # a dataclass


def task_name(task: TaskModule | ModuleType) -> str:
    """The task's only name: its file's."""
    return task.__name__.rpartition(".")[2]


class Sources:
    """The modules of this project that train a task, and the names needed of each.

    Raises TaskError where a part of them cannot be cut into one script.
    """

    def __init__(self, task: TaskModule) -> None:
        self.modules: dict[str, Source] = {}
        self._external: dict[str, set[str]] = {}  # name in the script -> the import statements that bind it
        self._origin = dict(RESERVED)  # name in the script -> its definition
        for module, name in (
            (task.__name__, "Config"),
            (task.DATA.__name__, "load"),
            (task.__name__, "train"),
            (task.__name__, "score"),
        ):
            self.need(module, name)

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
            if imported.is_internal:
                self._follow(source, imported, user)
            else:
                self._claim(name, module if binding else imported.target)
                self._external.setdefault(name, set()).add(imported.text)
                source.external.add((name, imported.target))

    def imports(self) -> str:
        """The import statements, the standard library's first."""
        standard, others = set[str](), set[str]()
        for statement in set[str]().union(*self._external.values()):
            package = package_of(statement.split()[1])
            (standard if package in sys.stdlib_module_names else others).add(statement)
        groups = ["\n".join(_sorted(group)) for group in (standard, others) if group]
        if any(source.has_future_annotations for source in self.modules.values() if source.taken):
            groups.insert(0, "from __future__ import annotations")
        return "\n\n".join(groups)

    def in_order(self) -> list[Source]:
        """The modules that are needed, each after those that it reads: data, then models, then objectives."""
        sorter = graphlib.TopologicalSorter(
            {name: source.reads - {name} for name, source in self.modules.items()}
        )
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            raise TaskError(
                f"{' and '.join(sorted(set(error.args[1])))} import each other: "
                "move what both use into a module of its own"
            ) from None
        waiting, ordered = set[str](), list[Source]()
        while sorter.is_active():
            waiting |= set(sorter.get_ready())
            name = min(waiting, key=_position)
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

    def _source(self, module: str) -> Source:
        """A module, with the effects of importing it: those of its package and of its own imports too."""
        if module in self.modules:
            return self.modules[module]
        source = self.modules[module] = Source(module)
        if "." in module:
            source.reads.add(self._source(module.rpartition(".")[0]).name)
        for imported in source.internal_modules():
            source.reads.add(self._source(imported).name)
        for statement in source.statements:
            if statement.has_effect:
                self._take(source, statement)
        return source

    def _take(self, source: Source, statement: Statement) -> None:
        """Take a statement, all that changes the names it binds, and all that it uses."""
        if statement in source.taken:
            return
        source.taken.add(statement)
        if source.star:
            raise TaskError(
                f"{source.file}, line {source.star.lineno}: names that come from "
                f"`import *` cannot be followed: write `from {source.star.module} import NAME`"
            )
        _require_no_inner_import(source, statement)
        for name in sorted(statement.binds):
            self.need(source.name, name)
        for name in sorted(statement.uses):
            self.need(source.name, name, statement)

    def _follow(self, source: Source, imported: Import, user: Statement | None) -> None:
        """Take a name from another module of the project."""
        if module := imported.internal_module:
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


def _position(module: str) -> tuple[int, bool, str]:
    """A key that sorts modules as a script has them: by package, `replay` last."""
    return PACKAGES.index(package_of(module)), module.endswith(".replay"), module


def _module_used(source: Source, imported: Import, module: str, user: Statement | None) -> str:
    """The message about code that uses one of the project's modules, not a name of it."""
    line, usage, remedy = imported.line, imported.bound, f"write `from {module} import NAME` and use that"
    named = {imported.bound: module} | ({imported.module: imported.module} if not imported.original else {})
    for node in ast.walk(user.node) if user else ():  # of data.words.LETTERS the whole comes first
        if isinstance(node, ast.Attribute) and (taken := named.get(ast.unparse(node.value))):
            line, usage, remedy = node.lineno, ast.unparse(node), f"write `from {taken} import {node.attr}`"
            break
    return f"{source.file}, line {line}: {usage} cannot be cut into one script: {remedy}"


def _require_no_inner_import(source: Source, statement: Statement) -> None:
    """Raise TaskError where a statement itself imports a module of the project: no script has that module."""
    for node in ast.walk(statement.node):
        if isinstance(node, ast.Import | ast.ImportFrom):
            is_relative = isinstance(node, ast.ImportFrom) and node.level > 0
            if is_relative or any(package_of(name) in PACKAGES for name in imported_modules(node)):
                raise TaskError(
                    f"{source.file}, line {node.lineno}: `{ast.unparse(node)}` cannot be cut into one "
                    "script: import the names at the top level of the file"
                )


def _sorted(imports: set[str]) -> list[str]:
    """`import` before `from`, each by name; names from one module in one statement."""
    plain = sorted(statement for statement in imports if statement.startswith("import"))
    named: dict[str, list[str]] = {}
    for statement in imports - set(plain):
        module, _, names = statement.removeprefix("from ").partition(" import ")
        named.setdefault(module, []).append(names)
    return plain + [f"from {module} import {', '.join(sorted(named[module]))}" for module in sorted(named)]
