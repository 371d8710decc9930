"""Names in the log, against MLflow's own rules."""

import pytest
from mlflow.utils.validation import _validate_metric, _validate_param

from search.tracking import log_names

NAMES = {
    "validation_loss": "validation_loss",
    "précision: top 5": "précision: top 5",
    "MAP@5": "MAP_5",
    "F1 % (macro)": "F1 _ _macro_",
    "loss[delta=1]": "loss_delta_1_",
    "time(s)/gen": "time_s_/gen",
    "sample/../../x": "sample/_/_/x",
    "/etc/passwd": "_/etc/passwd",
    "": "_",
    "a//b/": "a/_/b/_",
    "..": "_",
    "line\nbreak": "line_break",
    "\ud800": "_",
}


@pytest.mark.parametrize("name", NAMES)
def test_log_name_is_one_that_mlflow_takes(name):
    assert log_names.log_name(name) == NAMES[name]
    _validate_metric(f"last_{NAMES[name]}", 1.0, 1, 1)
    _validate_param(NAMES[name], "x")


@pytest.mark.parametrize("letter", "xé模/.")
def test_log_name_of_a_long_name_is_cut_and_its_own(letter):
    one, other = (log_names.log_name(letter * 400 + end) for end in "ab")
    assert one != other
    for name in one, other:
        assert len(f"last_{name}".encode()) <= 250
        _validate_metric(f"last_{name}", 1.0, 1, 1)


@pytest.mark.parametrize(
    "name", ["score", "weights", "best_loss", "last_loss", "confirmed_mean", "seconds_total"]
)
def test_metric_names_of_the_log_itself_are_reported_ones(name):
    assert log_names.metric_names({"epoch": 1, name: 0.5}) == {name: f"reported_{name}"}


def test_metric_names_that_become_one_keep_both_values():
    names = log_names.metric_names({"a@b": 1, "a#b": 2, "a_b": 3, "c@": 4})
    assert names["a_b"] == "a_b" and names["c@"] == "c_"
    assert len(set(names.values())) == 4
    assert all(names[name].startswith("a_b_") for name in ("a@b", "a#b"))


def test_log_text_is_valid_and_cut():
    assert log_names.log_text("plain", 5) == "plain"
    assert log_names.log_text("a\0\ud800b", 20) == "a\\0\\ud800b"
    assert log_names.log_text("x" * 9, 8) == "xxxxxxxx"
