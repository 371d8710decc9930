"""A task is checked before its first trial: each mistake is one line, and nothing is written."""

import pytest

import data
from search import paths, tasks
from search.cli.app import main
from search.errors import TaskError

DOC = '"""Where does a line meet a number?\n\nTarget: none.\nSource: these tests.\n"""\n'
METRIC, SPACE = 'METRIC, DIRECTION = "err", "minimize"', 'trial.suggest_float("x", 0, 1)'
FIELD = "    x: float = 0.5  # the number\n"
BUILD, SCORE = "    return nn.Linear(1, 1)", "return squares_N1.mean().item(), "
CONFIG = "@dataclass(frozen=True, kw_only=True)"

MISTAKES = {
    "no docstring": ((DOC, ""), "the file has no docstring: its first line asks"),
    "no metric": ((METRIC, 'DIRECTION = "minimize"'), "METRIC is missing"),
    "a metric of two lines": (('"err", ', '"a\\nb", '), "METRIC is .*: it must be a name in one line"),
    "a direction that is none": (('"minimize"', '"down"'), "DIRECTION is 'down': valid are 'maximize' and"),
    "a warm-up of no whole epochs": (
        ("TOLERANCE = 1e-6", "TOLERANCE = 1e-6\nWARM_UP = 0.5"),
        "WARM_UP is 0.5: it must be a whole number of epochs, at least 0",
    ),
    "a difference of nothing": (
        ("TOLERANCE = 1e-6", "TOLERANCE = 1e-6\nMEANINGFUL_DIFFERENCE = 0"),
        "MEANINGFUL_DIFFERENCE is 0: it must be a number above 0",
    ),
    "a tolerance that is text": (("= 1e-6", "= 'small'"), "TOLERANCE is 'small': it must be a number"),
    "no data": (("DATA = sine", ""), "DATA is missing"),
    "data that is no module": (
        ("DATA = sine", "DATA = 3"),
        r"DATA.default_source is None: it must be a funct",
    ),
    "no score": (("def score", "def scores"), "score is None: it must be a function, score(model, split)"),
    "a train that takes too little": (
        ("validation, report", "report"),
        "train cannot be called as train(config",
    ),
    "a Config that can change": (
        (CONFIG, "@dataclass(kw_only=True)"),
        "Config can be changed: write @datacl",
    ),
    "a Config that is no dataclass": ((CONFIG, ""), "Config is <class .*>: it must be a class with @datacl"),
    "a field without default": ((FIELD, FIELD + "    y: int\n"), "the field 'y' of Config has no default"),
    "a tuple": (
        (FIELD, FIELD + "    y: tuple = (8,)\n"),
        "the field 'y' of Config holds (8,) of type tuple:",
    ),
    "an infinite default": (
        (FIELD, FIELD + '    y: float = float("inf")\n'),
        "'y' of Config holds inf, which is",
    ),
    "no epochs": (
        ("    epochs: int = 4", "    steps: int = 4"),
        "Config has epochs=None: it must be a whole",
    ),
    "no epoch": (("epochs: int = 4", "epochs: int = 0"), "Config has epochs=0: it must be a whole number of"),
    "a seed that is text": (
        ("seed: int = 0", "seed: str = 'a'"),
        "Config has seed='a': it must be a whole num",
    ),
    "a logarithm from zero": (
        (SPACE, SPACE[:-1] + ", log=True)"),
        "the range of 'x' is not valid: ValueError",
    ),
    "an empty range": (
        (SPACE, SPACE.replace("0, 1", "1, 0")),
        "the range of 'x' is not valid: ValueError: `low",
    ),
    "no choices": (
        (SPACE, 'trial.suggest_categorical("x", [])'),
        "the range of 'x' is not valid: ValueError",
    ),
    "a choice of tuples": (
        (SPACE, 'trial.suggest_categorical("x", [(1,)])'),
        "range of 'x' holds (1,) of type t",
    ),
    "equal choices": (
        (SPACE, 'trial.suggest_categorical("x", [1, 1.0])'),
        "choices of 'x' hold 1.0 and an equal",
    ),
    "a half": (
        (SPACE, 'trial.suggest_int("x", 0.5, 2)'),
        "the range of 'x' has 0.5: suggest_int takes whole",
    ),
    "a name that is no field": (
        (SPACE, 'trial.suggest_float("z", 0, 1)'),
        "suggests 'z', which is no field of Con",
    ),
    "a searched seed": (
        (f"x={SPACE}", 'seed=trial.suggest_int("seed", 0, 9)'),
        "space suggests 'seed': the search itself decides epochs and seed",
    ),
    "a value that is changed": ((SPACE, "2 * " + SPACE), "space suggests x=0.5, and Config has 1.0: compute"),
    "another method of a trial": ((SPACE, 'trial.suggest_uniform("x", 0, 1)'), "space raised AttributeError"),
    "a space that knows no draw": (
        (f"return Config(x={SPACE})", "raise ValueError(3)"),
        "space raised ValueError",
    ),
    "a space that exits": (
        (f"return Config(x={SPACE})", "raise SystemExit(3)"),
        "space raised SystemExit: 3",
    ),
    "a build that fails": (
        (BUILD, "    return nn.Linear(1, 1).weight.item() / 0"),
        "build raised ZeroDivisionErr",
    ),
    "a build of a function": (
        (BUILD, "    return lambda x: x"),
        "build returned <function .*it must return a tor",
    ),
    "a score that is a number": (
        (SCORE, SCORE.rstrip(", ") + "  # "),
        "score returned .*it must return two numbers",
    ),
    "a score of texts": (
        (SCORE, 'return "good", '),
        "score returned 'good' of type str",
    ),
}


@pytest.mark.parametrize("change, said", MISTAKES.values(), ids=MISTAKES)
def test_search_of_a_task_with_a_mistake_says_it_in_one_line_and_writes_nothing(
    write_task, home, capsys, change, said
):
    write_task("wrong", change)
    assert main(["search", "--task", "wrong", "--trials", "2"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: task 'wrong': ")
    parts = said.split(".*")
    assert all(part in error for part in parts), error
    assert not list(paths.studies().glob("*")) and not paths.mlflow_database().exists()


@pytest.mark.parametrize("name", ["regression", "perceptron", "bowl", "texts"])
def test_check_a_good_task_returns_no_notes(name):
    assert tasks.check(tasks.find(name)) == []


@pytest.mark.parametrize(
    "changes, note",
    [
        (
            [(FIELD, "    x: float = 2  # the number\n")],
            "the default x 2 is outside 0.0 to 1.0: the first trial takes 1.0",
        ),
        ([(f"x={SPACE}", "")], "space suggests nothing: the trials differ in their seeds alone"),
        ([(BUILD, "    return nn.LazyLinear(1)")], "the number of weights is unknown: build needs"),
        (
            [(f"return Config(x={SPACE})", f"x = {SPACE}\n    assert x < 0.9, x\n    return Config(x=x)")],
            "9 of 64 random draws are infeasible, as: AssertionError: 0.9",
        ),
    ],
)
def test_check_what_is_no_mistake_is_noted(write_task, changes, note):
    (noted,) = tasks.check(write_task("noted", *changes))
    assert noted.startswith(note)


OWN_DATA = """
import sys
import numpy as np
from typing import NamedTuple

DATA = sys.modules[__name__]
SOURCES = ("builtin",)


class Split(NamedTuple):
    x_N1: torch.Tensor
    y_N1: torch.Tensor


def default_source():
    return "builtin"


def prepare(source):
    return sine.prepare("builtin")


def load(arrays, split):
    points = sine.load(arrays, split)
    x, y = points
    return WHAT
"""


@pytest.mark.parametrize(
    "what, said",
    [
        ("Split(x.numpy(), y)", "DATA.load gives train.x_N1 as array("),
        ("Split(x[:0], y[:0])", "DATA.load gives train.x_N1 of shape (0, 1): it is empty"),
        ("Split(x / 0, y)", "DATA.load gives train.x_N1 with values that are NaN or infinite"),
        ("[x, y]", "DATA.load gives train as ["),
        ("x if split == 'train' else points", "to validate: both must be alike"),
        ("arrays['nothing']", "DATA.load(arrays, 'train') raised KeyError: 'nothing'"),
    ],
)
def test_check_data_a_split_that_is_none_is_said_in_one_line(write_task, what, said):
    task = write_task("own", ("DATA = sine", OWN_DATA.replace("WHAT", what)))
    arrays = data.read(tasks.prepared(task, "builtin"))
    with pytest.raises(TaskError) as raised:
        tasks.check_data(task, arrays)
    assert said in str(raised.value) and str(raised.value).startswith("task 'own': ")


@pytest.mark.parametrize(
    "body, said",
    [
        ('return "elsewhere"', "DATA.default_source() is 'elsewhere': valid are builtin"),
        ("return {}['x']", "DATA.default_source() raised KeyError: 'x'"),
    ],
)
def test_default_source_that_is_none_is_said(write_task, body, said):
    own = OWN_DATA.replace("WHAT", "points").replace('return "builtin"', body)
    with pytest.raises(TaskError) as raised:
        tasks.default_source(write_task("own", ("DATA = sine", own)))
    assert said in str(raised.value)
