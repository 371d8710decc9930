"""What other programs request of a search is checked, before anything is asked."""

import pytest
from asked import ADA
from stores import here

from search.errors import UsageError
from search.study.opening import open_study
from search.study.requests import ask_for_trial, ask_to_void, check_params, is_asked, read


def test_params_that_are_not_given_take_the_defaults(bowl):
    assert check_params(bowl, {}) == {"x": 0.9, "y": 50}
    assert check_params(bowl, {"y": 7}) == {"x": 0.9, "y": 7}
    whole = check_params(bowl, {"x": 1, "y": 7.0})  # as JSON may have them
    assert whole == {"x": 1.0, "y": 7} and type(whole["x"]) is float and type(whole["y"]) is int


@pytest.mark.parametrize(
    "given, wrong",
    [
        ({"z": 1}, "unknown hyperparameter 'z': valid are x, y"),
        ({"epochs": 1}, "unknown hyperparameter 'epochs': valid are x, y"),
        ({"x": 1.5}, "x=1.5 is not valid: a number, 0.0 to 1.0"),
        ({"x": float("nan")}, "x=nan is not valid: a number, 0.0 to 1.0"),
        ({"x": True}, "x=True is not valid: a number"),
        ({"x": None}, "x=None is not valid: a number"),
        ({"x": "0.5"}, "x='0.5' is not valid: a number"),
        ({"x": [0.5]}, r"x=\[0.5\] is not valid: a number"),
        ({"y": 2.5}, "y=2.5 is not valid: a whole number, 0 to 100"),
        ({"y": 10**400}, "y=1000.* is not valid: a whole number, 0 to 100"),
    ],
)
def test_params_outside_their_ranges_are_one_line_and_nothing_is_asked(bowl, given, wrong):
    with open_study(here(), bowl) as study:
        with pytest.raises(UsageError, match=wrong) as raised:
            ask_for_trial(here(), study, given, ADA)
        assert "\n" not in str(raised.value) and not is_asked(study)


@pytest.fixture
def conditional(write_task):
    """A task with steps, choices, a range that depends on a value, and one that some values have."""
    fields = """x: float = 0.5
    number: int = 2
    even: int = 2
    below: int = 1
    mode: str = "plain"
    size: object = None
    extra: int = 1
"""
    space = """number = trial.suggest_int("number", 1, 9)
    if number == 3:
        raise ValueError("not three")
    extra = trial.suggest_int("extra", 1, 9) if number > 4 else 1
    return Config(
        x=trial.suggest_float("x", 0, 1, step=0.25),
        number=number,
        even=trial.suggest_int("even", 0, 20, step=2),
        below=trial.suggest_int("below", 1, number),
        mode=trial.suggest_categorical("mode", ["plain", "two words"]),
        size=trial.suggest_categorical("size", [None, True, 3]),
        extra=extra,
    )"""
    return write_task(
        "conditional",
        ("x: float = 0.5  # the number\n", fields),
        ('return Config(x=trial.suggest_float("x", 0, 1))', space),
    )


@pytest.mark.parametrize(
    "given, full",
    [
        ({}, {"x": 0.5, "number": 2, "even": 2, "below": 1, "mode": "plain", "size": None}),
        ({"number": 5, "extra": 9, "below": 5}, {"number": 5, "extra": 9, "below": 5}),
        ({"number": 5}, {"number": 5, "extra": 1}),
        ({"mode": "two words", "size": True, "x": 0.75}, {"mode": "two words", "size": True, "x": 0.75}),
        ({"size": 3}, {"size": 3}),
    ],
)
def test_params_of_a_conditional_space_are_those_of_their_branch(conditional, given, full):
    params = check_params(conditional, given)
    assert full.items() <= params.items() and ("extra" in params) == (params["number"] > 4)


@pytest.mark.parametrize(
    "given, wrong",
    [
        ({"extra": 2}, "extra=2 is not valid: not searched beside number 2, x 0.5, "),
        ({"below": 4}, "below=4 is not valid: a whole number, 1 to 2"),
        ({"even": 3}, "even=3 is not valid: a whole number, 0 to 20 in steps of 2"),
        ({"x": 0.3}, r"x=0.3 is not valid: a number, 0.0 to 1.0 in steps of 0.25"),
        ({"mode": "fancy"}, "mode='fancy' is not valid: one of 'plain', 'two words'"),
        ({"size": 1}, "size=1 is not valid: one of None, True, 3"),  # which equals True
        ({"number": 3}, "task 'conditional' rejects number 3: space: ValueError: not three"),
    ],
)
def test_params_of_a_conditional_space_are_checked_in_their_branch(conditional, given, wrong):
    with pytest.raises(UsageError, match=wrong):
        check_params(conditional, given)


@pytest.mark.parametrize(
    "action, numbers, reason, who, wrong",
    [
        ("delete", [0], "x", ADA, "unknown action 'delete': valid are restore, void"),
        ("void", [], "x", ADA, "no trials are named"),
        ("void", [12], "x", ADA, "trial 12 is not in study 'searched': valid are 0-11"),
        ("void", ["1"], "x", ADA, "trial '1' is not in study"),
        ("void", [True], "x", ADA, "trial True is not in study"),
        ("void", [0], " ", ADA, "reason ' ' is not valid: one line of 1 to 300"),
        ("void", [0], "a\nb", ADA, "reason .* is not valid: one line"),
        ("void", [0], "x", "", "who '' is not valid: one line of 1 to 100"),
    ],
)
def test_a_wrong_request_to_void_is_one_line_and_nothing_is_asked(
    searched, action, numbers, reason, who, wrong
):
    with pytest.raises(UsageError, match=wrong):
        ask_to_void(here(), searched, action, numbers, reason, who)
    assert not is_asked(searched)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"ask": "dance", "numbers": [1], "reason": "x", "who": ADA},
        {"ask": "void", "numbers": ["1"], "reason": "x", "who": ADA},
        {"ask": "void", "numbers": [1], "reason": 7, "who": ADA},
        {"ask": "trial", "params": [1], "who": ADA},
        {"ask": "trial", "params": {}},
    ],
)
def test_a_record_that_is_no_request_is_said_to_be_none(record):
    with pytest.raises(UsageError):
        read(record)
