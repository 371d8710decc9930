"""The course's order of a search."""

from stores import here

from objectives import langid, perceptron
from search import tasks
from search.coordinator import search
from search.executors.inline import Inline
from search.strategy.stages import Stages
from search.study.opening import open_study

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
