"""What every task must keep to. A new task file is tested by being there."""

import importlib
import math
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass, replace

import optuna
import pytest
import torch

import data
import objectives
from search import tasks

TASKS = objectives.names()


SLOWEST = "chargpt"  # trained in seconds, not in tenths


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.thorough] * (name == SLOWEST)) for name in TASKS]
)
def task(request):
    return importlib.import_module(f"objectives.{request.param}")


@pytest.fixture
def splits(task):
    arrays = data.read(task.DATA.prepare("builtin"))
    return task.DATA.load(arrays, "train"), task.DATA.load(arrays, "validation")


def brief(task):
    """The baseline, trained for one report only."""
    return replace(task.Config(), epochs=getattr(task, "REPORT_EVERY", 1))


def test_the_docstring_states_a_question_a_target_and_a_source(task):
    lines = task.__doc__.splitlines()
    assert lines[0].endswith("?")
    assert any(line.startswith("Target: ") for line in lines)
    assert any(line.startswith("Source: ") for line in lines)


def test_config_is_frozen_and_of_plain_values(task):
    config = task.Config()
    assert is_dataclass(config)
    with pytest.raises(FrozenInstanceError):
        config.seed = 1
    assert {type(value) for value in asdict(config).values()} <= {int, float, str, bool}
    assert {"epochs", "seed"} <= {field.name for field in fields(config)}


def test_space_suggests_fields_of_config_around_the_baseline(task):
    names = {field.name for field in fields(task.Config)}
    assert tasks.ranges(task).keys() <= names - {"epochs", "seed"}
    assert replace(task.Config(), **tasks.baseline(task)) == task.Config()
    for name, distribution in tasks.ranges(task).items():
        assert distribution._contains(distribution.to_internal_repr(getattr(task.Config(), name)))


def test_every_drawn_config_replays(task):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        config = task.space(trial)
        assert task.space(optuna.trial.FixedTrial(trial.params)) == config
        assert tasks.count_weights(task, config) > 0


def test_a_training_reports_and_is_scored(task, splits):
    heard = []
    model = task.train(brief(task), *splits, lambda epoch, metrics: heard.append((epoch, metrics)))
    scored = f"validation_{task.METRIC}"
    for epoch, metrics in heard:
        assert 1 <= epoch <= brief(task).epochs
        assert metrics.keys() >= {"train_loss", "validation_loss", scored, "learning_rate"}
        for name, value in metrics.items():
            assert type(value) is (float if name.startswith(("train", "validation", "learning")) else str)
    assert heard[-1][0] == brief(task).epochs
    value, standard_error = task.score(model, splits[1])
    assert math.isfinite(value) and standard_error >= 0
    weights = sum(weight.numel() for weight in model.parameters())
    assert weights == tasks.count_weights(task, brief(task))


@pytest.mark.integration
def test_equal_seeds_give_equal_scores_and_what_was_trained_before_does_not_matter(task, splits):
    def trained(seed):
        heard = []
        model = task.train(replace(brief(task), seed=seed), *splits, lambda *report: heard.append(report))
        return task.score(model, splits[1]), heard

    first, other = trained(1), trained(2)
    torch.rand(7)
    assert trained(1) == first
    if task.__name__.split(".")[1] not in ("bowl", "gated", "moody", "slow", "texts"):
        assert other != first


def test_report_may_end_a_training(task, splits):
    class Enough(Exception):
        pass

    def report(epoch, metrics):
        raise Enough

    with pytest.raises(Enough):
        task.train(brief(task), *splits, report)
