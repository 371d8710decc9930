"""Estimates, replicates and the winner in the log, read back from a real MLflow store."""

import json
import math

from logs import log_store, up_to_date
from shown import Shown
from stores import here

from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.maintenance import audit
from search.strategy import winner
from search.strategy.estimates.posterior import Posterior
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.tracking import mapping


def test_repeats_and_what_they_say_are_shown(logged):
    confirm(logged, Inline(logged), replicates=2)
    up_to_date(logged)
    shown, won = Shown(), winner.choose(logged)
    repeats = [trial for trial in logged.trials() if trial.replicate_of is not None]
    assert repeats
    for trial in repeats:
        run = shown.trials[trial.number]
        assert run.info.run_name == f"trial-{trial.number:04} repeats {trial.replicate_of}"
        assert (run.data.tags["kind"], run.data.tags["repeats"]) == ("repeat", str(trial.replicate_of))
    first = shown.trials[won.trial.number]
    assert first.data.metrics["confirmed_mean"] == won.mean
    assert first.data.metrics["confirmed_standard_error"] == won.standard_error
    assert (
        f"trial {won.trial.number}, confirmed: height {won.mean:.4g} ±"
        in shown.parents[0].data.tags["winner"]
    )
    assert shown.parents[0].data.metrics["winner_mean"] == won.mean


def test_every_trial_shows_the_estimate_of_its_configuration(logged):
    confirm(logged, Inline(logged), replicates=2)
    up_to_date(logged)
    shown, posterior, won = Shown(), Posterior.of(logged), winner.choose(logged)
    states = set()
    for trial in logged.trials():
        known = posterior.estimate(trial.number if trial.replicate_of is None else trial.replicate_of)
        metrics = shown.trials[trial.number].data.metrics
        if known is None:
            assert not trial.curve and not metrics.keys() & {*mapping.ESTIMATE}
            continue
        states.add(trial.kind)
        assert metrics["estimate"] == posterior.scale.score(known.mean)
        assert metrics["estimate_standard_error"] == posterior.scale.error(known.mean, known.deviation)
    assert states == {"completed", "pruned", "interrupted", "replicates"}
    same = [won.trial.number, *(t.number for t in logged.trials() if t.replicate_of == won.trial.number)]
    assert len(same) == 3
    assert {shown.trials[number].data.metrics["estimate"] for number in same} == {won.mean}


def test_a_paused_trial_shows_its_estimate(bowl, database):
    with open_study(here(), bowl, "paused") as study:
        search(study, Inline(study), trials=6)
        strategy = Strategy(study)
        trial = strategy.ask()
        height = {"validation_height": 1.1, "validation_loss": 1.1, "train_loss": 1.1}
        strategy.report(trial.number, {"epoch": 1, "seconds": 0.1, "time": 1e9, **height})
        paused = strategy.pause(trial.number)
        log = up_to_date(study)
        log.write(paused)
        log.bring_up_to_date()
        posterior = Posterior.of(study)
        known = posterior.estimate(trial.number)
    run = Shown().trials[trial.number]
    assert run.info.status == "RUNNING"
    assert run.data.metrics["estimate"] == posterior.scale.score(known.mean)
    assert run.data.metrics["estimate_standard_error"] > 0
    assert audit.audit(here(), "paused", log_store()) == []


def test_a_void_trial_shows_no_estimate_until_it_is_restored(logged):
    best = logged.best().number
    before = Shown().trials[best].data.metrics["estimate"]
    logged.void("void", [best], "wrong")
    up_to_date(logged)
    shown = Shown()
    assert math.isnan(shown.trials[best].data.metrics["estimate"])
    view = json.loads(shown.experiment.tags["mlflow.sharedViewState.logged"])
    found = in_view(shown, view)
    assert best not in found[:3] and best in found
    assert audit.audit(here(), "logged", log_store()) == []
    logged.void("restore", [best], "right")
    up_to_date(logged)
    assert Shown().trials[best].data.metrics["estimate"] == before


def in_view(shown, view):
    """The trials that a view lists, in its order."""
    order = [f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"]
    found = shown.client.search_runs([shown.experiment.experiment_id], view["searchFilter"], order_by=order)
    return [int(run.data.tags["trial"]) for run in found]


def test_view_lists_each_configuration_once_the_best_estimate_first(logged):
    confirm(logged, Inline(logged), replicates=2)
    up_to_date(logged)
    shown, posterior = Shown(), Posterior.of(logged)
    view = json.loads(shown.experiment.tags["mlflow.sharedViewState.logged"])
    estimates = {
        trial.number: posterior.scale.score(known.mean)
        for trial in logged.trials()
        if trial.replicate_of is None and (known := posterior.estimate(trial.number))
    }
    found = in_view(shown, view)
    assert found[: len(estimates)] == sorted(estimates, key=estimates.get)
    assert set(found) == {trial.number for trial in logged.trials() if trial.replicate_of is None}
    assert found[0] == winner.choose(logged).trial.number
    columns = view["selectedColumns"]
    assert columns.index("params.`x`") == columns.index("metrics.`score`") + 1


def test_winner_has_a_tag_that_a_former_winner_loses(logged):
    first = logged.best().number
    tags = {number: run.data.tags.get("winner") for number, run in Shown().trials.items()}
    assert {number: tag for number, tag in tags.items() if tag} == {first: "not confirmed yet"}
    confirm(logged, Inline(logged), replicates=2)
    up_to_date(logged)
    assert Shown().trials[first].data.tags["winner"] == "confirmed"
    logged.void("void", [first], "wrong")
    up_to_date(logged)
    tags = {number: run.data.tags.get("winner") for number, run in Shown().trials.items()}
    assert {number: tag for number, tag in tags.items() if tag} == {
        winner.choose(logged).trial.number: "not confirmed yet"
    }
    logged.void("void", [trial.number for trial in logged.completed()], "all wrong")
    up_to_date(logged)
    assert not any("winner" in run.data.tags for run in Shown().trials.values())
