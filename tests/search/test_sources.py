"""The fingerprint of the code that trains a task."""

import inspect

import pytest

from search import sources
from search.sources import Sources


def digest(task, monkeypatch, change=lambda text: text):
    """The fingerprint, if the source of the task read so."""
    read = inspect.getsource

    def changed(module):
        return change(read(module)) if module is task else read(module)

    with monkeypatch.context() as patch:
        patch.setattr(sources.inspect, "getsource", changed)
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
    monkeypatch.setattr(sources.inspect, "getsource", lambda module: seen.append(module) or read(module))
    Sources(bowl)
    assert len(seen) == len(set(seen)) > 2


def test_lines_are_those_of_python(bowl, monkeypatch):
    def change(text):
        return text.replace("METRIC, DIRECTION", "NOTE = '\u2028\x0c'\n\nMETRIC, DIRECTION", 1)

    assert digest(bowl, monkeypatch, change) == digest(bowl, monkeypatch)
    monkeypatch.setattr(
        sources.inspect, "getsource", lambda module, read=inspect.getsource: change(read(module))
    )
    assert Sources(bowl).modules[bowl.__name__].text("build").startswith("def build(config):\n")
