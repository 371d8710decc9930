"""The store that a test's studies live in."""

import os

from search import storage
from search.storage import StudyStore


def here() -> StudyStore:
    """The files of the test's home, or the database that the test has set."""
    return storage.chosen(os.environ.get("TRIALBOOK_STORAGE"))
