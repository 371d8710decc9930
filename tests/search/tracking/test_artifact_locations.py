"""Where a log's artifacts lie: in a home of any name, and in one that was moved."""

import forks
import pytest
from logs import log_client, log_store, up_to_date
from stores import here

from search import paths
from search.coordinator import search
from search.executors.inline import Inline
from search.maintenance import audit, doctor
from search.study.opening import open_study
from search.tracking import artifact_locations
from search.tracking.client import find_runs


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
