"""What a frozen script says of its score."""

import pytest

from objectives.replay import find_data, machine, verdict

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


def test_the_machine_is_told_in_plain_values():
    assert {type(value) for value in machine().values()} <= {str, int}
    assert machine() == machine()
