"""The store that a test's studies live in, and the trials that it holds."""

import os

from search import storage
from search.storage import StudyStore


def here() -> StudyStore:
    """The files of the test's home, or the database that the test has set."""
    return storage.chosen(os.environ.get("TRIALBOOK_STORAGE"))


def found(study):
    """What two studies that hold the same trials have in common."""
    return [(t.number, t.draw, t.state, t.params, t.score, t.epochs) for t in study.trials()]
