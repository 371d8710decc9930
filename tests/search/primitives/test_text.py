"""Text for people."""

import pytest

from search.primitives import text


@pytest.mark.parametrize(
    "seconds, expected", [(0.123, "0.1 s"), (59.7, "1 min 00 s"), (12, "12 s"), (61, "1 min 01 s")]
)
def test_duration_is_said_in_seconds_and_minutes(seconds, expected):
    assert text.duration(seconds) == expected


def test_readable_shows_what_cannot_be_printed_as_its_escape():
    assert text.readable("a\nb\x1b[31m\ud800") == "a\\nb\\x1b[31m\\ud800"


def test_readable_leaves_out_the_middle_of_what_is_long():
    short = text.readable("x" * 50 + "y" * 50, 30)
    assert short == "x" * 15 + " ... " + "y" * 10


def test_one_line_has_the_name_and_the_message_of_an_error():
    assert text.one_line(ValueError("two\n  lines")) == "ValueError: two lines"
    assert text.one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(text.one_line(ValueError("x" * 1000), 80)) == 80


def test_one_line_of_an_error_that_cannot_show_itself_says_so():
    class Broken(Exception):
        def __str__(self):
            raise SystemExit

    assert text.one_line(Broken()) == "Broken: (its message cannot be shown: SystemExit)"


def test_settings_shortens_numbers_and_long_texts():
    line = text.settings({"layers": 2, "learning_rate": 0.0031234, "mood": "x" * 1000})
    assert (
        line.startswith("layers 2, learning_rate 0.00312, mood xxx") and " ... " in line and len(line) < 300
    )
