"""The Python API: run a search, open a study, read its winner, trials and report."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search import storage, tasks, tracking
from search.errors import UsageError
from search.storage import StudyStore
from search.strategy import winner
from search.strategy.winner import Candidate
from search.study.opening import default_name, source_of
from search.study.stored import StoredStudy
from search.tracking import TrackingStore

if TYPE_CHECKING:
    from pandas import DataFrame


class OpenedStudy(StoredStudy):
    """A study to read: its trials, its winner and its report. Another process may be searching it."""

    def winner(self) -> Candidate:
        """The winning configuration: confirmed on fresh seeds, or else the one with the best estimate.

        Raises NoWinner.
        """
        return winner.choose(self)

    def trials_dataframe(self) -> "DataFrame":
        """One row per trial: see `search.reports.trials_table`."""
        from search.reports.trials_table import trials_dataframe

        return trials_dataframe(self)

    def report(self, folder: str | Path | None = None) -> Path:
        """Write the report as one page, and return its path. Raises NoWinner."""
        from search.reports import page, report

        return page.write(report.report(self), folder)


def open_study(name: str, store: StudyStore | None = None) -> OpenedStudy:
    """Open an existing study to read it.

    Args:
        name: the name of the study.
        store: where it lives; by default mlruns/studies.

    Raises UsageError, StoreError.
    """
    return OpenedStudy.read(store or storage.chosen(None), name)


def run(
    task: str,
    *,
    trials: int | None = None,
    timeout: float | None = None,
    study: str | None = None,
    store: StudyStore | None = None,
    log: TrackingStore | None = None,
    **options: Any,
) -> OpenedStudy:
    """Search a task, or resume a study of it. The search confirms its winner on fresh seeds.

    It stops by itself once more time promises too little, or at a limit. Progress is printed.
    Ctrl-C, or an interrupted notebook cell, stops the search; the same call resumes it.

    Args:
        task: the name of a task of `objectives/`.
        trials: the number in total; None for no limit.
        timeout: seconds to search, confirmation included; None for no limit. One of both limits is needed.
        study: the name of the study; by default task-source.
        store: where it lives; by default mlruns/studies.
        log: the store of its log; by default the one that MLFLOW_TRACKING_URI names, or mlflow.db.
        options: others of `search.cli.options.SearchOptions`, such as `confirm=3` or `jobs=2`.

    Returns the study. Raises TrialbookError.
    """
    from search.cli.options import SearchOptions
    from search.cli.sessions import session

    if trials is None and timeout is None:
        raise UsageError("a search needs a limit: trials= or timeout=")
    module, store = tasks.find(task), store or storage.chosen(None)
    log = log or tracking.chosen(os.environ.get("MLFLOW_TRACKING_URI"))  # as the command line does
    session.run(module, store, log, SearchOptions(trials=trials, timeout=timeout, study=study, **options))
    return open_study(study or default_name(module, source_of(module, options.get("data"))), store)
