"""A search of which other programs ask something."""

from search.coordinator import search
from search.executors.inline import Inline

ADA = "ada@lovelace"


class Watcher:
    """Does something at an event, and keeps the lines about requests."""

    def __init__(self, do=lambda event, trial: None):
        self.lines, self._do = [], do

    def started(self, trial):
        self._do("started", trial)

    def reported(self, trial):
        self._do("reported", trial)

    def paused(self, trial):
        self._do("paused", trial)

    def finished(self, trial):
        self._do("finished", trial)

    def requested(self, line):
        self.lines.append(line)


def searched_on(study, trials, *watchers, **options):
    search(study, Inline(study), trials=trials, watchers=watchers, **options)
    return list(study.trials())
