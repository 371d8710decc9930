"""What imports what in `search/`: packages, their levels, and the pages that show them.

`python tests/toys/structure.py` writes the tree of README.md and the table of CONTRIBUTING.md anew.
"""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = {"errors", "paths", "primitives"}  # all may import them; they import no other package
FRONT = {"__init__", "__main__", "api"}  # what is in front of all packages


@cache
def modules() -> dict[str, Path]:
    """All modules of `search/` by dotted name, but for the course's own files."""
    found = {}
    for path in sorted((ROOT / "search").rglob("*.py")):
        if "files" not in path.parent.parts:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def imports(path: Path) -> set[str]:
    """The modules of `search/` that a module imports anywhere, but for its annotations alone."""
    known, found = modules(), set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    annotations = [node for node in ast.walk(tree) if is_for_annotations(node)]
    left_out = {id(each) for node in annotations for each in ast.walk(node)}
    for node in (each for each in ast.walk(tree) if id(each) not in left_out):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in known}


def is_for_annotations(node: ast.AST) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def room(module: str) -> str:
    """The package of a module, or the module itself where it lies directly in `search/`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def edges() -> dict[str, set[str]]:
    """Package -> the packages that it imports; shared small modules are left out."""
    graph: dict[str, set[str]] = {}
    for name, path in modules().items():
        here = room(name)
        if here in SHARED | FRONT:
            continue
        others = {room(each) for each in imports(path)} - SHARED - FRONT - {here}
        graph.setdefault(here, set()).update(others)
    return graph


def levels() -> dict[str, int]:
    """Package -> its level: 0 where it imports no other, else one more than the highest that it imports."""
    graph, found = edges(), {}

    def level(name: str, above: tuple[str, ...] = ()) -> int:
        if name in above:
            raise ValueError(f"a cycle: {' -> '.join([*above[above.index(name) :], name])}")
        if name not in found:
            found[name] = max((level(other, (*above, name)) + 1 for other in graph[name]), default=0)
        return found[name]

    for name in graph:
        level(name)
    return found


def module_cycle() -> list[str]:
    """Modules that import each other at their top level, if any do."""
    known, done = modules(), set()

    def visit(name: str, above: tuple[str, ...]) -> list[str]:
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return []
        done.add(name)
        for other in sorted(imports(known[name])):
            if cycle := visit(other, (*above, name)):
                return cycle
        return []

    return next(filter(None, (visit(name, ()) for name in known)), [])


def docstring(path: Path) -> str:
    """A module's docstring."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    return docstring(path).partition("\n")[0]


def parts() -> dict[str, Path]:
    """What lies directly in `search/`: packages and modules, each with the file that describes it."""
    found = {}
    for path in sorted((ROOT / "search").iterdir()):
        if (path / "__init__.py").exists():
            found[path.name] = path / "__init__.py"
        elif path.suffix == ".py" and path.stem not in FRONT:
            found[path.stem] = path
    return found


def tree() -> str:
    """The packages of the README, one a line, each by the first line of its docstring."""
    lines = ["```"]
    for name, path in parts().items():
        shown = f"search/{name}/" if path.stem == "__init__" else f"search/{name}.py"
        lines.append(f"{shown:24}{first_line(path)}")
    return "\n".join([*lines, "```"])


def table() -> str:
    """The modules of CONTRIBUTING, a row each: where a change belongs."""
    lines = ["| module | purpose |", "|---|---|"]
    for path in modules().values():
        if path.name not in ("__init__.py", "__main__.py"):
            shown = path.relative_to(ROOT / "search")
            lines.append(f"| `{shown}` | {first_line(path)} |")
    return "\n".join(lines)


PAGES = {"README.md": ("tree", tree), "CONTRIBUTING.md": ("packages", table)}


def with_part(text: str, marker: str, part: str) -> str:
    """A page with another text between its markers."""
    before, _, rest = text.partition(f"<!-- {marker} -->\n")
    _, end, after = rest.partition(f"<!-- /{marker} -->")
    return f"{before}<!-- {marker} -->\n{part}\n{end}{after}"


if __name__ == "__main__":
    for name, (marker, part) in PAGES.items():
        page = ROOT / name
        page.write_text(with_part(page.read_text(encoding="utf-8"), marker, part()), encoding="utf-8")
