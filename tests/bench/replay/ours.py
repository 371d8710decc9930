"""This project: its own search, whose trainers are a plug that replays."""

import contextlib
import os
import tempfile
import time
from pathlib import Path

from search import coordinator
from search.errors import NoWinner
from search.study import Study
from tests.bench.replay.core import Over

LIBRARIES = ("optuna",)
MEMORY = Path("/dev/shm")  # where there is no disk to wait for: it takes none of the simulated time
GOES_ON = (True, "go on")  # what a coordinator says that neither pauses nor stops the training


class Replay:
    """One trainer that replays recorded curves. See `search.trainers`."""

    def __init__(self, core):
        self._core = core
        self._trainings = {}  # number of the trial -> its training, which goes on where it was
        self._number = None  # of the trial that trains

    @property
    def free(self):
        return int(self._number is None)

    def start(self, number, config):
        self._number = number
        self._trainings.setdefault(number, self._core.training(vars(config)))

    def drop(self, number):
        del self._trainings[number]

    def listen(self, ear, seconds):
        number, self._number = self._number, None
        with contextlib.suppress(Over):  # which `stopping` says to the search
            for report in self._trainings[number]:
                if ear.reported(number, self._entry(report)) not in GOES_ON:
                    return
            ear.finished(number, (report.score, 0.0))

    def _entry(self, report):
        metric = f"validation_{self._core.task.METRIC}"
        return {"epoch": report.epoch, metric: report.score, "seconds": report.seconds, "time": time.time()}


class HandsOver:
    """A watcher that writes down what the study would hand over."""

    def __init__(self, study, core):
        self._study, self._core = study, core

    def started(self, trial):
        pass

    def reported(self, trial):
        pass

    def paused(self, trial):
        pass

    def finished(self, trial):
        try:
            best = self._study.best()
        except NoWinner:
            return
        self._core.hand_over(self._core.table.nearest(best.params))


def search(core):
    """Search until the core's time is over. The study's data do not matter: nothing is trained on them."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:
        os.environ["TRIALBOOK_HOME"] = home
        with Study.open(core.task, source="builtin", seed=core.seed) as study:
            coordinator.search(
                study, Replay(core), stopping=lambda: core.over, watchers=[HandsOver(study, core)]
            )


METHODS = {"trialbook": search}
