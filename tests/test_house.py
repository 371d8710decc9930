"""The rules of the house that a program can see."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("search", "models", "objectives", "data")
MAY_IMPORT = {
    "data": {"numpy", "torch", "data"},
    "models": {"numpy", "torch", "models"},
    "objectives": {"numpy", "torch", "objectives", "models", "data"},
}
FILES = [path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py")]

# Frozen scripts are run, never imported.
IMPORTED = [path for path in FILES if "frozen" not in path.relative_to(ROOT).parts]


def imported(statements):
    """The top-level packages that statements import."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_training_code_imports_only_what_a_frozen_script_may(path):
    room = path.relative_to(ROOT).parts[0]
    tree = ast.parse(path.read_text())
    statements = tree.body if room == "data" else ast.walk(tree)  # a source's library stays in its function
    allowed = MAY_IMPORT[room] | set(sys.stdlib_module_names)
    assert set(imported(statements)) <= allowed


@pytest.mark.parametrize("path", IMPORTED, ids=lambda path: str(path.relative_to(ROOT)))
def test_training_code_does_nothing_at_import(path):
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.Expr)
    for node in ast.parse(path.read_text()).body:
        assert isinstance(node, kinds)
        assert not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant)  # a docstring


def test_frozen_scripts_are_never_imported():
    for path in (file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        assert "models.frozen" not in path.read_text(), path


def test_the_rooms_are_packages_and_the_tests_are_not():
    assert all((ROOT / room / "__init__.py").exists() for room in ROOMS)
    assert not list((ROOT / "tests").rglob("__init__.py"))
