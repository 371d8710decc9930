"""Systematic search for hyperparameters: the packages, and how data flows through them.

    cli            reads what was typed, chooses where studies live, shows the search
    tasks          finds a task, checks its contract, draws a configuration from its space
    storage        keeps studies: as files, in PostgreSQL, or in memory
    study          one study: what was asked, every trial, who may write it
    strategy       what to try next, which trials resume, which configuration wins
    coordinator    the loop: ask -> train -> report -> pause or continue -> tell
    executors      where training runs: this process, other processes, a Ray cluster
    trainers       one training, kept apart from all others
    tracking       shows every trial in MLflow, while the search goes on
    reports        what was learned, as tables and as one page
    frozen_script  the winner as one script that stands alone
    winners        scores a confirmed winner on the test data; freezes a winner, and proves it
    maintenance    audits studies and log, repairs them after a backup, copies them
    submission     a study in one zip, and the check of such a zip
    course         what the course asks for: files to hand in, grades, pictures
    services       what is served: MLflow's pages, a dashboard, a stack for a team, batch jobs
    api            the same from Python
    primitives     plain values, text for people, hidden secrets, signals: every package may import them

A `Config` is drawn by `strategy` and built by the task's `space`; it is stored by `study`, sent as plain data
by `coordinator`, trained by a trainer, and told to `study`. `strategy` picks a winner, `winners` freezes it.
The study is the truth, and the MLflow log its projection: it can be made again from the studies alone.

From Python:

    import search

    study = search.run("langid", timeout=120)
    print(study.winner().trial.config)
    study.trials_dataframe().to_csv("trials.csv")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api import OpenedStudy, open_study, run

__version__ = "0.2.0"
__all__ = ["OpenedStudy", "open_study", "run"]


def __getattr__(name: str) -> Any:
    """Import the Python API when it is used: a command that needs less of it starts sooner."""
    if name in __all__:
        from search import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
