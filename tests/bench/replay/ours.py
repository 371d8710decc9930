"""This project: its own search, whose executor replays.

It hands over the trial that leads: see `Study.leader`. "trialbook" begins with what won other tasks, as it
does for everyone; "trialbook-cold" has no such winners.
"""

import contextlib
import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

from stores import here

from search import coordinator, paths
from search.strategy.winner import MIN_FINALISTS
from search.study.opening import open_study
from search.trainers.trainer import GO_ON
from tests.bench.replay.core import Over

LIBRARIES = ("optuna",)
MEMORY = Path("/dev/shm")  # where there is no disk to wait for: it takes none of the simulated time
WON = paths.frozen("langid").parent  # the frozen winners of all tasks


class Replay:
    """One trainer that replays recorded curves. See `search.executors`."""

    training = frozenset()

    def __init__(self, core):
        self._core = core
        self._trainings = {}  # number of the trial -> its training, which goes on where it was
        self._number = None  # of the trial that trains

    @property
    def free(self):
        return int(self._number is None)

    def start(self, number, config):
        self._number = number
        self._trainings.setdefault(number, self._core.training(config))

    def drop(self, number):
        del self._trainings[number]

    def listen(self, listener, seconds):
        number, self._number = self._number, None
        with contextlib.suppress(Over):  # which `stopping` says to the search
            for report in self._trainings[number]:
                if listener.reported(number, self._entry(report)) != GO_ON:
                    return
            listener.finished(number, (report.score, 0.0))

    def _entry(self, report):
        metric = f"validation_{self._core.task.METRIC}"
        scores = dict.fromkeys(("train_loss", "validation_loss", metric), report.score)
        return {"epoch": report.epoch, **scores, "seconds": report.seconds, "time": time.time()}


class HandsOver:
    """A watcher that writes down what the study would hand over."""

    def __init__(self, study, core):
        self._study, self._core = study, core

    def started(self, trial):
        pass

    def reported(self, trial):
        if (leader := self._leader()) is not None:
            self._core.hand_over(leader.params)

    def _leader(self):
        """The best completed trial; while there are too few, the one that leads among the farthest."""
        if len(completed := self._study.completed()) >= MIN_FINALISTS:
            return completed[0]
        begun = [trial for trial in self._study.history() if trial.curve]
        sign, name = self._study.sign, self._study.description.score_name
        return max(begun, key=lambda trial: (trial.epochs, sign * trial.curve[-1][name]), default=None)

    def paused(self, trial):
        pass

    def finished(self, trial):
        self.reported(trial)


def search(core, warm):
    """Search until the core's time is over. The study's data do not matter: nothing is trained on them."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:
        os.environ["TRIALBOOK_HOME"] = home
        if warm:
            shutil.copytree(WON, paths.frozen("langid").parent)
        with open_study(here(), core.task, source="builtin", seed=core.seed) as study:
            coordinator.search(
                study, Replay(core), stopping=lambda: core.over, watchers=[HandsOver(study, core)]
            )


METHODS = {"trialbook": partial(search, warm=True), "trialbook-cold": partial(search, warm=False)}
