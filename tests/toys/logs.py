"""The log that the tests' environment names, as the commands open it."""

from search.reports.page import log_files
from search.tracking import from_environment
from search.tracking.projection import Projection


def projection(study, **options):
    """The log of a study that is held."""
    return Projection(study, from_environment(), log_files, **options)


def log_client():
    """A client that may write to the log."""
    return from_environment().connect()
