"""The trials and the study in the log, read back from a real MLflow store."""

import csv
import io

from logs import up_to_date
from shown import Shown
from stores import here

from search import paths
from search.coordinator import search
from search.executors.inline import Inline
from search.study.opening import open_study


def test_one_experiment_a_task_one_parent_a_study_one_child_a_trial(logged):
    shown = Shown()
    assert [run.info.run_name for run in shown.parents] == ["logged"]
    assert shown.trials.keys() == {trial.number for trial in logged.trials()}
    assert shown.experiment.artifact_location == str(paths.artifacts() / "bowl")


def test_a_trial_is_shown_as_it_was(logged):
    shown = Shown()
    for trial in logged.trials():
        run = shown.trials[trial.number]
        expected = {"completed": "FINISHED", "pruned": "KILLED", "interrupted": "KILLED"}
        assert run.info.status == expected[trial.state]
        assert run.data.params == {name: str(value) for name, value in trial.config.items()}
        assert run.data.tags["state"] == trial.state
        assert run.data.tags["why ended"] == trial.reason
        assert run.data.tags["why tried"] == trial.proposal
        assert run.data.tags["data_digest"] == logged.description.digest
        assert run.data.tags["fingerprint.code"] == trial.fingerprint["code"]
        for tag in ("commit", "dirty", "packages", "machine", "threads", "data", "draw"):
            assert run.data.tags[tag] not in ("", "None", "unknown")
        assert run.data.metrics["weights"] == 2
        assert run.data.metrics["seconds_total"] == trial.seconds
        assert run.data.metrics.get("score") == trial.score
        assert run.info.end_time == int(trial.ended.timestamp() * 1000)


def test_every_epoch_is_shown_once_with_its_step_value_and_time(logged):
    shown = Shown()
    for trial in logged.trials():
        curves = shown.curves(shown.trials[trial.number])
        for name in ("train_loss", "validation_loss", "validation_height", "learning_rate", "seconds"):
            expected = [(e["epoch"], e[name], int(e["time"] * 1000)) for e in trial.curve]
            assert sorted(curves.get(name, [])) == expected


def test_best_and_last_values_have_names_of_their_own(logged):
    shown = Shown()
    for trial in logged.trials():
        if trial.curve:
            metrics = shown.trials[trial.number].data.metrics
            heights = [entry["validation_height"] for entry in trial.curve]
            assert metrics["best_validation_height"] == min(heights)
            assert metrics["last_validation_height"] == heights[-1]


def test_the_study_is_shown_with_space_budget_winner_table_and_report(logged):
    shown, best = Shown(), logged.best()
    parent = shown.parents[0]
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["space.x"] == "0.0 to 1.0"
    assert parent.data.tags["winner"] == f"trial {best.number} (unconfirmed: one seed)"
    assert parent.data.metrics["best_score"] == best.score
    assert parent.data.metrics["trials"] == 12
    rows = list(csv.DictReader(io.StringIO(shown.artifact("trials.csv"))))
    assert [int(row["trial"]) for row in rows] == [trial.number for trial in logged.trials()]
    assert [float(row["x"]) for row in rows] == [trial.params["x"] for trial in logged.trials()]
    assert [row["state"] for row in rows] == [trial.state for trial in logged.trials()]
    page = shown.artifact("report.html")
    assert f"Trial {best.number} wins" in page and "<h2>All trials</h2>" in page


def test_what_diverged_or_failed_is_shown_so(moody, database):
    with open_study(here(), moody("late nan", "error")) as study:
        search(study, Inline(study), trials=12)
        up_to_date(study)
        trials = list(study.trials())
    shown = Shown("moody")
    assert {trial.state for trial in trials} >= {"completed", "diverged", "failed"}
    for trial in trials:
        run = shown.trials[trial.number]
        assert run.data.tags["state"] == trial.state
        status = {"completed": "FINISHED", "pruned": "KILLED"}
        assert run.info.status == status.get(trial.state, "FAILED")


def test_text_that_a_task_makes_is_shown_as_text(moody, database):
    with open_study(here(), moody()) as study:
        search(study, Inline(study), trials=1)
        up_to_date(study)
    shown = Shown("moody")
    path = shown.client.download_artifacts(shown.trials[0].info.run_id, "diary/epoch-0003.txt")
    with open(path, encoding="utf-8") as file:
        assert file.read() == "I am well."
    assert "last_diary" not in shown.trials[0].data.metrics


def test_what_is_crossed_out_is_shown_so_until_it_is_restored(logged):
    before = Shown().everything()
    logged.void("void", [1, 2], "the mask was wrong")
    logged.add_test_evaluation(logged.trial(3), (0.5, 0.1))
    up_to_date(logged)
    run = Shown().trials[2]
    assert run.info.run_name == "trial-0002 (void)"
    assert run.data.tags["crossed out"].startswith("void: the mask was wrong (")
    assert '"score": 0.5' in Shown().parents[0].data.tags["look 1 at the test data"]
    logged.void("restore", [1, 2], "it was right")
    up_to_date(logged)
    assert Shown().everything() == before
