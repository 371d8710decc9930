"""The defaults of a frozen script are values, written as literals, whatever they contain."""

import ast

import pytest

from search.errors import TrialbookError
from search.frozen_script import defaults

HOSTILE = [
    "'",
    '"',
    '"""',
    "\n",
    "\\",
    "\u2028",
    "\ud800",
    "😀",
    "__import__('os').system('x')",
    "{x}",
    "#",
    "",
]


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
def test_text_is_held_as_a_value(text):
    literal = defaults.literal({"key": text, text: [text][0]})
    assert ast.literal_eval(literal) == {"key": text, text: text}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), [1], (1,), b"x"])
def test_what_is_no_plain_value_is_refused(value):
    with pytest.raises(TrialbookError, match="is no plain value"):
        defaults.literal(value)


def test_a_number_of_thousands_of_digits_is_refused():
    with pytest.raises(TrialbookError, match="^a number of thousands of digits is no plain value"):
        defaults.literal(10**5000)
