"""What code a task's training is made of: its own definitions and those that they use, as text.

A frozen script is cut out of these, and a trial's fingerprint is their digest.
"""

import ast
import copy
import graphlib
import hashlib
import importlib
import inspect
import re
import sys

from search.errors import TrialbookError

OURS = ("data", "models", "objectives")
LEGEND = re.compile(r"[A-Z] \w+(, [A-Z] [\w ]+)*\.$")  # "L letters, B batch, H hidden units."


class Sources:
    """The modules of this project that train a task, and what is needed of each."""

    def __init__(self, task):
        self.modules = {}  # name -> Source
        self._external = {}  # name in the script -> the import statement that binds it
        self._origin = {}  # name in the script -> the module that defines it
        for module, name in ((task, "Config"), (task.DATA, "load"), (task, "train"), (task, "score")):
            self.need(module.__name__, name)

    def need(self, module, name):
        """Take a name of a module, with all that it uses. Raises TrialbookError."""
        if module not in self.modules:
            self.modules[module] = Source(module)
        source = self.modules[module]
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

    def digest(self):
        """Twelve hex digits of SHA-256 over what the code does: no comment, docstring or blank counts."""
        sha = hashlib.sha256()
        for name, source in sorted(self.modules.items()):
            for definition in sorted(source.needed):
                sha.update(f"{name} {definition} {source.meaning(definition)}\n".encode())
        return sha.hexdigest()[:12]


class Source:
    """One module, as text."""

    def __init__(self, module):
        self.name = module
        self.needed = set()  # names that the script takes from here
        self.reads = set()  # modules of ours that those use
        text = inspect.getsource(importlib.import_module(module))
        self.lines, tree = text.split("\n"), ast.parse(text)  # splitlines also splits where Python does not
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

    def meaning(self, name):
        """A definition as a syntax tree in text, without docstrings."""
        tree = copy.deepcopy(self.definitions[name])
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
                del node.body[0]
        return ast.dump(tree)

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
