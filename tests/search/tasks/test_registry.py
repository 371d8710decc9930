"""From a name to a task."""

import pytest

from search import tasks
from search.errors import TaskError, UsageError


def test_find_a_name_returns_the_module_of_that_file(bowl):
    assert tasks.find("bowl") is bowl
    assert tasks.name_of(bowl) == "bowl"


@pytest.mark.parametrize("name", ["", "lang", "replay", "../langid", "objectives.langid", "LANGID", "os"])
def test_find_another_name_says_which_there_are(name):
    with pytest.raises(UsageError, match=r"unknown TASK .*: valid are .*langid, .*regression"):
        tasks.find(name)


@pytest.mark.parametrize(
    "line, said",
    [
        ("def f(:", r"SyntaxError: .*\(broken\.py, line 7\)"),
        (
            "import missing_library",
            r"ModuleNotFoundError: No module named 'missing_library' \(.*broken\.py, line 7\)",
        ),
        ("import sys; sys.exit(0)", r"SystemExit: 0 \(.*broken\.py, line 7\)"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(.*broken\.py, line 7\)"),
        ("raise BaseException('a\\nb')", r"BaseException: a b \(.*broken\.py, line 7\)"),
    ],
)
def test_find_a_file_whose_import_fails_says_why_and_where(write_task, line, said):
    with pytest.raises(TaskError, match=rf"^task 'broken' cannot be imported: {said}$"):
        write_task("broken", ("from dataclasses", f"{line}\nfrom dataclasses"))
    assert tasks.find("bowl")


def test_find_a_name_with_capitals_and_a_hyphen_returns_it(write_task):
    assert tasks.name_of(write_task("MLP-v2")) == "MLP-v2"
