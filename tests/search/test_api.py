"""Trialbook from Python, and in a notebook."""

import nbclient
import nbformat
import pytest
from stores import here

import search
from search import paths
from search.errors import UsageError
from search.storage.memory import MemoryStore


@pytest.fixture
def found(bowl, database):
    return search.run("bowl", trials=6, trainers="inline", confirm=2)


def test_run_returns_the_study_with_its_winner_and_a_row_per_trial(found, capsys):
    winner, frame = found.winner(), found.trials_dataframe()
    assert found.name == "bowl-builtin" and here().names() == [found.name]
    assert winner.confirmed and winner.mean == pytest.approx(winner.first_score, abs=winner.standard_error)
    assert len(frame) == len(list(found.trials())) and {"trial", "state", "score", "x", "y"} <= set(frame)
    assert frame.loc[winner.trial.number, "x"] == winner.trial.params["x"]


def test_run_resumes_a_study_of_the_same_name(found):
    again = search.run("bowl", trials=8, trainers="inline", confirm=0)
    assert again.n_finished() == 8 and again.trial(0) == found.trial(0)


def test_run_without_a_limit_is_refused(bowl):
    with pytest.raises(UsageError, match="trials= or timeout="):
        search.run("bowl")


def test_open_study_reads_and_leaves_the_records_as_they_are(found):
    before = here().content(found.name)
    opened = search.open_study(found.name)
    assert opened.winner().trial == found.winner().trial
    assert opened.report().parent == paths.reports()
    assert here().content(found.name) == before


def test_open_study_of_an_unknown_name_names_the_valid_ones(found):
    with pytest.raises(UsageError, match="unknown STUDY 'bowl-built': valid are bowl-builtin. Did you mean"):
        search.open_study("bowl-built")


def test_run_in_memory_leaves_no_study_behind(bowl, database):
    store = MemoryStore()
    kept = search.run("bowl", trials=3, trainers="inline", confirm=0, store=store)
    assert kept.n_finished() == 3 and store.names() == ["bowl-builtin"] and here().names() == []


NOTEBOOK = """
import search
study = search.run("bowl", trials=4, confirm=2, jobs=1)
---
frame = study.trials_dataframe()
print(len(frame), sorted(frame.state.unique()))
---
print(study.winner().trial.params)
"""


def shown(output):
    """The text of one output of a cell: of a stream, or of what rich displays."""
    return output.get("text") or output.get("data", {}).get("text/plain", "")


def test_a_notebook_runs_a_search_and_shows_its_trials(bowl, database, monkeypatch):
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in NOTEBOOK.split("---")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    toys = str(paths.ROOT / "tests" / "toys")
    monkeypatch.setenv("PYTHONPATH", toys)
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(paths.ROOT)}}
    )
    client.execute()
    printed = ["".join(map(shown, cell.outputs)) for cell in notebook.cells]
    assert "Winner of study bowl-builtin" in printed[0]
    study = search.open_study("bowl-builtin")
    frame = study.trials_dataframe()
    assert printed[1].strip() == f"{len(frame)} {sorted(frame.state.unique())}"
    assert printed[2].strip() == str(study.winner().trial.params)
