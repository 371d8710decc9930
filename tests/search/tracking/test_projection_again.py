"""A log that is brought up to date again, whatever was deleted or lost since."""

import pytest
from logs import projection, up_to_date
from shown import Shown
from stores import here

from search import paths
from search.coordinator import search
from search.executors.inline import Inline
from search.strategy.strategy import Strategy
from search.study.opening import open_study


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


def test_a_log_is_called_complete_only_after_the_last_that_is_written_to_it(searched, database, monkeypatch):
    def killed(store):
        raise KeyboardInterrupt

    monkeypatch.setattr("search.tracking.client.LocalTracking.analyze", killed)
    with pytest.raises(KeyboardInterrupt):
        projection(searched).bring_up_to_date()
    assert searched.projected_revision() != searched.revision()
