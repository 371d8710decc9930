"""From a name to a task, and its ranges in words."""

import pytest

from search import tasks
from search.errors import UsageError


def test_a_task_is_found_by_the_name_of_its_file(bowl):
    assert tasks.find("bowl") is bowl
    assert tasks.name_of(bowl) == "bowl"


@pytest.mark.parametrize("name", ["", "lang", "replay", "../langid", "objectives.langid", "LANGID", "os"])
def test_other_names_are_answered_with_those_there_are(name):
    with pytest.raises(UsageError, match=r"unknown TASK .*: valid are .*langid, .*regression"):
        tasks.find(name)


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


def test_weights_are_counted_without_making_them(bowl):
    from objectives import langid

    config = langid.Config(hidden_size=100, layers=1)
    assert tasks.count_weights(langid, config) == 47 * 100 + 100 * 100 + 100 * 5 + 5
