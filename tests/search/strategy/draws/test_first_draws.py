"""What won other tasks comes first, and on request the course's order."""

import pytest
from stores import here

from objectives import langid, perceptron
from search import paths, tasks
from search.coordinator import search
from search.executors.inline import Inline
from search.frozen_script import files
from search.strategy.draws.first_draws import Stages, warm_starts
from search.study.opening import open_study


def frozen(name, *defaults):
    files.write(paths.frozen(name), "class Config:\n" + "".join(f"    {line}\n" for line in defaults))


def test_a_sibling_that_has_all_ranges_is_a_start(bowl):
    frozen("langid", "x: float = 0.25", "y: float = 1e9", "more: str = 'x'")
    frozen("digits", "x: float = 0.25")
    assert warm_starts(bowl) == [{"x": 0.25, "y": 100}]


def test_a_choice_that_is_no_number_is_taken_where_it_is_there_too(moody):
    task = moody("nan")
    frozen("langid", "mood: str = 'nan'")
    frozen("digits", "mood: str = 'sad'")
    assert warm_starts(task) == [{"mood": "nan"}]


@pytest.mark.parametrize("garbage", ["", "(", "\0", "class Config: pass", "class Config:\n  x: float = y\n"])
def test_a_sibling_that_cannot_be_read_is_none(bowl, garbage):
    files.write(paths.frozen("langid"), garbage)
    assert warm_starts(bowl) == []


def test_a_sibling_of_other_values_is_none(bowl):
    frozen("langid", "x: float = 'high'", "y: int = None")
    assert warm_starts(bowl) == []


def test_a_smaller_batch_gets_a_lower_rate(monkeypatch):
    task = tasks.find("digits")
    values = {"hidden_size": 300, "layers": 2, "learning_rate": 0.004, "batch_size": 480}
    frozen("langid", *(f"{name}: float = {value}" for name, value in values.items()))
    [start] = warm_starts(task)
    assert start["batch_size"] < 480
    assert start["learning_rate"] == pytest.approx(0.004 * (start["batch_size"] / 480) ** 0.5)


# The course's order

BEST = {"hidden_size": 260, "layers": 1, "learning_rate": 0.003, "batch_size": 32}


def configurations(task):
    stages = Stages(tasks.baseline(task), tasks.ranges(task))
    return [stages.params(step, BEST) for step in range(len(stages))]


def test_stages_vary_the_rate_of_a_shallow_network_then_the_width_and_then_the_depth():
    baseline = tasks.baseline(langid) | {"layers": 1}
    rates, widths, depths = (
        configurations(langid)[:5],
        configurations(langid)[5:8],
        configurations(langid)[8:],
    )
    assert all(each | {"learning_rate": 0} == baseline | {"learning_rate": 0} for each in rates)
    assert [round(each["learning_rate"], 5) for each in rates] == [0.00016, 0.0004, 0.001, 0.00251, 0.00631]
    assert widths == [BEST | {"hidden_size": size} for size in (160, 300, 440)]
    assert depths == [BEST | {"layers": depth} for depth in (2, 3)]


def test_stages_without_a_best_start_from_the_defaults():
    stages = Stages(tasks.baseline(langid), tasks.ranges(langid))
    assert stages.params(8, None) == tasks.baseline(langid) | {"layers": 2}


def test_a_task_without_such_hyperparameters_has_no_stages():
    assert configurations(perceptron) == []


def test_a_search_in_stages_begins_with_them_and_says_so():
    from objectives import regression

    with open_study(here(), regression) as study:
        search(study, Inline(study), trials=11, in_stages=True)
        tried = [trial for trial in study.trials() if trial.proposal.startswith("in order: ")]
    assert [trial.number for trial in tried] == list(range(tried[0].number, tried[0].number + 10))
    assert [trial.params["layers"] for trial in tried] == [1] * 8 + [2, 3]
    assert len({trial.params["learning_rate"] for trial in tried[:5]}) == 5
    assert len({trial.params["learning_rate"] for trial in tried[5:8]}) == 1
