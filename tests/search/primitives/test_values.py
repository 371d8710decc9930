"""Plain values, and what they are made of."""

import enum
import math
from decimal import Decimal
from fractions import Fraction

import numpy
import pytest
import torch

from search.primitives import values


class Colour(str, enum.Enum):  # noqa: UP042, as users write it
    RED = "red"


class Unshowable:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "value, plain",
    [
        (numpy.int64(3), 3),
        (numpy.float64(0.5), 0.5),
        (numpy.bool_(True), True),
        (numpy.str_("a"), "a"),
        (torch.tensor(2.5), 2.5),
        (torch.tensor([7]), 7),
        (Colour.RED, "red"),
        (None, None),
        (False, False),
    ],
)
def test_plain_a_scalar_becomes_a_plain_value(value, plain):
    found = values.plain(value)
    assert found == plain and type(found) is type(plain)


@pytest.mark.parametrize(
    "value, said",
    [
        ((8,), r"\(8,\) of type tuple"),
        (torch.ones(2), "a Tensor of 2 values"),
        (math.nan, "nan, which is not finite"),
        (1j, "1j of type complex"),
        (Unshowable(), "<Unshowable> of type Unshowable"),
    ],
)
def test_plain_another_value_is_refused(value, said):
    with pytest.raises((TypeError, ValueError), match=rf"^{said}$"):
        values.plain(value)


@pytest.mark.parametrize(
    "value, number",
    [
        (True, 1),
        (numpy.float32(0.5), 0.5),
        (torch.tensor(3), 3),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 2), 0.5),
    ],
)
def test_number_what_has_a_value_becomes_a_plain_number(value, number):
    found = values.number(value)
    assert found == number and type(found) is type(number)


@pytest.mark.parametrize("value", ["1", b"1", 1j, None, [1], torch.ones(3), numpy.zeros(0), 10**400])
def test_number_what_is_no_number_is_refused(value):
    with pytest.raises((TypeError, OverflowError)):
        values.number(value)


def test_shown_a_long_value_is_cut_to_one_line():
    assert values.shown("a\nb" * 100, 10) == "'a\\nba\\nba ..."
