"""What the pages tell to type can be typed, and what they link to is there."""

import re
from pathlib import Path

import pytest

from search.cli.commands import OPTIONS, VERBS

ROOT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
}
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))
OF_OTHERS = {"RAY_AUTH_MODE", "PGPASSFILE", "NAME"}  # variables of others, and what stands for any option
OF_THE_MAKEFILE = {"TORCH_INDEX", "PYTHON", "GUIDE", "ONLY", "QUICK", "DEBUG"}


@pytest.mark.parametrize("name", PAGES)
def test_page_commands_exist(name):
    commands = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", PAGES[name], re.MULTILINE))
    assert commands <= VERBS.keys() | TARGETS


@pytest.mark.parametrize("name", PAGES)
def test_page_options_exist(name):
    options = set(re.findall(r"(?<![A-Z_])([A-Z][A-Z_]*)=(?!=)", PAGES[name])) - OF_OTHERS - OF_THE_MAKEFILE
    options -= {option for option in options if option.startswith("MLFLOW_")}
    known = {
        option.upper().replace("-", "_") for _, verb_options in VERBS.values() for option in verb_options
    }
    assert options <= known


@pytest.mark.parametrize("name", PAGES)
def test_page_links_lead_to_files(name):
    folder = (ROOT / name).parent
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGES[name])
    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_files_exist(name):
    named = re.findall(r"`((?:search|docs|tests|objectives)/[a-z_/.-]+\.[a-z]+)`", PAGES[name])
    written = {"objectives/line.py"}  # by the reader
    assert [path for path in named if path not in written and not (ROOT / path).exists()] == []


def test_search_page_explains_every_option_of_a_search():
    _, options = VERBS["search"]
    table = set(re.findall(r"`([A-Z_]+)=", PAGES["docs/search.md"].partition("## Trials")[0]))
    assert {option.upper().replace("-", "_") for option in options} <= table
    assert len(OPTIONS) > len(options)  # VERBS["search"] has its own, not all


def test_readme_fits_on_two_screens():
    assert len(PAGES["README.md"].splitlines()) <= 110
