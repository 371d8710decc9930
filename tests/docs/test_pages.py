"""What the pages tell to type can be typed, and what they link to is there."""

import re
from pathlib import Path

import pytest

from search.cli.app import option_names

ROOT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
}
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE))
[LISTED] = re.findall(r"^COMMANDS := (.*)", MAKEFILE, re.MULTILINE)
COMMANDS = {command: option_names(command) for command in LISTED.split()}
OF_OTHERS = {  # variables of the environment, and what stands for any option
    *("RAY_AUTH_MODE", "PGPASSFILE", "TRIALBOOK_TOKEN", "TRIALBOOK_BIND", "POSTGRES_PASSWORD", "NAME"),
}
OF_THE_MAKEFILE = {"TORCH_INDEX", "PYTHON", "GUIDE", "ONLY", "QUICK", "DEBUG"}


def typed(option):
    """An option as make takes it."""
    return option.removeprefix("--").upper().replace("-", "_")


@pytest.mark.parametrize("name", PAGES)
def test_page_commands_exist(name):
    commands = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", PAGES[name], re.MULTILINE))
    assert commands <= COMMANDS.keys() | TARGETS


@pytest.mark.parametrize("name", PAGES)
def test_page_options_exist(name):
    options = set(re.findall(r"(?<![A-Z_])([A-Z][A-Z_]*)=(?!=)", PAGES[name])) - OF_OTHERS - OF_THE_MAKEFILE
    options -= {option for option in options if option.startswith("MLFLOW_")}
    assert options <= {typed(option) for names in COMMANDS.values() for option in names}


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
    table = set(re.findall(r"`([A-Z_]+)=", PAGES["docs/search.md"].partition("## Trials")[0]))
    assert len(COMMANDS["search"]) > 10 and {typed(option) for option in COMMANDS["search"]} <= table


def test_readme_fits_on_two_screens():
    assert len(PAGES["README.md"].splitlines()) <= 110
