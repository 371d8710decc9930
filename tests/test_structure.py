"""The structure of `search/`: levels, directions, sizes, and the pages that show it."""

import ast

import pytest
import structure

LEVELS = 6
MODULES = 9  # of a package, beside its __init__.py
LINES = 330  # of a module


def test_levels_are_few_and_packages_form_no_cycle():
    assert max(structure.levels().values()) < LEVELS, structure.levels()


def test_modules_form_no_cycle():
    assert structure.module_cycle() == []


def test_packages_of_training_code_are_never_imported_back():
    for name in ("tasks", "frozen_script", "storage"):
        assert structure.edges()[name] == set()


def test_what_all_may_import_imports_no_package():
    for name, path in structure.modules().items():
        if structure.room(name) in structure.SHARED:
            assert {structure.room(each) for each in structure.imports(path)} <= structure.SHARED, name


@pytest.mark.parametrize(
    "name", [name for name, path in structure.parts().items() if path.stem == "__init__"]
)
def test_a_package_has_few_modules_and_its_docstring_names_each(name):
    path = structure.parts()[name]
    inside = {
        each.stem for each in path.parent.iterdir() if each.suffix == ".py" or (each / "__init__.py").exists()
    } - {"__init__"}
    assert 0 < len(inside) <= MODULES
    words = structure.docstring(path).split()
    assert inside <= set(words), inside - set(words)


@pytest.mark.parametrize("name, path", structure.modules().items(), ids=structure.modules())
def test_a_module_is_of_a_readable_size_and_uses_no_private_name_of_another(name, path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("search"):
            private = [
                alias.name
                for alias in node.names
                if alias.name.startswith("_") and not alias.name.endswith("__")
            ]
            assert not private, f"{name} imports {private} of {node.module}"


@pytest.mark.parametrize("name", structure.PAGES)
def test_a_page_shows_the_structure_as_it_is(name):
    marker, part = structure.PAGES[name]
    text = (structure.ROOT / name).read_text(encoding="utf-8")
    assert text == structure.with_part(text, marker, part()), "python tests/toys/structure.py writes it anew"
