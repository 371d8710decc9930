"""How far one coordinator goes: how busy it keeps its trainers, how many reports it takes, how large a study.

    python -m tests.bench.scale --only busy size

The trainers only pretend (see `trainers.py`). The search is real, and its journal is on disk. One trial in
four resumes after each pause, so a trial has about two reports.

    busy      shares of time in which trainers compute, by a clock that skips idle time: the coordinator's
              own time counts as it passes
    reports   reports a second that a search takes from trainers that need no time, by a real clock
    size      what `ask` and `tell` cost in a large study, and what it costs to open and to hold it
    pipes     the same as reports, but from two real processes that train the bowl of our tests

A large study repeats the trials of a study of BASE trials (see `studies.py`). Each table shows the load of
the machine. Files go to a temporary folder: `TMPDIR=` chooses the disk.
"""

import argparse
import itertools
import multiprocessing
import os
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import optuna
from rich.console import Console
from rich.table import Table

from tests.bench.scale import measures
from tests.bench.scale.measures import JOBS, WATCHED
from tests.bench.scale.studies import BASE, Studies
from tests.bench.scale.trainers import RealTime, SkippingTime

SIZES = (1000, 10_000, 100_000)
TRAINERS = (1, 2, 4, 8, 16, 32, 64)
EPOCHS = (0.1, 1.0, 10.0)  # seconds
ASKS = 200  # calls in a large study
WIDTH = 120  # of the tables


def spread(values, form="{:.0f}"):
    """The median of values, and their range."""
    median, *ends = (form.format(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{median} ({ends[0]}..{ends[1]})"


def load():
    """The number of processes that wanted a processor, averaged over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def busy_table(studies, options):
    shown = Table(title=f"Pretended trainers in a study of {BASE:,} trials: median (min..max)")
    for column in (
        "trainers",
        "an epoch",
        "watched by",
        "busy, %",
        "trials an hour",
        "reports a second",
        "load",
    ):
        shown.add_column(column, justify="right")
    points = list(itertools.product(options.epochs, options.trainers, [SkippingTime], ["nobody"]))
    points.append((1.0, JOBS, RealTime, WATCHED[-1]))
    for seconds, jobs, clock, watched in points:
        found = [measures.busy(studies, jobs, seconds, clock(), watched) for _ in range(options.repetitions)]
        percent = spread([100 * each["busy"] for each in found], "{:.1f}")
        trials = spread([each["trials"] for each in found], "{:,.0f}")
        reports = spread([each["reports"] for each in found], "{:.1f}")
        shown.add_row(str(jobs), f"{seconds:g} s", watched, percent, trials, reports, load())
    return shown


def reports_table(studies, options):
    shown = Table(title=f"What one coordinator takes of {JOBS} trainers that need no time: median (min..max)")
    counted = "reports a second", "a second of a processor", "trials a second"
    for column in ("trials before", "of a", "watched by", *counted, "load"):
        shown.add_column(column, justify="right")
    for before, whole, watched in itertools.product((100, 10_000), (False, True), WATCHED):
        found = [
            measures.reports(studies, before, whole, watched, options.seconds)
            for _ in range(options.repetitions)
        ]
        kind = "confirmation" if whole else "search"
        shown.add_row(f"{before:,}", kind, watched, *map(spread, zip(*found)), load())
    return shown


def size_table(studies, options):
    shown = Table(
        title="A large study: milliseconds of a call, median and 95th percentile of all repetitions"
    )
    for column in (
        "trials",
        "open, s",
        "first ask",
        "ask",
        "report",
        "tell",
        "memory, MB",
        "journal, MB",
        "load",
    ):
        shown.add_column(column, justify="right")
    for trials in SIZES:
        repetitions = options.repetitions if trials < max(SIZES) else 1
        shown.add_row(f"{trials:,}", *size_cells(studies, trials, repetitions), load())
    return shown


def size_cells(studies, trials, repetitions):
    """The cells of a study of so many trials; each repetition is a new process."""
    calls, sizes = [], []
    for _ in range(repetitions):
        context = multiprocessing.get_context("spawn")
        with studies.copy(trials) as home, ProcessPoolExecutor(1, mp_context=context) as process:
            spent, found = process.submit(measures.size, home, ASKS).result()
        calls.append(spent)
        sizes.append(found)
    yield spread([spent["open"][0] for spent in calls], "{:.1f}")
    yield spread([1000 * spent["first ask"][0] for spent in calls])
    for call in ("ask", "report", "tell"):
        times = sorted(1000 * each for spent in calls for each in spent[call])
        yield f"{statistics.median(times):.1f}, {times[int(0.95 * len(times))]:.1f}"
    for name in ("memory", "journal"):
        yield spread([found[name] / 1e6 for found in sizes])


def pipes_table(studies, options):
    shown = Table(title="Two real processes that train the bowl: median (min..max)")
    for column in ("reports a second, no search", "of a search", "its trials a second", "load"):
        shown.add_column(column, justify="right")
    homes = (studies.folder / f"pipes-{turn}" for turn in range(options.repetitions))
    found = [measures.pipes(home, options.seconds) for home in homes]
    shown.add_row(*map(spread, zip(*found)), load())
    return shown


TABLES = {"busy": busy_table, "reports": reports_table, "size": size_table, "pipes": pipes_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--trainers", nargs="+", type=int, default=TRAINERS)
    parser.add_argument("--epochs", nargs="+", type=float, default=EPOCHS)
    parser.add_argument("--seconds", type=float, default=2.0, help="that one measurement of reports takes")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            Console(highlight=False, width=WIDTH).print(TABLES[name](Studies(Path(folder)), options))


if __name__ == "__main__":
    main()
