"""This project: its own search, whose executor replays.

It hands over what the product names, once that is confirmed: see `search.strategy.winner`. The clock counts
the fresh seeds too, and the search may stop by itself. "trialbook" begins with what won other tasks, as it
does for everyone; "trialbook-cold" has no such winners.
"""

import contextlib
import math
import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

from search import coordinator, paths, storage, tasks
from search.errors import NoWinner
from search.strategy import winner
from search.study.opening import open_study
from search.trainers.trainer import GO_ON
from tests.bench.replay.core import Over

LIBRARIES = ("optuna",)
MEMORY = Path("/dev/shm")  # where there is no disk to wait for: it takes none of the simulated time
# Standard errors of scores through the validation data: as accuracies have them on so many examples, and
# parts of a loss.
EXAMPLES = {"langid": 5000, "digits": 10_000}
PARTS = {"regression": 0.15, "chargpt": 0.004}
WON = paths.frozen("langid").parent  # the frozen winners of all tasks


class Replay:
    """One trainer that replays recorded curves. See `search.executors`."""

    training = frozenset()
    jobs = 1

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
            listener.finished(number, (report.score, self._error(report.score)))

    def _error(self, score):
        """The sampling error of a score."""
        name = tasks.name_of(self._core.task)
        if name in PARTS:
            return PARTS[name] * score
        return math.sqrt(score * (1 - score) / EXAMPLES[name])

    def _entry(self, report):
        metric = f"validation_{self._core.task.METRIC}"
        scores = dict.fromkeys(("train_loss", "validation_loss", metric), report.score)
        return {"epoch": report.epoch, **scores, "seconds": report.seconds, "time": time.time()}


class HandsOver:
    """A watcher that hands over what the study names whenever a trial completes.

    Args:
        hand_over: takes the hyperparameters of the winner.
        unconfirmed: whether a winner counts that is not confirmed.
    """

    def __init__(self, study, hand_over, unconfirmed=False):
        self._study, self._hand_over, self._unconfirmed = study, hand_over, unconfirmed

    def started(self, trial):
        pass

    def reported(self, trial):
        pass

    def paused(self, trial):
        pass

    def finished(self, trial):
        if trial.state == "completed":
            with contextlib.suppress(NoWinner):
                won = winner.choose(self._study)
                if won.confirmed or self._unconfirmed:
                    self._hand_over(won.trial.params)


def search(core, warm):
    """Search until the core's time is over. The study's data do not matter: nothing is trained on them."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:
        os.environ["TRIALBOOK_HOME"] = home
        if warm:
            shutil.copytree(WON, paths.frozen("langid").parent)
        with open_study(storage.chosen(None), core.task, source="builtin", seed=core.seed) as study:
            coordinator.search(
                study,
                Replay(core),
                replicates=winner.REPLICATES,
                stops=True,
                stopping=lambda: core.over,
                watchers=[HandsOver(study, core.hand_over)],
            )


METHODS = {"trialbook": partial(search, warm=True), "trialbook-cold": partial(search, warm=False)}
