"""Ranges: the union of what many draws suggest; draws: plain, infeasible or failed."""

import optuna
import pytest

from search import tasks
from search.errors import TaskError

X = 'return Config(x=trial.suggest_float("x", 0, 1))'
FIELDS = "    epochs: int = 4"


def space(write_task, body, *fields):
    """A task whose space has this body, and whose Config has these fields too."""
    lines = "".join(f"    {field}\n" for field in fields)
    return write_task("drawn", (X, body.strip()), (FIELDS, lines + FIELDS))


CONDITIONAL = """
layers = trial.suggest_int("layers", 1, 3)
    return Config(
        layers=layers,
        width2=trial.suggest_int("width2", 4, 64) if layers > 1 else 0,
        width3=trial.suggest_int("width3", 4, 4 * layers) if layers > 2 else 0,
    )
"""
CONDITIONAL_FIELDS = ["layers: int = 1", "width2: int = 0", "width3: int = 0"]


def test_ranges_in_words():
    from objectives import langid, regression

    described = {name: tasks.describe(range) for name, range in tasks.ranges(langid).items()}
    assert described == {
        "hidden_size": "100 to 500 in steps of 20",
        "layers": "1 to 3",
        "learning_rate": "0.0001 to 0.01 (log)",
        "batch_size": "16 to 128 in steps of 16",
    }
    assert tasks.describe(tasks.ranges(regression)["batch_size"]) == "one of 10, 20, 25, 40, 50, 100"


def test_ranges_of_a_conditional_space_hold_every_branch(write_task):
    task = space(write_task, CONDITIONAL, *CONDITIONAL_FIELDS)
    described = {name: tasks.describe(range) for name, range in tasks.ranges(task).items()}
    assert described == {"layers": "1 to 3", "width2": "4 to 64", "width3": "4 to 12"}
    assert tasks.baseline(task) == {"layers": 1}


def test_ranges_that_depend_on_a_draw_are_their_union(write_task):
    task = space(
        write_task,
        'a = trial.suggest_int("low", 1, 4)\n    return Config(low=a, high=trial.suggest_int("high", a, 9))',
        *["low: int = 1", "high: int = 5"],
    )
    assert tasks.describe(tasks.ranges(task)["high"]) == "1 to 9"


def test_ranges_of_two_kinds_are_refused(write_task):
    choices = 'return Config(x=trial.suggest_categorical("x", [0.5, trial.suggest_float("y", 0, 1)]))'
    task = space(write_task, choices, "y: float = 0.5")
    with pytest.raises(TaskError, match="'x' is of two kinds: one of 0.5, .*must be the same in each draw"):
        tasks.ranges(task)


@pytest.mark.parametrize(
    "field, suggested, baseline",
    [
        ("y: float = 0.0", 'suggest_float("y", 1e-5, 0.1, log=True)', 1e-5),
        ("y: int = 500", 'suggest_int("y", 0, 100, step=30)', 90),
        ("y: int = 20", 'suggest_categorical("y", [16, 32])', 16),
        ('y: str = "b"', 'suggest_categorical("y", ["a", "c"])', "a"),
        ("y: float = None", 'suggest_float("y", 1, 2)', 1.0),
    ],
)
def test_baseline_a_default_outside_its_range_is_the_nearest_value_of_it(
    write_task, field, suggested, baseline
):
    task = space(write_task, f"return Config(y=trial.{suggested})", field)
    assert tasks.baseline(task) == {"y": baseline}


def drawn(task, **params):
    """What a draw of these values gives."""
    trial = optuna.create_study().ask()
    trial.storage.set_trial_system_attr(trial._trial_id, "fixed_params", params)
    return tasks.draw(task, optuna.trial.Trial(trial.study, trial._trial_id), 7)


def test_draw_numpy_choices_become_plain_values(write_task):
    body = 'import numpy as np\n    return Config(y=trial.suggest_categorical("y", 2 ** np.arange(4, 8)))'
    task = space(write_task, body, "y: int = 16")
    found = drawn(task, y=32)
    assert found.config == {"x": 0.5, "y": 32, "epochs": 4, "seed": 7} and found.state is None
    assert type(found.config["y"]) is int
    assert tasks.describe(tasks.ranges(task)["y"]) == "one of 16, 32, 64, 128"


@pytest.mark.parametrize(
    "body, state, reason",
    [
        (
            'y = trial.suggest_int("y", 0, 1); raise ValueError(f"no {y}")',
            "infeasible",
            "space: ValueError: no 1",
        ),
        ('assert trial.suggest_int("y", 0, 1) < 0', "infeasible", "space: AssertionError"),
        ("import sys; sys.exit(0)", "failed", "space: SystemExit: 0"),
        ("return {}['y']", "failed", "space: KeyError: 'y'"),
        ("return None", "failed", "space: space returned None: it must return a Config"),
        (
            'return Config(y=2 * trial.suggest_int("y", 1, 3))',
            "failed",
            "space: space suggests y=1, and Config has 2",
        ),
    ],
)
def test_draw_that_gives_no_config_says_why(write_task, body, state, reason):
    found = drawn(space(write_task, body, "y: int = 1"), y=1)
    assert (found.state, found.reason[: len(reason)]) == (state, reason)
    assert found.config["epochs"] == 4


def test_nearest_keeps_what_is_in_the_range(write_task):
    ranges = tasks.ranges(space(write_task, 'return Config(x=trial.suggest_float("x", 0, 1, step=0.25))'))
    assert [tasks.nearest(ranges["x"], value) for value in (-3, 0.3, 0.5, 9)] == [0, 0.25, 0.5, 1]
