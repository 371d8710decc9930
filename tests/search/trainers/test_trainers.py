"""What every plug must keep to: the same trials, wherever they train."""

import os
import subprocess
import sys
import threading

import pytest

from data import DataError
from search import places
from search.coordinator import search
from search.study import Study
from search.trainers import GO_ON, PAUSE, Trainer
from search.trainers.inline import Inline
from search.trainers.processes import Processes

KILLED = "the trainer was ended by SIGKILL, as a system does that runs out of memory"
PLUGS = {"inline": Inline, "one process": lambda study: Processes(study, 1), "two": lambda s: Processes(s, 2)}


@pytest.fixture(params=PLUGS)
def plug(request):
    return PLUGS[request.param]


def test_trials_are_trained_to_the_end(bowl, plug):
    with Study.open(bowl) as study:
        search(study, plug(study), trials=6)
        trials = list(study.trials())
    assert len(trials) == 6
    for trial in trials:
        assert trial.state in ("completed", "pruned")
        assert [entry["epoch"] for entry in trial.curve] == list(range(1, len(trial.curve) + 1))
    assert sum(trial.state == "completed" for trial in trials) >= 3


def test_a_training_that_was_paused_ends_as_if_it_had_not(sine_trainer):
    trainer, configs = sine_trainer
    whole = [
        (entries := [], trainer.train(config, lambda e, to=entries: to.append(shown(e))))
        for config in configs
    ]
    parts = [([], []) for _ in configs]
    while not all(ended for _, ended in parts):
        for number, config in enumerate(configs):  # in turn, an epoch each

            def reported(entry, to=parts[number][0]):
                to.append(shown(entry))
                return PAUSE

            if not parts[number][1]:
                how, score = trainer.advance(number, config, reported)
                assert how in ("paused", "finished")
                parts[number][1].extend([score] if how == "finished" else [])
    assert [(entries, [score]) for entries, score in whole] == parts


def test_a_trial_whose_trainer_was_lost_is_trained_again_from_the_start(sine_trainer):
    trainer, (config, _) = sine_trainer
    heard = []
    trainer.advance(0, config, lambda entry: heard.append(entry["epoch"]) or PAUSE)
    trainer.drop(0)
    trainer.advance(0, config, lambda entry: heard.append(entry["epoch"]) or PAUSE)
    assert heard == [20, 20]


@pytest.fixture
def sine_trainer():
    """A Trainer of a real task, and two configurations of it."""
    from objectives import regression

    sizes = {"hidden_size": 100, "epochs": 60}
    configs = [regression.Config(seed=1, **sizes), regression.Config(seed=2, **sizes)]
    return Trainer(regression, regression.DATA.prepare("builtin")), configs


def shown(entry):
    """An epoch without what its clock says."""
    return {name: value for name, value in entry.items() if name not in ("seconds", "time")}


def test_one_process_finds_exactly_what_inline_finds(bowl):
    found = []
    for name in ("inline", "one process"):
        with Study.open(bowl, name.replace(" ", "-")) as study:
            search(study, PLUGS[name](study), trials=20)
            found.append([(t.params, t.state, t.score, len(t.curve)) for t in study.trials()])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "mood, reason",
    [
        ("exit", "the trainer exited with code 7"),
        ("kill", KILLED),
        ("error", "RuntimeError: out of sorts"),
    ],
)
def test_a_trainer_that_dies_is_replaced_and_its_trial_failed(moody, mood, reason):
    with Study.open(moody(mood, baseline=mood)) as study:
        with Processes(study, 1) as trainers:
            search(study, trainers, trials=6)
        first = study.trial(0)
        assert study.counted() == 6 and study.best().params == {"mood": "well"}
    assert (first.state, first.reason) == ("failed", reason)


class PausesOnce:
    """Lets each of the first two trials pause once; writes down what ended."""

    def __init__(self):
        self.paused, self.ended = set(), {}

    def reported(self, number, entry):
        pauses = number < 2 and number not in self.paused
        self.paused.add(number)
        return PAUSE if pauses else GO_ON

    def finished(self, number, score):
        self.ended[number] = "finished"

    def failed(self, number, cause):
        self.ended[number] = cause


def test_what_waits_for_a_trainer_that_dies_is_trained_by_the_one_in_its_place(moody):
    with Study.open(moody()) as study, Processes(study, 1) as trainers:
        ear = PausesOnce()
        trainers.listen(ear, 60)
        for number, mood in enumerate(("well", "well", "hang")):
            trainers.start(number, study.task.Config(mood=mood))
            while number not in ear.paused or (number < 2 and not trainers.free):
                trainers.listen(ear, 30)
        for number in (0, 1):
            trainers.start(number, study.task.Config())
        trainers.end(2)
        while len(ear.ended) < 3:
            trainers.listen(ear, 30)
    assert ear.ended == {2: KILLED, 0: "finished", 1: "finished"}


def test_a_trainer_that_hangs_is_ended_and_its_trial_failed(moody, monkeypatch):
    monkeypatch.setattr("search.coordinator.LEAST", 2.0)
    monkeypatch.setattr("search.coordinator.FIRST", 30.0)
    with Study.open(moody("hang", baseline="hang")) as study:
        with Processes(study, 1) as trainers:
            search(study, trainers, trials=6)
            processes = [trainer.process for trainer in trainers._trainers]
        first = study.trial(0)
        assert study.counted() == 6 and study.best().params == {"mood": "well"}
    assert (first.state, first.epochs) == ("failed", 1)
    assert first.reason == "the trainer hung: no epoch in 10 times as long as one takes"
    assert not any(process.is_alive() for process in processes)


def test_trainers_that_cannot_start_are_an_error_and_no_endless_loop(bowl, tmp_path):
    class Elsewhere:
        task, data_path, device = bowl, tmp_path / "nothing.npz", "cpu"
        about = {"digest": None}

    class Ear:
        def failed(self, number, cause):
            raise AssertionError

    wrong = pytest.raises(Exception, match="trainers do not start: DataError: cannot read")
    with Processes(Elsewhere, 1) as plug, wrong:
        while True:
            plug.listen(Ear(), 30)


def test_a_trainer_refuses_data_that_changed_since_the_study_began(bowl):
    with pytest.raises(DataError, match="has changed: its digest is [0-9a-f]{12}, the study's 0{12}"):
        Trainer(bowl, bowl.DATA.prepare("builtin"), digest="0" * 12)


def test_the_end_leaves_no_process(bowl):
    with Study.open(bowl) as study, Processes(study, 2) as plug:
        processes = [trainer.process for trainer in plug._trainers]
    assert not any(process.is_alive() for process in processes)


COORDINATOR = """
import signal
from objectives import bowl
from search.study import Study
from search.trainers.processes import Processes
with Study.open(bowl) as study:
    plug = Processes(study, 1)
    plug.listen(None, 60)  # it says that it is ready
    print(plug._trainers[0].process.pid, flush=True)
    signal.pause()
"""


def test_trainers_end_with_their_coordinator():
    paths = os.pathsep.join(map(str, (places.ROOT, places.ROOT / "tests" / "toys")))
    command, environment = [sys.executable, "-c", COORDINATOR], {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as coordinator:
        trainer = int(coordinator.stdout.readline())
        coordinator.kill()
    gone = threading.Event()
    for _ in range(100):
        if not _alive(trainer):
            gone.set()
            break
        gone.wait(0.1)
    assert gone.is_set()


def _alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
