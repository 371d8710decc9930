"""What a study is said to teach, recomputed from its trials."""

import math
import random
import re
import statistics

import optuna
import pytest
from scipy import stats
from stores import here

from objectives import regression
from search.reports import sentences
from search.reports.evidence import Evidence
from search.reports.sentences import costs
from search.reports.sentences.importances import importances
from search.study.opening import open_study


def drawn(chance):
    """Hyperparameters of regression, at random."""
    return {
        "hidden_size": chance.randrange(100, 501, 20),
        "layers": chance.randint(1, 3),
        "learning_rate": 10 ** chance.uniform(-4, -2),
        "batch_size": chance.choice([10, 20, 25, 40, 50, 100]),
    }


def of_rate(params, chance):
    """A score that the learning rate decides."""
    return abs(math.log10(params["learning_rate"]) + 3) + 0.1 + chance.uniform(0, 0.02)


def of_nothing(params, chance):
    """A score that nothing decides."""
    return chance.uniform(0.1, 1)


@pytest.fixture
def studied(tell):
    def studied(score, trials=30):
        chance, study = random.Random(0), open_study(here(), regression, "told")
        for _ in range(trials):
            params = drawn(chance)
            tell(study, score(params, chance), curve=({},), **params)
        return study

    return studied


@pytest.fixture
def by_rate(studied):
    with studied(of_rate) as study:
        yield study


def said(sentences, about):
    return next(sentence.text for sentence in sentences if sentence.about == about)


def mattered(study):
    known = Evidence(study)
    return sentences.mattered(known, *importances(known))


def test_of_too_few_trials_nothing_is_said_but_that(studied, tell):
    with studied(of_rate, trials=9) as study:
        few, depth = mattered(study)
        assert "there are 9, 9 with an estimate and 9 trained to the end" in few.text
        assert depth.about == "was depth worth it?"
        tell(study, 0.5)
        assert len(mattered(study)) > 5
    with open_study(here(), regression, "empty") as study:
        assert "there are 0" in mattered(study)[0].text


@pytest.mark.integration
def test_importance_is_optunas_where_all_are_completed(by_rate):
    shares, chance_share = importances(Evidence(by_rate))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    expected = optuna.importance.get_param_importances(by_rate._optuna, evaluator=evaluator)
    assert shares == pytest.approx(expected)
    assert list(shares)[0] == "learning_rate" and chance_share < shares["learning_rate"]
    text = said(mattered(by_rate), "importance")
    assert f"best 8 of 30 trials apart: learning_rate {expected['learning_rate']:.0%}" in text
    assert "learning_rate stands out." in text


def test_effect_says_which_values_lead_and_which_lag_with_errors_counts_and_chance(by_rate, monkeypatch):
    monkeypatch.setattr(by_rate.task, "MEANINGFUL_DIFFERENCE", 0.1)
    text = said(mattered(by_rate), "learning_rate")
    verdict, chance = text.split(" Chance alone does as much in ")
    parts = re.findall(
        r"([\d.e-]+) to ([\d.e-]+) (lead|lag) \(mse ([\d.]+) ± ([\d.]+), (\d+) trials\)", verdict
    )
    assert verdict.startswith("it matters: ") and len(parts) == 3 and chance.startswith("less than 0.1%")
    assert [verb for _, _, verb, *_ in parts] == ["lead", "lag", "lag"]
    for low, high, _, mean, error, count in parts:
        slack = 1.1  # values are rounded
        within = [
            math.log(trial.value)
            for trial in by_rate._optuna.trials
            if float(low) / slack <= trial.params["learning_rate"] <= float(high) * slack
        ]
        assert abs(len(within) - int(count)) <= 1
        assert float(mean) == pytest.approx(math.exp(statistics.fmean(within)), abs=2 * float(error))
        spread = math.exp(statistics.fmean(within)) * statistics.stdev(within) / len(within) ** 0.5
        assert 0.5 * spread < float(error) < 2 * spread
    assert float(parts[0][0]) < 1e-3 < float(parts[0][1])  # where the score is best
    assert said(mattered(by_rate), "layers").startswith(("no visible effect", "not sure"))


def test_nothing_matters_where_nothing_does(studied):
    with studied(of_nothing) as study:
        sentences = mattered(study)
        assert "none stands out." in said(sentences, "importance")
        assert not [each for each in sentences if each.text.startswith("it matters")]


def test_void_trials_are_no_evidence(by_rate):
    by_rate.void("void", range(15), "a bug")
    assert "best 5 of 15 trials" in said(mattered(by_rate), "importance")
    numbers = {point.trial.number for point in Evidence(by_rate).points}
    assert numbers == set(range(15, 30))


def test_what_an_epoch_costs(tell):
    chance = random.Random(0)
    with open_study(here(), regression, "told") as study:
        for _ in range(12):
            params = drawn(chance)
            seconds = params["hidden_size"] ** 1.5 / params["batch_size"] * chance.uniform(0.99, 1.01)
            tell(study, chance.random(), curve=[{"validation_mse": 1.0, "seconds": seconds}], **params)
        text = said(mattered(study), "training time")
    assert "twice the hidden_size takes 2.8" in text and "twice the batch_size takes 0.50 times" in text
    assert "twice the layers" not in text and "no other effect is certain" in text


@pytest.mark.integration
def test_learning_rate_against_batch_size(tell):
    chance = random.Random(0)
    with open_study(here(), regression, "told") as study:
        for number in range(24):
            size = [10, 20, 40, 100][number % 4]
            rate = 1e-4 * size * chance.uniform(0.8, 1) if number < 12 else 10 ** chance.uniform(-4, -2)
            tell(study, 0.1 + number / 100, learning_rate=min(rate, 0.01), batch_size=size)
        text = said(mattered(study), "learning_rate against batch_size")
        better = study._optuna.trials[:12]
        rank = stats.spearmanr(*([t.params[n] for t in better] for n in ("learning_rate", "batch_size")))
    assert f"rank correlation {rank.statistic:.2f} (95%: " in text and "among the better 12 of 24" in text
    assert "larger batches went with higher learning rates" in text


def test_the_front_has_what_is_neither_beaten_in_time_nor_in_score(by_rate):
    known = Evidence(by_rate)
    front = costs.front(known)
    for point in known.finished:
        beaten = any(o.seconds <= point.seconds and o.level > point.level for o in known.finished)
        assert (point in front) != beaten
