"""The fingerprint of the code that trains a task."""

import ast
import hashlib
import inspect

import pytest
import torch
from previews import preview_of

from search.errors import TaskError
from search.frozen_script import statements
from search.frozen_script.source_code import Sources


@pytest.fixture
def restored_torch():
    """Undoes the effects on torch of the files that a test imports, for the tests after it."""
    yield
    torch.set_default_dtype(torch.float32)
    if hasattr(torch.nn.Linear, "extra"):
        del torch.nn.Linear.extra


def digest(task, monkeypatch, change=lambda text: text):
    """The fingerprint, if the source of the task read so."""
    read = inspect.getsource

    def changed(module):
        return change(read(module)) if module is task else read(module)

    with monkeypatch.context() as patch:
        patch.setattr(inspect, "getsource", changed)
        return Sources(task).digest()


@pytest.mark.parametrize(
    "old, new",
    [
        ("    point = build(config)", "    point = build(config)  # here\n"),
        ('"""Report the height', '"""Say the height'),
        ("def space(trial):", "def space(trial):\n    trial.suggest_int('z', 0, 1)"),
    ],
    ids=["comment", "docstring", "space"],
)
def test_what_does_not_train_does_not_count(bowl, monkeypatch, old, new):
    def change(text):
        assert old in text
        return text.replace(old, new)

    assert digest(bowl, monkeypatch, change) == digest(bowl, monkeypatch)


@pytest.mark.parametrize(
    "old, new",
    [
        ("1 / epoch", "2 / epoch"),
        ("epochs: int = 5", "epochs: int = 6"),
        ("0.3) ** 2", "0.4) ** 2"),
        ("bias=False", "bias=True"),
    ],
    ids=["train", "default", "score", "build"],
)
def test_what_trains_counts(bowl, monkeypatch, old, new):
    def change(text):
        assert old in text
        return text.replace(old, new)

    assert digest(bowl, monkeypatch, change) != digest(bowl, monkeypatch)


def test_the_model_and_the_data_source_are_part_of_it():
    from objectives import langid

    needed = {(name, used) for name, source in Sources(langid).modules.items() for used in source.needed}
    assert {
        ("models.langid", "LanguageIDModel"),
        ("data.words", "load"),
        ("objectives.langid", "train"),
    } <= needed
    assert ("data.words", "prepare") not in needed


def test_each_module_is_read_once(bowl, monkeypatch):
    read, seen = inspect.getsource, []
    monkeypatch.setattr(inspect, "getsource", lambda module: seen.append(module) or read(module))
    Sources(bowl)
    assert len(seen) == len(set(seen)) > 2


def test_lines_are_those_of_python(bowl, monkeypatch):
    def change(text):
        return text.replace("METRIC, DIRECTION", "NOTE = '\u2028\x0c'\n\nMETRIC, DIRECTION", 1)

    assert digest(bowl, monkeypatch, change) == digest(bowl, monkeypatch)
    monkeypatch.setattr(inspect, "getsource", lambda module, read=inspect.getsource: change(read(module)))
    build = Sources(bowl).modules[bowl.__name__].definition("build")
    assert build.text.startswith("def build(config):\n")


TOP = "DATA = sine\n"  # after which a test adds to the bowl's top level
USE = ("1 / epoch\n", "1 / epoch + {}\n")  # where the bowl's train is made to use it


def adding(text, used):
    """The changes of the bowl that add text to its top level and use a value in its training."""
    return (TOP, f"{TOP}{text}\n"), (USE[0], USE[1].format(used))


@pytest.mark.parametrize(
    "text",
    [
        "SCALE: float = 1.0",
        "if True:\n    SCALE = 1.0",
        "try:\n    import nowhere\nexcept ImportError:\n    SCALE = 1.0",
        "with torch.no_grad():\n    SCALE = 1.0",
        "for SCALE in (0.5, 1.0):\n    pass",
        "SCALE = 0.5\nwhile SCALE < 1.0:\n    SCALE = 1.0",
        "SCALE = 0.0\nSCALE += 1.0",
        "_, (SCALE, *REST) = 0.0, (1.0, 2.0)",
        "(SCALE := 1.0)",
        "REST = [SCALE := 1.0 for _ in range(2)]",
        "SCALE = 0.0\ndel SCALE\nSCALE = 1.0",
    ],
    ids=[
        "annotated",
        "if",
        "try",
        "with",
        "for",
        "while",
        "changed",
        "tuple",
        "walrus",
        "inner walrus",
        "del",
    ],
)
def test_sources_with_a_name_bound_in_any_way_count_what_binds_it(edited_bowl, text):
    before = Sources(edited_bowl(*adding(text, "SCALE")))
    assert text in "\n".join(before.modules["objectives.edited"].texts({}))
    after = Sources(edited_bowl(*adding(text.replace("1.0", "3.0"), "SCALE")))
    assert before.digest() != after.digest()


@pytest.mark.parametrize("change", ['TABLE["a"] = 1.0', "TABLE.update(a=1.0)", 'TABLE |= {"a": 1.0}'])
def test_sources_with_a_table_changed_in_place_count_each_change_once_in_order(edited_bowl, change):
    text = f"TABLE = {{}}\nUNUSED = {{}}\n{change}\nUNUSED.update(b=1.0)"
    before = Sources(edited_bowl(*adding(text, 'TABLE["a"]')))
    assert f"TABLE = {{}}\n\n\n{change}" in "\n\n\n".join(before.modules["objectives.edited"].texts({}))
    after = Sources(
        edited_bowl(
            *adding(
                text.replace("a=1.0", "a=3.0").replace('"a"] = 1', '"a"] = 3').replace('"a": 1', '"a": 3'),
                'TABLE["a"]',
            )
        )
    )
    assert before.digest() != after.digest()
    unused = Sources(edited_bowl(*adding(text.replace("b=1.0", "b=3.0"), 'TABLE["a"]')))
    assert before.digest() == unused.digest()


@pytest.mark.parametrize(
    "text",
    [
        "torch.set_default_dtype(torch.float32)",
        "def prepare():\n    torch.set_default_dtype(torch.float32)\n\n\nprepare()",
        "with torch.no_grad():\n    torch.set_default_dtype(torch.float32)",
        "nn.Linear.extra = torch.float32",
        "_ = torch.set_default_dtype(torch.float32)",
    ],
)
def test_sources_with_an_effect_count_it_though_nothing_uses_it(edited_bowl, restored_torch, text):
    before = Sources(edited_bowl((TOP, f"{TOP}{text}\n")))
    assert text in "\n\n\n".join(before.modules["objectives.edited"].texts({}))
    after = Sources(edited_bowl((TOP, f"{TOP}{text.replace('float32', 'float64')}\n")))
    assert before.digest() != after.digest()


def test_sources_leave_out_what_a_file_does_when_it_is_run(edited_bowl):
    text = 'if __name__ == "__main__":\n    print("no")'
    assert Sources(edited_bowl((TOP, f"{TOP}{text}\n"))).digest() == Sources(edited_bowl()).digest()


def test_sources_with_a_function_under_the_name_of_another_library_differ(edited_bowl):
    one = Sources(edited_bowl((TOP, f"from math import cos as wave\n{TOP}"), (USE[0], "wave(1 / epoch)\n")))
    two = Sources(edited_bowl((TOP, f"from math import sin as wave\n{TOP}"), (USE[0], "wave(1 / epoch)\n")))
    assert one.digest() != two.digest()


def test_sources_of_an_import_under_a_condition_hold_it(edited_bowl):
    text = "if torch.cuda.is_available():\n    import math\nelse:\n    import math"
    texts = Sources(edited_bowl(*adding(text, "math.pi"))).modules["objectives.edited"].texts({})
    assert text in "\n".join(texts)


@pytest.mark.parametrize(
    "change, said",
    [
        ((TOP, f"from math import *\n{TOP}"), r"edited.py, line 16: .*write `from math import NAME`"),
        (
            (USE[0], "1 / epoch + len(sine.SOURCES)\n"),
            "line 46: sine.SOURCES .*`from data.sine import SOURCES`",
        ),
        ((USE[0], "1 / epoch + len(str(sine))\n"), "sine cannot .*: write `from data.sine import NAME`"),
        (
            ("from data import sine", "import data.sine\nfrom data import sine"),
            "data.sine.SOURCES .*write `from data.sine import SOURCES`",
        ),
        (
            (
                "    point = build(config)\n    for",
                "    from data.sine import load\n    point = build(config)\n    for",
            ),
            "line 44: `from data.sine import load` cannot",
        ),
        (("def build(", "def verdict():\n    pass\n\n\ndef build("), "both define verdict"),
    ],
    ids=["star", "attribute", "module", "dotted", "inner import", "name of the script's own"],
)
def test_sources_that_no_script_can_hold_are_said_in_one_line(edited_bowl, change, said):

    changes = [change]
    if "dotted" in said or "data.sine.SOURCES" in said:
        changes.append((USE[0], "1 / epoch + len(data.sine.SOURCES)\n"))
    if "verdict" in said:
        changes.append((USE[0], "1 / epoch\n        verdict()\n"))
    with pytest.raises(TaskError, match=said) as caught:
        preview_of(edited_bowl(*changes))
    assert "\n" not in str(caught.value)


def test_sources_with_a_local_name_like_an_import_take_the_local_one(edited_bowl):
    Sources(edited_bowl((USE[0], "1 / epoch\n        sine = 1\n        sine.bit_length()\n")))


FIXED = '''
"""A docstring."""
import math
@staticmethod
def area(r: float, *, unit=None) -> float:
    """Another."""
    return f"{math.pi * r ** 2:>{10}.3f} é {unit!r}" if r else (lambda x, /: {**x, "k": [1, -2.5, 3j, b"x"]})
class Shape[0](Base, metaclass=M): pass
'''.replace("class Shape[0]", "class Shape")


def test_meaning_of_a_text_is_the_same_under_every_version_of_python():
    sha = hashlib.sha256(statements.meaning(ast.parse(FIXED)).encode()).hexdigest()
    assert sha[:12] == "f71d56ab4fed"


def test_meaning_knows_an_empty_value_from_none():
    texts = [
        "x = None",
        "x = ''",
        "x = []",
        "x = ()",
        "x = {}",
        "x = 0",
        "x = False",
        "x = 0.0",
        "return",
        "return None",
    ]
    assert len({statements.meaning(ast.parse(text)) for text in texts}) == len(texts)


def test_sources_that_import_a_file_for_its_effect_count_that(edited_bowl):
    effect = (TOP, f"{TOP}torch.set_default_dtype(torch.float32)\n")
    edited_bowl(effect, name="edited_setup")
    sources = Sources(edited_bowl((TOP, f"import objectives.edited_setup\n{TOP}")))
    assert sources.modules["objectives.edited_setup"].texts({}) == ["torch.set_default_dtype(torch.float32)"]
    assert sources.digest() != Sources(edited_bowl()).digest()
