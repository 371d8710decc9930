"""The log, read back from a real MLflow store."""

import csv
import io
import json
import math
import shutil

import forks
import mlflow
import pytest
from logs import copy_home, log_client, log_store, projection
from mlflow import MlflowClient
from stores import here

from search import paths
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.maintenance import audit, doctor
from search.strategy import winner
from search.strategy.estimates.posterior import Posterior
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.tracking import artifact_locations, mapping
from search.tracking.client import find_runs


class Shown:
    """What the store holds of one study."""

    def __init__(self, task="bowl"):
        self.client = MlflowClient(f"sqlite:///{paths.mlflow_database()}")
        self.experiment = self.client.get_experiment_by_name(task)
        runs = self.client.search_runs([self.experiment.experiment_id], max_results=1000)
        self.parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
        self.trials = {int(run.data.tags["trial"]): run for run in children}
        assert len(self.trials) == len(children)

    def curves(self, run):
        return {
            name: [
                (m.step, m.value, m.timestamp) for m in self.client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
        }

    def artifact(self, name):
        run = self.parents[0].info.run_id
        with open(self.client.download_artifacts(run, name), encoding="utf-8") as file:
            return file.read()

    def everything(self):
        """All that is shown of the trials, without the ids of the runs.

        Of an estimate it is the last value: it changes while others train.
        """
        return {
            number: (
                run.info.status,
                run.info.start_time,
                run.info.end_time,
                run.data.params,
                {tag: value for tag, value in run.data.tags.items() if tag != "mlflow.parentRunId"},
                {name: each for name, each in self.curves(run).items() if name not in mapping.ESTIMATE},
                {name: run.data.metrics.get(name) for name in mapping.ESTIMATE},
            )
            for number, run in self.trials.items()
        }


@pytest.fixture(scope="session")
def logged_home(tmp_path_factory, fresh_database):
    """A home with the study `logged`: it was made once, and is copied."""
    from objectives import bowl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("logged")))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        shutil.copyfile(fresh_database, paths.mlflow_database())
        with open_study(here(), bowl, "logged") as study:
            count = iter(range(5))
            search(study, Inline(study), trials=12, stopping=lambda: next(count, 4) == 4)
            search(study, Inline(study), trials=12)
            up_to_date(study)
        return paths.home()


@pytest.fixture
def logged(bowl, home, logged_home):
    """A study of 12 trials with one that was interrupted among them, in the log."""
    copy_home(logged_home, home)
    with open_study(here(), bowl, "logged") as study:
        yield study


def up_to_date(study):
    """The log of a study, with nothing missing."""
    log = projection(study)
    log.bring_up_to_date()
    assert log.behind is None
    return log


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


def test_the_experiment_and_the_study_say_in_words_what_they_are(logged):
    logged.void("void", [2], "the mask was wrong")
    page = up_to_date(logged).page()
    shown, best = Shown(), logged.best()
    tags = shown.experiment.tags
    assert tags["mlflow.note.content"].startswith("Where is the lowest point of a bowl?\n\nTarget: 0")
    view = json.loads(tags["mlflow.sharedViewState.logged"])
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`estimate`", True)
    assert {
        *("metrics.`estimate`", "metrics.`estimate_standard_error`", "metrics.`score`"),
        *("params.`x`", "tags.`state`", "tags.`winner`"),
    } <= set(view["selectedColumns"])
    found = shown.client.search_runs([shown.experiment.experiment_id], view["searchFilter"])
    assert {int(run.data.tags["trial"]) for run in found} == shown.trials.keys()
    told = shown.parents[0].data.tags["mlflow.note.content"]
    for part in (
        "**Where is the lowest point of a bowl?**",
        f"Winner so far: trial {best.number}, height {best.score:.4g} ± 0.001 with one seed",
        f"({page})",
        "Data: builtin, digest",
        "| `y` | 0 to 100 |",
        "Void, and not learned from: trials 2.",
    ):
        assert part in told


def test_a_deleted_log_is_made_again_as_it_was(logged, fresh_database):
    before = Shown().everything()
    paths.mlflow_database().write_bytes(fresh_database.read_bytes())
    up_to_date(logged)
    assert Shown().everything() == before


def test_bringing_up_to_date_twice_changes_nothing(logged):
    before = Shown().everything()
    up_to_date(logged)
    assert Shown().everything() == before
    assert len(Shown().parents) == 1


def test_a_run_that_was_deleted_in_the_browser_stays_deleted(logged):
    client = Shown().client
    client.delete_run(Shown().trials[2].info.run_id)
    up_to_date(logged)
    assert 2 not in Shown().trials and 1 in Shown().trials


def test_a_trial_that_was_lost_with_the_machine_has_one_run_when_it_is_begun_anew(bowl, database):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=3)
        on_disk = here().path(study.name).read_bytes()
        lost = Strategy(study).ask()
        projection(study).write(lost)
    assert Shown().trials[3].info.status == "RUNNING"
    here().path(study.name).write_bytes(on_disk)
    with open_study(here(), bowl) as study:
        again = projection(study)
        search(study, Inline(study), trials=5)
        again.bring_up_to_date()
        assert again.behind is None
    assert sorted(Shown().trials) == list(range(5))
    assert {run.info.status for run in Shown().trials.values()} <= {"FINISHED", "KILLED"}


def test_an_experiment_that_was_deleted_in_the_browser_comes_back(logged):
    before = Shown().everything()
    Shown().client.delete_experiment(Shown().experiment.experiment_id)
    up_to_date(logged)
    assert Shown().everything() == before


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


def test_notes_that_a_person_typed_are_kept(logged):
    shown = Shown()
    client, parent = shown.client, shown.parents[0].info.run_id
    typed = {parent: "mine", shown.trials[2].info.run_id: "this one is odd"}
    for run, text in typed.items():
        client.set_tag(run, "mlflow.note.content", text)
    client.set_experiment_tag(shown.experiment.experiment_id, "mlflow.note.content", "ours")
    search(logged, Inline(logged), trials=14)
    up_to_date(logged)
    for run, text in typed.items():
        assert client.get_run(run).data.tags["mlflow.note.content"] == text
    assert Shown().experiment.tags["mlflow.note.content"] == "ours"


def test_notes_that_nobody_changed_or_that_were_emptied_are_renewed(logged):
    logged.void("void", [1], "wrong")
    up_to_date(logged)
    assert "trials 1." in Shown().parents[0].data.tags["mlflow.note.content"]
    Shown().client.set_tag(Shown().parents[0].info.run_id, "mlflow.note.content", "")
    logged.void("void", [2], "wrong")
    up_to_date(logged)
    assert "trials 1-2." in Shown().parents[0].data.tags["mlflow.note.content"]


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b", "a b", "a@b:c", "é"])
def test_a_home_with_any_letters_in_its_path_has_a_log(name, bowl, fresh_database, tmp_path, monkeypatch):
    home = tmp_path / "homes" / name
    home.mkdir(parents=True)
    monkeypatch.setenv("TRIALBOOK_HOME", str(home))
    paths.mlflow_database().write_bytes(fresh_database.read_bytes())
    with open_study(here(), bowl, "s") as study:
        search(study, Inline(study), trials=2)
        up_to_date(study)
    assert audit.audit(here(), "s", log_store()) == []
    assert list(home.glob("mlruns/artifacts/bowl/*/artifacts/report.html"))
    assert [each.name for each in (tmp_path / "homes").iterdir()] == [name]
    assert sorted(each.name for each in home.iterdir()) == ["mlflow.db", "mlruns"]


@pytest.mark.parametrize("new", ["moved", "moved #%20?"])
def test_a_home_that_was_moved_has_its_artifacts_where_it_is_now(new, bowl, database, tmp_path, monkeypatch):
    options = "--task bowl --study s --trainers inline --trials 2 --confirm 0"
    assert forks.run("search", *options.split())[0] == 0
    old = paths.home()
    old.rename(tmp_path / new)
    monkeypatch.setenv("TRIALBOOK_HOME", str(tmp_path / new))
    [violation] = audit.audit(here(), "s", log_store())
    assert violation.invariant == 9 and f"3 runs in {old}/mlruns/artifacts/bowl" in violation.message
    found, errors = doctor.doctor(here(), ["s"], log_store(), fix=True, say=lambda _: None)
    assert (found, errors, audit.audit(here(), "s", log_store())) == (1, {}, [])
    with open_study(here(), bowl, "s") as study:
        search(study, Inline(study), trials=3)
        up_to_date(study)
    client = log_client()
    runs = find_runs(client, client.get_experiment_by_name("bowl").experiment_id, "")
    assert len(runs) == 4
    for run in runs:
        assert artifact_locations.path_of(run.info.artifact_uri).is_relative_to(tmp_path / new)
    [parent] = [run for run in runs if run.data.tags["kind"] == "study"]
    assert client.download_artifacts(parent.info.run_id, "report.html")
    assert not old.exists()


def test_a_log_is_called_complete_only_after_the_last_that_is_written_to_it(searched, database, monkeypatch):
    def killed(store):
        raise KeyboardInterrupt

    monkeypatch.setattr("search.tracking.client.LocalTracking.analyze", killed)
    with pytest.raises(KeyboardInterrupt):
        projection(searched).bring_up_to_date()
    assert searched.projected_revision() != searched.revision()
