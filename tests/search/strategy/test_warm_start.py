"""What won other tasks is where a search begins, as far as it can be read."""

import pytest

from search import paths
from search.frozen_script import files
from search.strategy import warm_start


def frozen(name, *defaults):
    files.write(paths.frozen(name), "class Config:\n" + "".join(f"    {line}\n" for line in defaults))


def test_a_sibling_that_has_all_ranges_is_a_start(bowl):
    frozen("langid", "x: float = 0.25", "y: float = 1e9", "more: str = 'x'")
    frozen("digits", "x: float = 0.25")
    assert warm_start.starts(bowl) == [{"x": 0.25, "y": 100}]


def test_a_choice_that_is_no_number_is_taken_where_it_is_there_too(moody):
    task = moody("nan")
    frozen("langid", "mood: str = 'nan'")
    frozen("digits", "mood: str = 'sad'")
    assert warm_start.starts(task) == [{"mood": "nan"}]


@pytest.mark.parametrize("garbage", ["", "(", "\0", "class Config: pass", "class Config:\n  x: float = y\n"])
def test_a_sibling_that_cannot_be_read_is_none(bowl, garbage):
    files.write(paths.frozen("langid"), garbage)
    assert warm_start.starts(bowl) == []


def test_a_sibling_of_other_values_is_none(bowl):
    frozen("langid", "x: float = 'high'", "y: int = None")
    assert warm_start.starts(bowl) == []
