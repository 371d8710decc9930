"""What every plug must keep to: the same trials, wherever they train."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from data import DataError, read
from search import paths
from search.coordinator import search
from search.executors.inline import Inline
from search.executors.processes import Processes
from search.study.study import Study
from search.trainers.trainer import GO_ON, PAUSE, STOP, Trainer

pytestmark = pytest.mark.integration

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
from search.study.study import Study
from search.executors.processes import Processes
with Study.open(bowl) as study:
    plug = Processes(study, 1)
    plug.listen(None, 60)  # it says that it is ready
    print(plug._trainers[0].process.pid, flush=True)
    signal.pause()
"""


def test_trainers_end_with_their_coordinator():
    path = os.pathsep.join(map(str, (paths.ROOT, paths.ROOT / "tests" / "toys")))
    command, environment = [sys.executable, "-c", COORDINATOR], {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as coordinator:
        trainer = int(coordinator.stdout.readline())
        coordinator.kill()
    wait_until(lambda: not _alive(trainer))


def _alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


HANDED_OVER = r"""
def train(config, training, validation, report):
    diary = {1: "\ud800\0\u2028\"}\n", 2: "x" * 10**6, 3: "done"}
    for epoch in range(1, config.epochs + 1):
        report(epoch, good(float("nan") if config.kind else 0.5) | {"diary": diary[epoch], "count": 2**1000})
    raise RuntimeError("\ud800\0\n" * 10**5)
"""


class Hears:
    """Lets all trials go on; keeps what it hears."""

    def __init__(self, verdict=GO_ON):
        self.entries, self.ends, self.verdict = [], [], verdict

    def reported(self, number, entry):
        self.entries.append({name: value for name, value in entry.items() if name not in ("seconds", "time")})
        return self.verdict

    def finished(self, number, score):
        self.ends.append((number, "finished", tuple(score)))

    def failed(self, number, cause):
        self.ends.append((number, "failed", cause))

    def lost(self, number, cause):
        self.ends.append((number, "lost", cause))


def heard(trainers, task, kind, listener):
    """What a listener has heard when a trial has ended."""
    while not trainers.free:
        trainers.listen(listener, 60)
    trainers.start(0, task.Config(kind=kind))
    while not listener.ends:
        trainers.listen(listener, 60)
    return listener.entries, listener.ends


@pytest.mark.parametrize("kind", [0, 1])
def test_whatever_a_task_says_arrives_as_it_is_in_one_process(write_task, kind):
    task = write_task("talkative", HANDED_OVER)
    with Study.open(task) as study:
        (inline, inline_ends), (apart, apart_ends) = (
            heard(trainers, task, kind, Hears()) for trainers in (Inline(study), Processes(study, 1))
        )
    assert inline_ends == apart_ends and len(inline) == 3
    assert inline_ends[0][2].startswith("RuntimeError: \\ud800\\x00 \\ud800\\x00")
    assert repr(inline) == repr(apart)  # NaN is not equal to itself


LOADER = """
def train(config, training, validation, report):
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*training), 64, num_workers=2, persistent_workers=True,
        collate_fn=lambda rows: torch.stack([x for x, _ in rows]),
    )
    for epoch in range(1, config.epochs + 1):
        total = sum(float(x.sum()) for x in loader)
        workers = " ".join(str(child.pid) for child in multiprocessing.active_children())
        report(epoch, good(total) | {"workers": workers})
    if config.kind:
        threading.Event().wait()
    return build(config)
"""


def test_a_task_may_load_its_data_by_processes(write_task):
    task = write_task("loader", LOADER)
    with Study.open(task) as study, Processes(study, 1) as trainers:
        entries, ends = heard(trainers, task, 0, Hears())
        split = task.DATA.load(read(study.data_path), "train")
    assert ends == [(0, "finished", (0.5, 0.01))]
    assert [entry["train_loss"] for entry in entries] == pytest.approx(
        [float(split.x_N1.sum())] * 3, abs=1e-3
    )
    assert all(len(entry["workers"].split()) == 2 for entry in entries)
    wait_until(lambda: not any(map(_alive, entries[0]["workers"].split())))


def test_processes_of_a_task_end_with_a_trainer_that_is_killed(write_task):
    task = write_task("loader", LOADER)
    with Study.open(task) as study, Processes(study, 1) as trainers:
        listener = Hears()
        while not trainers.free:
            trainers.listen(listener, 60)
        trainers.start(0, task.Config(kind=1))
        while len(listener.entries) < 3:
            trainers.listen(listener, 60)
        workers = listener.entries[0]["workers"].split()
        assert len(workers) == 2 and all(map(_alive, workers))
        os.kill(trainers._trainers[0].process.pid, signal.SIGKILL)
        while not listener.ends:
            trainers.listen(listener, 60)
        assert listener.ends == [(0, "failed", KILLED)]
        wait_until(lambda: not any(map(_alive, workers)))


ENDLESS = """
def train(config, training, validation, report):
    while config.kind:
        with contextlib.suppress(BaseException):
            report(1, good())
        with contextlib.suppress(BaseException):
            threading.Event().wait(0.01)
    report(3, good())
    return build(config)
"""


def test_a_trainer_whose_task_does_not_stop_is_replaced(write_task):
    task, listener = write_task("endless", ENDLESS), Hears(STOP)
    with Study.open(task) as study, Processes(study, 1) as trainers:
        while not trainers.free:
            trainers.listen(listener, 60)
        before = trainers._trainers[0].process
        trainers.start(0, task.Config(kind=1))
        while trainers._trainers[0].process is before:
            trainers.listen(listener, 60)
        assert listener.ends == []  # the coordinator gave it up
        assert heard(trainers, task, 0, Hears())[1] == [(0, "finished", (0.5, 0.01))]


def wait_until(condition):
    """Wait until a condition holds, for ten seconds at most."""
    for _ in range(100):
        if condition():
            return
        threading.Event().wait(0.1)
    raise AssertionError("the condition does not hold")
