"""What a task hands over: plain values, or one line that says what is wrong."""

import json
import math
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest
import torch

from search.trainers.received import TEXT_LETTERS, Reports, score

GOOD = {"train_loss": 1.0, "validation_loss": 1, "validation_err": 0.5}


def entry(epoch=1, epochs=4, **metrics):
    return Reports("err", epochs).entry(epoch, GOOD | metrics)


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.float32(0.5), 0.5),
        (np.int64(2), 2),
        (np.bool_(True), 1),
        (np.array([3.0]), 3.0),
        (torch.tensor(3.0), 3.0),
        (torch.tensor([2]), 2),
        (torch.tensor(True), 1),
        (torch.nn.Parameter(torch.tensor(1.5)), 1.5),
        (True, 1),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 4), 0.25),
        (math.inf, math.inf),
        ("fine", "fine"),
        ("\ud800\0", "\\ud800\\x00"),
    ],
)
def test_a_metric_becomes_a_plain_value(value, expected):
    received = entry(depth=value)["depth"]
    assert (received, type(received)) == (expected, type(expected))
    assert json.loads(json.dumps(received)) == expected


def test_a_report_is_a_copy_in_plain_values():
    metrics = dict(GOOD)
    received = Reports("err", 4).entry(np.int64(2), metrics)
    metrics["train_loss"] = 7.0
    assert received == {"epoch": 2, **GOOD} and type(received["epoch"]) is int


def test_a_report_may_be_any_mapping():
    assert Reports("err", 4).entry(torch.tensor(1), MappingProxyType(GOOD)) == {"epoch": 1, **GOOD}


def test_a_metric_that_is_nan_passes():
    assert math.isnan(entry(train_loss=torch.tensor(math.nan))["train_loss"])


def test_names_of_the_entry_itself_are_not_overwritten():
    received = entry(epoch=2, seconds=5.0, time=6.0)
    assert received == {"epoch": 2, **GOOD, "reported_seconds": 5.0, "reported_time": 6.0}
    assert Reports("err", 4).entry(1, GOOD | {"epoch": 0.5})["reported_epoch"] == 0.5


def test_a_long_text_is_cut_and_says_so():
    received = entry(diary="x" * (TEXT_LETTERS + 5))["diary"]
    assert received == "x" * TEXT_LETTERS + " ... (cut: the text had 100,005 letters)"


NUMBER = "valid is a number"


@pytest.mark.parametrize(
    "change, cause",
    [
        ({"validation_err": None}, f"metric 'validation_err' is None of type NoneType: {NUMBER}"),
        ({"validation_err": "high"}, f"metric 'validation_err' is 'high' of type str: {NUMBER}"),
        ({"depth": [1, 2]}, f"metric 'depth' is [1, 2] of type list: {NUMBER} or a text"),
        ({"depth": torch.zeros(2)}, f"metric 'depth' is tensor([0., 0.]) of type Tensor: {NUMBER} or a text"),
        (
            {"depth": torch.zeros((), device="meta")},
            "metric 'depth' is tensor(..., device='meta', size=()) of",
        ),
        ({"depth": b"x"}, f"metric 'depth' is b'x' of type bytes: {NUMBER} or a text"),
        ({"depth": 1j}, f"metric 'depth' is 1j of type complex: {NUMBER} or a text"),
        ({"depth": 10**400}, "metric 'depth' is 1000"),
        ({3: 1.0}, "a metric's name is 3 of type int: valid is a printable text of 1 to 1000 letters"),
        ({"": 1.0}, "a metric's name is \"''\": valid is a printable text"),
        ({"a\nb": 1.0}, "a metric's name is"),
        ({"\ud800": 1.0}, "a metric's name is"),
        ({"x" * 1001: 1.0}, "a metric's name is"),
        ({"epoch": 1.0, "reported_epoch": 2.0}, "two metrics are named 'reported_epoch'"),
    ],
)
def test_a_metric_that_is_not_valid_is_rejected_in_one_line(change, cause):
    with pytest.raises((TypeError, ValueError)) as raised:
        Reports("err", 4).entry(1, GOOD | change)
    message = str(raised.value)
    assert message.startswith(f"report: {cause}") and message.isprintable() and len(message) < 300


@pytest.mark.parametrize("metrics", [None, 0.5, [("train_loss", 1.0)], "loss"])
def test_metrics_that_are_no_mapping_are_rejected(metrics):
    with pytest.raises(
        TypeError, match="report: metrics are .* of type .*: valid is a dict of names and numbers"
    ):
        Reports("err", 4).entry(1, metrics)


def test_a_metric_that_is_needed_and_lacks_is_named():
    with pytest.raises(
        ValueError, match="report: metrics lack validation_loss, validation_err: valid are train_"
    ):
        Reports("err", 4).entry(1, {"train_loss": 1.0})


@pytest.mark.parametrize(
    "epoch", [1.0, True, "1", None, np.float64(1), np.bool_(True), torch.tensor(1.0), [1]]
)
def test_an_epoch_that_is_no_int_is_rejected(epoch):
    with pytest.raises(TypeError, match="report: epoch is .*: valid is an int, greater than the one before"):
        entry(epoch)


@pytest.mark.parametrize(
    "epoch, cause", [(0, "epoch 0 after epoch 0"), (5, "epoch 5 is beyond the last, 4"), (-1, "-1")]
)
def test_an_epoch_beyond_its_range_is_rejected(epoch, cause):
    with pytest.raises(ValueError, match=cause):
        entry(epoch)


def test_an_epoch_that_comes_twice_is_rejected():
    reports = Reports("err", 4)
    reports.entry(2, GOOD)
    with pytest.raises(ValueError, match="report: epoch 2 after epoch 2"):
        reports.entry(2, GOOD)


def test_the_last_epoch_must_be_reported():
    reports = Reports("err", 4)
    with pytest.raises(ValueError, match="train reported no epoch: the last report must be of epoch 4"):
        reports.check_end()
    reports.entry(3, GOOD)
    with pytest.raises(ValueError, match="train ended after the report of epoch 3 of 4"):
        reports.check_end()
    reports.entry(4, GOOD)
    reports.check_end()


@pytest.mark.parametrize(
    "result",
    [
        (0.5, 0.1),
        [0.5, 0.1],
        (np.float64(0.5), torch.tensor(0.1, dtype=torch.float64)),
        (Fraction(1, 2), 0.1),
    ],
)
def test_a_score_is_two_numbers(result):
    assert score(result) == (0.5, 0.1)
    assert all(type(each) is float for each in score(result))


def test_a_score_that_is_not_finite_passes_with_any_error():
    value, error = score((math.nan, math.nan))
    assert math.isnan(value) and math.isnan(error)
    assert score((math.inf, 0.1)) == (math.inf, 0.1)


@pytest.mark.parametrize(
    "result, cause",
    [
        (0.5, "score returned 0.5 of type float: valid is (value, standard_error)"),
        (None, "score returned None of type NoneType: valid is (value, standard_error)"),
        ((1, 2, 3), "score returned (1, 2, 3) of type tuple: valid is (value, standard_error)"),
        (("good", 0.1), "score: the value is 'good' of type str: valid is a number"),
        ((0.5, None), "score: the standard error is None of type NoneType: valid is a number"),
        ((10**400, 0.1), "score: the value is 1000"),
        ((0.5, -0.1), "score: the standard error is -0.1: valid is a finite number that is not negative"),
        ((0.5, math.nan), "score: the standard error is nan: valid is a finite number that is not negative"),
        ((0.5, math.inf), "score: the standard error is inf: valid is a finite number that is not negative"),
    ],
)
def test_a_score_that_is_not_valid_is_rejected_in_one_line(result, cause):
    with pytest.raises((TypeError, ValueError)) as raised:
        score(result)
    assert str(raised.value).startswith(cause)
