"""What a frozen script says of its score."""

import argparse
import random
from dataclasses import make_dataclass

import numpy as np
import pytest
import torch

from data import DataError
from objectives.replay import find_data, from_command_line, machine, parsed, seed_all, verdict

RECORD = {"task": "t", "metric": "accuracy", "direction": "maximize", "score": 0.9, "tolerance": 0.01}


@pytest.mark.parametrize(
    "value, differs, code",
    [
        (0.9, [], 0),
        (0.9000000000000001, [], 1),
        (0.9000001, [], 1),
        (0.8999999, [], 1),
        (0.891, ["torch"], 0),
        (0.889, ["torch"], 1),
        (0.95, ["torch"], 0),
    ],
)
def test_equal_on_the_same_machine_and_near_elsewhere(value, differs, code, capsys):
    assert verdict(RECORD, value, differs) == code
    said = capsys.readouterr().out
    assert ("MISSED" in said) == (code == 1)
    assert ("last bit" in said) == (not differs)
    assert all(what in said for what in differs)


def test_a_loss_may_be_lower_and_not_higher(capsys):
    record = RECORD | {"direction": "minimize"}
    assert verdict(record, 0.5, ["data"]) == 0
    assert verdict(record, 0.92, ["data"]) == 1


def test_a_score_that_is_no_number_is_a_miss(capsys):
    assert verdict(RECORD, float("nan"), ["data"]) == verdict(RECORD, float("nan"), []) == 1


def test_data_is_found_where_DATA_DIR_says(tmp_path, monkeypatch):
    (tmp_path / "some.npz").touch()
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert find_data({"task": "t", "data_file": "some.npz"}) == tmp_path / "some.npz"
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    monkeypatch.setenv("DATA_DIR", f"~/{tmp_path.name}")
    assert find_data({"task": "t", "data_file": "some.npz"}) == tmp_path / "some.npz"


def test_the_machine_is_told_in_plain_values():
    assert {type(value) for value in machine().values()} <= {str, int}
    assert machine() == machine()


@pytest.mark.parametrize(
    "text, annotation, default, value",
    [
        ("False", "bool", True, False),
        ("no", "bool", True, False),
        ("1", "bool", False, True),
        ("YES", "<class 'bool'>", False, True),
        ("0.5", "float", 0, 0.5),
        ("0", "float", 0, 0),
        ("3", "float", 0.5, 3.0),
        ("-1e-3", "float", 0.5, -0.001),
        ("7", "int", 3, 7),
        ("None", "str", None, None),
        ("none", "int | None", 3, None),
        ("none", "typing.Optional[float]", 0.5, None),
        ("None", "str", "a", "None"),
        ("a b", "str", None, "a b"),
    ],
)
def test_parsed_option_is_what_its_field_allows(text, annotation, default, value):
    found = parsed(text, annotation, default)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text, annotation, default, said",
    [
        ("maybe", "bool", True, "'maybe' is not valid: true or false"),
        ("2", "bool", True, "'2' is not valid: true or false"),
        ("five", "float", 0.5, "'five' is not valid: a number"),
        ("nan", "float", 0.5, "'nan' is not valid: a number"),
        ("1.5", "int", 3, "'1.5' is not valid: a whole number"),
        ("None", "int", 3, "'None' is not valid: a whole number"),
        ("x", "int | None", 3, "'x' is not valid: a whole number or None"),
    ],
)
def test_parsed_option_of_another_kind_is_refused_with_what_is_valid(text, annotation, default, said):
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{said}$"):
        parsed(text, annotation, default)


NAMES = ["data", "help", "h", "data_file", "seed"]


def test_command_line_with_fields_named_like_options_sets_the_fields(monkeypatch):
    config = make_dataclass("Config", [(name, str, "a") for name in NAMES], frozen=True)()
    typed = [f"--{name}={name[::-1]}" for name in NAMES]
    monkeypatch.setattr("sys.argv", ["script.py", "--data-file", "some.npz", *typed])
    path, chosen = from_command_line({"task": "t", "data_file": "d.npz"}, config)
    assert str(path) == "some.npz" and vars(chosen) == {name: name[::-1] for name in NAMES}


@pytest.mark.parametrize(
    "typed, said",
    [
        (["--bias", "maybe"], "error: argument --bias: 'maybe' is not valid: true or false"),
        (["--bia", "no"], "error: unrecognized arguments: --bia no"),
        (["--bias"], "error: argument --bias: expected one argument"),
        (["--low", "9"], "error: these settings do not go together: ValueError: low >= 5"),
    ],
)
def test_command_line_that_is_wrong_is_one_line_and_exit_2(typed, said, monkeypatch, capsys):
    def check(self):
        if self.low >= 5:
            raise ValueError("low >= 5")

    made = make_dataclass(
        "Config", [("bias", bool, True), ("low", int, 1)], namespace={"__post_init__": check}
    )
    monkeypatch.setattr("sys.argv", ["script.py", *typed])
    with pytest.raises(SystemExit) as ended:
        from_command_line({"task": "t", "data_file": "d.npz"}, made())
    assert ended.value.code == 2 and capsys.readouterr().err == f"{said}\n"


def test_seeds_of_all_generators_repeat_what_is_drawn():
    def drawn():
        seed_all(2**31 - 1)
        return random.random(), np.random.rand(), torch.rand(()).item()

    assert drawn() == drawn()


def test_data_that_are_missing_name_what_prepares_them():
    with pytest.raises(DataError, match="^no some.npz here: `make train TASK=t` prepares it"):
        find_data({"task": "t", "data_file": "some.npz"})
