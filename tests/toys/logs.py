"""The log that the tests' environment names, as the commands open it."""

import os
import shutil
import sqlite3
from contextlib import closing

from search import paths
from search.reports.page import log_files
from search.tracking import TrackingStore, chosen
from search.tracking.projection import Projection


def log_store() -> TrackingStore:
    """The log in the test's home, or on the server that the test has set."""
    return chosen(os.environ.get("MLFLOW_TRACKING_URI"))


def projection(study, **options):
    """The log of a study that is held."""
    return Projection(study, log_store(), log_files, **options)


def copy_home(prepared, home):
    """Copy a home with its log into the current home, which is empty. Making a log anew takes longer."""
    shutil.copytree(prepared, home)
    with closing(sqlite3.connect(paths.mlflow_database())) as database, database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(moved, (str(prepared), str(home)))


def log_client():
    """A client that may write to the log."""
    return log_store().connect()


def up_to_date(study):
    """The log of a study, with nothing missing."""
    log = projection(study)
    log.bring_up_to_date()
    assert log.behind is None
    return log
