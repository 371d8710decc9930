"""The log that the tests' environment names, as the commands open it."""

import os

from search.reports.page import log_files
from search.tracking import TrackingStore, chosen
from search.tracking.projection import Projection


def log_store() -> TrackingStore:
    """The log in the test's home, or on the server that the test has set."""
    return chosen(os.environ.get("MLFLOW_TRACKING_URI"))


def projection(study, **options):
    """The log of a study that is held."""
    return Projection(study, log_store(), log_files, **options)


def log_client():
    """A client that may write to the log."""
    return log_store().connect()
