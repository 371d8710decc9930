"""Trainers on a real Ray cluster of three machines, each of which is some processes here."""

import pytest
from executor_tests import assert_same_trainings, path_of_toys
from stores import here

from search.cli.app import main
from search.coordinator import search
from search.executors.inline import Inline
from search.study.opening import open_study
from search.study.stored import StoredStudy

try:
    import ray
except ModuleNotFoundError:
    pytestmark = pytest.mark.skip(reason="NOT TRIED ON A CLUSTER: ray is not installed (make .venv/ray)")
else:
    from search.executors.ray import Ray

    pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")


class Watcher:
    """Does something once, when a trial is heard of first."""

    def __init__(self, number, do):
        self._number, self._do = number, do

    def reported(self, trial):
        if trial.number == self._number and self._do:
            do, self._do = self._do, None
            do()

    def started(self, trial):
        pass

    paused = finished = started


@pytest.mark.thorough
def test_a_cluster_trains_as_one_process_does(bowl, cluster):
    for name, executor in (
        ("inline", Inline),
        ("ray", lambda study: Ray(study, 1, cluster.address)),
    ):
        with open_study(here(), bowl, name) as study, executor(study) as trainers:
            search(study, trainers, trials=12)
    assert_same_trainings(*(StoredStudy.read(here(), name) for name in ("inline", "ray")))


@pytest.mark.thorough
def test_machines_are_lost_and_join_in_mid_search(cluster, monkeypatch):
    from objectives import gated

    monkeypatch.setenv("PYTHONPATH", path_of_toys())  # for the machine that joins
    monkeypatch.setenv("GATE", str(cluster.gate))
    with open_study(here(), gated) as study, Ray(study, address=cluster.address) as trainers:
        assert trainers.jobs == 3

        def change():
            lost = next(trainer for trainer in trainers._trainers if 0 in trainer.trials)
            node = ray.get(lost._node)
            cluster.remove_node(next(each for each in cluster.list_all_nodes() if each.node_id == node))
            cluster.add_node(num_cpus=2)
            cluster.gate.touch()

        search(study, trainers, trials=12, watchers=[Watcher(0, change)])
        trials = list(study.trials())
        assert study.n_finished() == 12
    lost = [trial for trial in trials if trial.state == "interrupted"]
    assert 0 in {trial.number for trial in lost}
    for trial in lost:
        assert trial.reason.startswith("the trainer ended: ") and "node" in trial.reason
        assert [each.draw for each in trials if each.retry_of == trial.number] == [trial.draw]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "mood, state, reason",
    [("error", "failed", "RuntimeError: out of sorts"), ("exit", "failed", "the trainer ended: The actor")],
)
def test_what_goes_wrong_is_recorded_and_the_search_goes_on(moody, cluster, mood, state, reason):
    with open_study(here(), moody(mood, baseline=mood)) as study:
        with Ray(study, 1, cluster.address) as trainers:
            search(study, trainers, trials=4)
        first = study.trial(0)
        assert study.n_finished() == 4
    assert first.state == state and first.reason.startswith(reason)


def test_a_cluster_that_is_not_there_is_said_in_one_line(bowl, capsys):
    typed = ["search", "--task", "bowl", "--trainers", "ray", "--address", "127.0.0.1:1"]
    assert main(typed) == 3
    message = capsys.readouterr().err
    assert message.startswith("error: no Ray cluster at ADDRESS '127.0.0.1:1'") and message.count("\n") == 1


def test_what_is_said_of_a_cluster_needs_one(capsys):
    assert main(["search", "--task", "bowl", "--gpus", "0.25"]) == 2
    assert "GPUS is for TRAINERS=ray alone" in capsys.readouterr().err
