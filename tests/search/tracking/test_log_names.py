"""Names in the log, against MLflow's own rules."""

import mlflow
import pytest
from logs import log_client, log_store, up_to_date
from mlflow.utils.validation import _validate_metric, _validate_param
from stores import here

from search.coordinator import search
from search.executors.inline import Inline
from search.maintenance import audit
from search.study.opening import open_study
from search.tracking import log_names
from search.tracking.client import find_runs

NAMES = {
    "validation_loss": "validation_loss",
    "précision: top 5": "précision: top 5",
    "MAP@5": "MAP_5",
    "F1 % (macro)": "F1 _ _macro_",
    "loss[delta=1]": "loss_delta_1_",
    "time(s)/gen": "time_s_/gen",
    "sample/../../x": "sample/_/_/x",
    "/etc/passwd": "_/etc/passwd",
    "": "_",
    "a//b/": "a/_/b/_",
    "..": "_",
    "line\nbreak": "line_break",
    "\ud800": "_",
}


@pytest.mark.parametrize("name", NAMES)
def test_log_name_is_one_that_mlflow_takes(name):
    assert log_names.log_name(name) == NAMES[name]
    _validate_metric(f"last_{NAMES[name]}", 1.0, 1, 1)
    _validate_param(NAMES[name], "x")


@pytest.mark.parametrize("letter", "xé模/.")
def test_log_name_of_a_long_name_is_cut_and_its_own(letter):
    one, other = (log_names.log_name(letter * 400 + end) for end in "ab")
    assert one != other
    for name in one, other:
        assert len(f"last_{name}".encode()) <= 250
        _validate_metric(f"last_{name}", 1.0, 1, 1)


@pytest.mark.parametrize(
    "name", ["score", "weights", "best_loss", "last_loss", "confirmed_mean", "seconds_total"]
)
def test_metric_names_of_the_log_itself_are_reported_ones(name):
    assert log_names.metric_names({"epoch": 1, name: 0.5}) == {name: f"reported_{name}"}


def test_metric_names_that_become_one_keep_both_values():
    names = log_names.metric_names({"a@b": 1, "a#b": 2, "a_b": 3, "c@": 4})
    assert names["a_b"] == "a_b" and names["c@"] == "c_"
    assert len(set(names.values())) == 4
    assert all(names[name].startswith("a_b_") for name in ("a@b", "a#b"))


def test_log_text_is_valid_and_cut():
    assert log_names.log_text("plain", 5) == "plain"
    assert log_names.log_text("a\0\ud800b", 20) == "a\\0\\ud800b"
    assert log_names.log_text("x" * 9, 8) == "xxxxxxxx"


ODD = (  # of a task: names and values that MLflow does not take as they are
    ('METRIC, DIRECTION = "height", "minimize"', 'METRIC, DIRECTION = "F1 % (macro)", "minimize"'),
    ('"validation_height": height,', '"validation_F1 % (macro)": height, **ODD,'),
    ("    epochs: int", "    prompt: str = 'b' * 7000\n    empty: str = ''\n    epochs: int"),
    ("    seed: int", "".join(f"    h{number}: int = {number}\n" for number in range(130)) + "    seed: int"),
    (
        "TOLERANCE = 1e-6",
        "TOLERANCE = 1e-6\n"
        "ODD = {'MAP@5': 0.1, 'loss[delta=1]': 1.0, 'time(s)/gen': 0.2, 'a@': 1.0, 'a#': 2.0}\n"
        "ODD |= {'score': 7.0, 'weights': 8.0, 'best_x': 9.0, 'n' * 300: 10.0}\n"
        "ODD |= {'sample/../../x': 'hi', 'confusion: %': 'text', 'x' * 300: 'long'}",
    ),
)


@pytest.fixture(params=["local", "server"])
def odd(request, edited_bowl, database, server, monkeypatch):
    """A study of a task with odd names, in a local log or on a tracking server, which other studies share."""
    if request.param == "local":
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
    name = request.function.__name__.replace("_", "-")[-40:]
    with open_study(here(), edited_bowl(*ODD, name="odd"), name) as study:
        search(study, Inline(study), trials=2)
        up_to_date(study)
        if request.param == "server":  # it lives in this process, and has set the address of its database
            mlflow.set_tracking_uri(server.address)
        yield study


def test_odd_names_and_values_are_the_same_in_any_log(odd):
    client = log_client()
    experiment = client.get_experiment_by_name("odd").experiment_id
    runs = find_runs(client, experiment, f"tags.trial = '0' AND tags.study = '{odd.name}'")
    [run] = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    metrics, trial = run.data.metrics, odd.trial(0)
    for name, value in {
        "MAP_5": 0.1,
        "loss_delta_1_": 1.0,
        "time_s_/gen": 0.2,
        "reported_score": 7.0,
        "reported_weights": 8.0,
        "reported_best_x": 9.0,
        "last_reported_best_x": 9.0,
        "score": trial.score,
        "weights": 2,
        "best_validation_F1 _ _macro_": min(entry["validation_F1 % (macro)"] for entry in trial.curve),
    }.items():
        assert metrics[name] == value
    assert sorted(value for name, value in metrics.items() if name.startswith("a__")) == [1.0, 2.0]
    assert run.data.params["prompt"] == "b" * 6000 and run.data.params["empty"] == ""
    assert len(run.data.params) == len(trial.config)
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"sample", "confusion: _"} <= files
    assert audit.audit(here(), odd.name, log_store()) == []


def test_names_that_differ_in_the_log_are_said_in_the_description(odd):
    client = log_client()
    experiment = client.get_experiment_by_name("odd").experiment_id
    [run] = find_runs(client, experiment, f"tags.kind = 'study' AND tags.study = '{odd.name}'")
    assert "'MAP@5' is called 'MAP_5'" in run.data.tags["mlflow.note.content"]
    assert run.data.tags["space.x"] == "0.0 to 1.0"
