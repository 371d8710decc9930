"""Trialbook from Python: run a search, open a study, and look at what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from search import storage, tasks
from search.errors import UsageError
from search.storage import StudyStore
from search.strategy import winner
from search.strategy.winner import Candidate
from search.study.opening import default_name, source_of
from search.study.stored import StoredStudy

if TYPE_CHECKING:
    from pandas import DataFrame


class OpenedStudy(StoredStudy):
    """A study to look at: its trials, its winner and its report. Another process may be searching it."""

    def winner(self) -> Candidate:
        """The winning configuration: confirmed on fresh seeds, or else the best single score.

        Raises NoWinner.
        """
        return winner.choose(self)

    def trials_dataframe(self) -> "DataFrame":
        """One row per trial: see `search.reports.trials_table`."""
        from search.reports.trials_table import trials_dataframe

        return trials_dataframe(self)

    def report(self, folder: str | Path | None = None) -> Path:
        """Write what was learned as one page, and return its path. Raises NoWinner."""
        from search.reports import page, report

        return page.write(report.report(self), folder)


def open_study(name: str, store: StudyStore | None = None) -> OpenedStudy:
    """An existing study, to look at.

    Args:
        name: the study's.
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
    **options: Any,
) -> OpenedStudy:
    """Search a task, or resume a study of it, and confirm its winner on fresh seeds.

    Progress is printed. Ctrl-C, or an interrupted notebook cell, stops the search; the same call resumes it.

    Args:
        task: the name of a task of `objectives/`.
        trials: how many in total; None for no limit.
        timeout: seconds to search; None for no limit. At least one of both limits is needed.
        study: the study's name; by default task-source.
        store: where it lives; by default mlruns/studies.
        options: others of `search.cli.options.SearchOptions`, such as `confirm=3` or `jobs=2`.

    Returns the study. Raises TrialbookError.
    """
    from search.cli import session
    from search.cli.options import SearchOptions

    if trials is None and timeout is None:
        raise UsageError("a search needs a limit: trials= or timeout=")
    module, store = tasks.find(task), store or storage.chosen(None)
    session.run(module, store, SearchOptions(trials=trials, timeout=timeout, study=study, **options))
    return open_study(study or default_name(module, source_of(module, options.get("data"))), store)
