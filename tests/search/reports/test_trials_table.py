"""The table of all trials, compared with the trials themselves."""

import io

import pandas
import pytest
from stores import here

from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.reports.trials_table import trials_csv, trials_dataframe
from search.strategy import winner
from search.study.opening import open_study


@pytest.fixture
def study(bowl):
    """A study of the bowl: a confirmed trial and another are void, and a second one was confirmed."""
    with open_study(here(), bowl, "bowls") as study:
        search(study, Inline(study), trials=20)
        confirm(study, Inline(study), replicates=2)
        study.void("void", [2, winner.choose(study).trial.number], "a bug, with a comma")
        confirm(study, Inline(study), replicates=2)
        yield study


def same(column, values):
    """Whether a column has these values, where None is a missing one."""
    return [None if pandas.isna(value) else value for value in column] == list(values)


def test_dataframe_has_a_row_per_trial_with_its_values(study):
    table, trials = trials_dataframe(study), list(study.trials())
    assert same(table["trial"], (t.number for t in trials))
    assert same(table["state"], (t.state for t in trials))
    assert same(table["kind"], (t.kind for t in trials))
    assert same(table["score"], (t.score for t in trials))
    assert same(table["standard_error"], (t.standard_error for t in trials))
    for name in trials[0].config:
        column = "config_epochs" if name == "epochs" else name
        assert same(table[column], (t.config[name] for t in trials))
    assert same(table["epochs"], (len(t.curve) for t in trials))
    assert same(table["seconds"], (t.seconds for t in trials))
    assert same(table["weights"], (t.weights for t in trials))
    assert same(table["retry_of"], (t.retry_of for t in trials))
    assert same(table["replicates"], (t.replicate_of for t in trials))
    assert same(table["replicate"], (t.replicate for t in trials))
    assert same(table["void"], (str(t.void or "") for t in trials))
    assert same(table["code"], (t.fingerprint["code"] for t in trials))
    assert same(table["why_tried"], (t.proposal for t in trials))
    assert same(table["why_ended"], (t.reason for t in trials))
    assert same(table["started"], (t.started for t in trials))
    assert same(table["ended"], (t.ended for t in trials))
    assert same(table["last_validation_height"], (t.curve[-1]["validation_height"] for t in trials))
    assert (table["void"] != "").sum() == 2 and table["replicates"].notna().sum() == 4


def test_dataframe_has_the_estimate_of_each_configuration_and_its_seeds(study):
    table, won = trials_dataframe(study).set_index("trial"), winner.choose(study)
    first = won.trial.number
    rows = table.loc[[first, *table.index[table["replicates"] == first]]]
    assert len(rows) == 3 and won.confirmed
    assert set(rows["estimate"]) == {won.mean}
    assert set(rows["estimate_standard_error"]) == {won.standard_error}
    assert set(rows["seeds"]) == {3}
    pruned = table[table["kind"] == "pruned"]
    assert len(pruned) >= 3 and pruned["estimate"].notna().all() and set(pruned["seeds"]) == {0}
    assert (pruned["estimate_standard_error"] > 0).all()
    assert table[table["void"] != ""][["estimate", "estimate_standard_error", "seeds"]].isna().all(axis=None)


def test_csv_is_the_same_table(study):
    table, text = trials_dataframe(study), trials_csv(study)
    missing = dict.fromkeys(("score", "estimate", "estimate_standard_error"), [""])
    read = pandas.read_csv(io.StringIO(text), keep_default_na=False, na_values=missing)
    assert list(read.columns) == list(table.columns)
    assert read["score"].tolist() == pytest.approx(table["score"].tolist(), rel=0, abs=0, nan_ok=True)
    for name in ("estimate", "estimate_standard_error"):
        assert read[name].tolist() == pytest.approx(table[name].tolist(), rel=0, abs=0, nan_ok=True)
    assert read["void"].tolist() == table["void"].tolist()
    replicates = ["" if pandas.isna(number) else str(number) for number in table["replicates"]]
    assert read["replicates"].tolist() == replicates  # 3, not 3.0


def test_dataframe_of_a_study_without_trials_has_its_columns(bowl):
    with open_study(here(), bowl, "empty") as study:
        table = trials_dataframe(study)
        assert len(table) == 0 and {"trial", "score", "seconds", "void"} <= set(table.columns)
        assert trials_csv(study).startswith(
            "trial,state,kind,score,standard_error,estimate,estimate_standard_error,seeds,epochs,seconds,"
        )


def test_dataframe_a_field_named_like_a_column_has_a_column_of_its_own(write_task, tell):
    change = 'x=trial.suggest_float("x", 0, 1)', 'x=trial.suggest_float("x", 0, 1), weights=7, last_x=8'
    fields = "    weights: int = 1\n    last_x: int = 1\n    epochs: int = 4"
    task = write_task("named", change, ("    epochs: int = 4", fields))
    with open_study(here(), task) as study:
        tell(study, 0.5)
        table, trial = trials_dataframe(study), study.trial(0)
    assert same(table["config_weights"], [trial.config["weights"]])
    assert same(table["config_last_x"], [trial.config["last_x"]])
    assert same(table["weights"], [trial.weights])
    assert len(set(table.columns)) == len(table.columns)
