"""The text of a frozen script has the values as its defaults, and all that they need."""

import ast
import sys
from types import ModuleType

import pytest
from previews import preview_of

from search import tasks
from search.errors import TaskError
from search.frozen_script import script


def config_of(text):
    """The class Config of a script, which is run but for its end."""
    module = sys.modules["frozen"] = ModuleType("frozen")  # where dataclasses look annotations up
    try:
        exec(compile(text, "script.py", "exec"), vars(module))  # ours, made a moment ago
    finally:
        del sys.modules["frozen"]
    return module.Config


X, Y = "    x: float = 0.9  # to the right\n", "    y: int = 50  # to the back\n"
FIELDS = "".join([X, Y, "    epochs: int = 5  # measurements, each nearer to the truth\n"])
BASE = f'''@dataclass(frozen=True, kw_only=True)
class Base:
    """What all have."""

{FIELDS}

'''


@pytest.mark.parametrize(
    "changes, line",
    [
        (
            [(X, "    x: float = (\n        0.9\n    )  # right\n")],
            "    x: float = 0.25  # right; searched 0 to 1\n",
        ),
        ([(X, "    x: float = 0.9; z: str = None  # two\n")], "    z: str | None = None  # two\n"),
        (
            [
                (X, "    x: float = field(default=0.9, repr=False)  # é\u2028\x0c!\n"),
                ("import dataclass", "import dataclass, field"),
            ],
            "    x: float = 0.25  # é\u2028\x0c!; searched 0 to 1\n",
        ),
        (
            [
                (X, f"{X}    z: str = field(default_factory=str)\n"),
                ("import dataclass", "import dataclass, field"),
            ],
            '    z: str = ""\n',
        ),
        (
            [
                (X, f"{X}    KIND: ClassVar[list] = [1]\n"),
                ("import torch\n", "from typing import ClassVar\n\nimport torch\n"),
            ],
            "    KIND: ClassVar[list] = [1]\n",
        ),
        (
            [
                ("@dataclass(frozen=True, kw_only=True)\n", f"{BASE}@dataclass(frozen=True, kw_only=True)\n"),
                ("class Config:", "class Config(Base):"),
                (f'measure it."""\n\n{FIELDS}', 'measure it."""\n\n'),
            ],
            "    x: float = 0.25  # searched 0 to 1\n    y: int = 50\n",
        ),
        ([("kw_only=True)", "kw_only=True, slots=True)")], "    y: int = 50  # to the back\n"),
        (
            [(X, f"{X}    help: str = 'a'  # or data\n    data: bool = True\n")],
            '    help: str = "a"  # or data\n',
        ),
        (
            [
                (
                    "import torch\n",
                    "import torch\n",
                ),
                ("from dataclasses", "from __future__ import annotations\n\nfrom dataclasses"),
            ],
            "    y: int = 50  # to the back\n",
        ),
    ],
    ids=[
        "lines",
        "shared line",
        "field",
        "factory",
        "class variable",
        "inherited",
        "slots",
        "options",
        "future",
    ],
)
def test_a_script_of_fields_written_in_any_way_has_the_values_as_defaults(edited_bowl, changes, line):
    task = edited_bowl(*changes)
    ranges = {"x": "0 to 1"}
    values = tasks.defaults(task) | {"x": 0.25}
    record = {"task": "edited", "machine": {}}
    text = script.script_of(task, values, ranges, record, script.BEGINS)
    assert line in text
    config = config_of(text)()
    assert {name: getattr(config, name) for name in values} == values
    assert script.recut(text, task) == text


def test_a_preview_is_the_script_of_the_defaults(bowl):
    text = preview_of(bowl)
    assert vars(config_of(text)()) == vars(bowl.Config())
    assert "    x: float = 0.9  # to the right; searched 0.0 to 1.0\n" in text


@pytest.mark.parametrize(
    "change, said",
    [
        (("class Config:", "class Settings:"), "must itself hold one `class Config`"),
        (("1 / epoch\n", "1 / epochs\n"), "would lack the name 'epochs', which train uses"),
        (('"""Where is the lowest point of a bowl?', 'NOTE = """'), "has no docstring"),
    ],
    ids=["made elsewhere", "lacking name", "docstring"],
)
def test_a_preview_of_a_task_that_no_script_can_hold_is_one_line(edited_bowl, change, said):
    changes = [change, ("import dataclass\n", "import dataclass, field\n")]
    if "Settings" in change[1]:
        changes.append(("def space(", "Config = Settings\n\n\ndef space("))
    with pytest.raises(TaskError, match=said) as caught:
        preview_of(edited_bowl(*changes))
    assert "\n" not in str(caught.value)


def test_a_script_repeats_a_docstring_of_any_letters(edited_bowl):
    doc = 'A \\\\ or \\"\\"\\" or \\ud800\\u2028?'
    task = edited_bowl(("Where is the lowest point of a bowl?", doc))
    text = preview_of(task)
    assert (
        ast.get_docstring(ast.parse(text)).splitlines()[0] == 'A \\ or """ or \ud800\u2028?'.splitlines()[0]
    )
