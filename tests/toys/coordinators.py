"""Coordinators that share a study, each in a process, and what disturbs them."""

import os
import threading
from random import Random

from databases import end_backends
from stores import here

from search.coordinator import search
from search.executors.inline import Inline
from search.storage import postgres
from search.study.opening import open_study


class Watcher:
    """Does something whenever so many events have passed."""

    def __init__(self, every, do):
        self.events, self._every, self._do = 0, every, do

    def started(self, trial):
        self.events += 1
        if self.events % self._every == 0:
            self._do()

    reported = paused = finished = started


class Dies(Watcher):
    """Ends its process at an epoch, in the middle of a trial."""

    def __init__(self, epochs):
        super().__init__(epochs, lambda: os._exit(9))

    def nothing(self, trial):
        pass

    reported = Watcher.started
    started = paused = finished = nothing


class Coordinators:
    """Coordinators that share the study of the bowl, each a process that searches and dies as it is told."""

    def __init__(self, count, trials, dying=0, lease=5):  # seconds: a process may be held up for one or two
        self._children = []
        for number in range(count):
            if child := os.fork():
                self._children.append(child)
                continue
            postgres.LEASE = lease
            deaths = [Dies(7)] if number < dying else []
            search_together(trials, deaths)

    def disturb(self, storage):
        """End all sessions, again and again, until the first coordinator has ended."""
        random = Random(0)
        while not os.waitid(os.P_PID, self._children[0], os.WEXITED | os.WNOHANG | os.WNOWAIT):
            end_backends(storage)
            threading.Event().wait(random.expovariate(5))

    def end(self):
        return sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in self._children)


def search_together(trials, watchers):
    """What each coordinator does."""
    from objectives import bowl
    from search.study import shared

    shared.BEAT = 0.2
    try:
        with open_study(here(), bowl, join=True) as study:
            search(study, Inline(study), trials=trials, watchers=watchers)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def each_draw_was_tried_once(trials, count):
    """Whether so many draws were each trained once, and all else ended before it was trained."""
    assert not any(trial.state == "running" for trial in trials)
    trained = [trial for trial in trials if trial.curve]
    assert sorted(trial.draw for trial in trained) == list(range(count)), trained
    return all(trial.state == "interrupted" for trial in trials if not trial.curve)
