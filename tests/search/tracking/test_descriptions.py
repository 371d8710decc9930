"""What MLflow's pages say in words of a task and of a study."""

import json

from logs import up_to_date
from shown import Shown

from search.coordinator import search
from search.executors.inline import Inline


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
