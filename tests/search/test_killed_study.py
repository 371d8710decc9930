"""A study whose search was killed: only a search ends its trials, whatever else is done to it meanwhile."""

import itertools
import os
import shutil
import signal
import time
from types import SimpleNamespace

import pytest
from logs import log_store, projection
from stores import here

from search import paths
from search.cli.app import main
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.maintenance import audit
from search.strategy.strategy import Strategy
from search.strategy.winner import choose
from search.study.opening import hold_study, open_study
from search.study.stored import StoredStudy
from search.tracking.background import Background

NAME = "bowl-builtin"


class Kill:
    """A watcher that kills its process when so many trials wait, one trains and one was promoted."""

    def __init__(self, study):
        self.study = study

    def started(self, trial):
        trials = [trial for trial in self.study.trials() if trial.state == "running"]
        if sum(trial.paused for trial in trials) >= 3 and trial.number > 16:
            os.kill(os.getpid(), signal.SIGKILL)

    reported = paused = finished = started


@pytest.fixture(autouse=True)
def even_time(monkeypatch):
    """Every epoch takes as long as any other: what is trained next depends on what it costs."""
    clock = itertools.count()
    even = SimpleNamespace(perf_counter=lambda: 0.01 * next(clock), time=time.time)
    monkeypatch.setattr("search.trainers.training.time", even)


@pytest.fixture
def killed(bowl, database):
    """A home with a study that has a confirmed winner, trials that are paused, and one that trained."""
    child = os.fork()
    if child == 0:
        with open_study(here(), bowl) as study, Background(projection(study)) as live:
            search(study, Inline(study), trials=8, watchers=[live])
            confirm(study, Inline(study), replicates=2, watchers=[live])
            search(study, Inline(study), trials=40, watchers=[live, Kill(study)])
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    return paths.home()


def unfinished():
    """The trials of the study that have not ended: number, whether it waits, its epochs."""
    trials = StoredStudy.read(here(), NAME).trials()
    return [(trial.number, trial.paused, trial.epochs) for trial in trials if not trial.ended]


def resumed(bowl):
    """What a search that goes on makes of it: each trial, without times."""
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=40)
        return [(t.draw, t.state, t.params, t.score, t.retry_of, t.reason) for t in study.trials()]


COMMANDS = {
    "status": ["status"],
    "audit": ["audit"],
    "doctor": ["doctor"],
    "doctor FIX=1": ["doctor", "--fix", "1"],
    "report": ["report", "--task", "bowl"],
    "winner TEST=1": ["winner", "--task", "bowl", "--test"],
    "handin": ["handin", "--task", "bowl", "--out", "handed"],
    "void and unvoid": ["void", "--task", "bowl", "--trials", "7", "--reason", "wrong"],
}


def test_each_command_on_a_killed_study_leaves_its_trials_and_the_search_resumes_as_without(
    killed, bowl, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    before = unfinished()
    assert sum(paused for _, paused, _ in before) >= 3 and not all(paused for _, paused, _ in before)
    shutil.copytree(killed, tmp_path / "untouched")
    with hold_study(here(), NAME) as study:  # as `make ui` does
        projection(study).bring_up_to_date()
    assert audit.audit(here(), NAME, log_store()) == []
    for name, command in COMMANDS.items():
        code = main(command)
        assert code == 0, (name, capsys.readouterr().err)
        assert unfinished() == before, name
    assert main(["unvoid", "--task", "bowl", "--trials", "7"]) == 0 and unfinished() == before
    assert main(["check-handin", "--zip", f"handed/{NAME}-handin.zip", "--run", "0"]) == 0
    after_all = resumed(bowl)
    monkeypatch.setenv("TRIALBOOK_HOME", str(tmp_path / "untouched"))
    assert after_all == resumed(bowl)
    assert choose(StoredStudy.read(here(), NAME)).confirmed


def test_a_trial_that_was_promoted_and_then_killed_is_retried_and_not_taken_for_paused(bowl):
    losses = {"train_loss": 1.0, "validation_loss": 1.0, "validation_height": 1.0}
    with open_study(here(), bowl) as study:
        for number in range(4):
            assert Strategy(study).ask().number == number
            study.report(number, {"epoch": 1, "seconds": 0.1, "time": 1e9, **losses})
            study.pause(number)
        promoted = Strategy(study).resume(2)
        assert not study.trial(promoted.number).paused
    with open_study(here(), bowl) as study:
        states = {trial.number: trial.state for trial in study.trials()}
        assert states.pop(promoted.number) == "interrupted" and set(states.values()) == {"running"}
        assert Strategy(study).ask().retry_of == promoted.number


def test_what_is_copied_of_a_killed_study_is_as_it_was(killed, bowl, tmp_path, monkeypatch):
    before, records = unfinished(), list(here().open(NAME).read_logs(0))
    with hold_study(here(), NAME) as study:
        projection(study).bring_up_to_date()
        kept = list(here().open(NAME).read_logs(0))
    ended = [record for record in kept[len(records) :] if record["op_code"] == 6]
    assert ended == [] and unfinished() == before


def test_search_that_has_nothing_to_train_ends_the_trials_that_a_killed_one_left_paused(bowl, database):
    child = os.fork()
    if child == 0:
        with open_study(here(), bowl) as study:
            search(study, Inline(study), trials=8, watchers=[KillBeforeTheEnd()])
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert unfinished() and all(is_paused for _, is_paused, _ in unfinished())
    options = ["--task", "bowl", "--trainers", "inline", "--confirm", "0", "--trials", "8"]
    assert main(["search", *options]) == 0
    assert unfinished() == [] and StoredStudy.read(here(), NAME).n_finished() == 8


class KillBeforeTheEnd:
    """A watcher that kills its process as the first paused trial is given up: its search is over."""

    def finished(self, trial):
        if trial.state == "pruned":
            os.kill(os.getpid(), signal.SIGKILL)

    def started(self, trial):
        pass

    reported = paused = started
