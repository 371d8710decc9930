"""What the log costs, and how far it lags: rows in a local store's tables against MLflow's public calls.

    rates   trials of 20 epochs, one second each, end at a steady rate: processor time of the log's thread a
            trial, and seconds from a trial's end until the log shows it
    search  a real search with 32 trainers that only pretend: the share of time in which they compute.
            "long" trains 20 epochs of 50 ms and never pauses; "real" pauses after epochs of 2 s. "s then" is
            how long the log needs once the search has ended
    completion  the seconds that a log of many trials takes to be completed, without the report. It writes the
            estimates of all runs

Each writer takes its turn in each repetition. Figures are medians (min..max), beside the machine's load.
"""

import argparse
import heapq
import math
import os
import shutil
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import optuna
from rich.console import Console
from rich.table import Table

from objectives import chargpt
from search import paths, storage
from search.coordinator import search
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.tracking.background import Background
from search.tracking.client import LocalTracking
from search.tracking.projection import Projection
from search.tracking.writers import ClientWriter
from tests.bench.scale.__main__ import load
from tests.bench.scale.measures import train_fresh_seeds
from tests.bench.scale.trainers import Counts, PretendedPool, RealTime, count_within, entry

RATES = (1, 10, 60)  # trials a second
EPOCHS, EPOCH_SECONDS = 20, 0.05
PARAMS = 12
JOBS = 32
WARM_UP = 3.0  # seconds of a search before the measuring begins
PATIENCE = 120  # seconds that the log may lag


@dataclass(frozen=True)
class PublicTracking(LocalTracking):
    """A local log that only MLflow's public calls write."""

    def writer(self, client, experiment):
        return ClientWriter(client, experiment)


WRITERS = {"tables": LocalTracking, "public": PublicTracking}


class Timed(Projection):
    """A log that records the time of its writes, and the lag of each trial's end.

    The end of a search does not wait for it; `complete` does.
    """

    def __init__(self, study, store):
        super().__init__(study, store, lambda _: {}, overdue=lambda: self._is_overdue)
        self._is_overdue = True
        self.processor, self.lags = 0.0, {}

    def write(self, trial):
        began = time.thread_time()
        super().write(trial)
        self.processor += time.thread_time() - began
        if trial.ended:
            self.lags[trial.number] = time.time() - trial.ended.timestamp()

    def write_estimates(self, posterior):
        began = time.thread_time()
        n_runs = super().write_estimates(posterior)
        self.processor += time.thread_time() - began
        return n_runs

    def reset(self):
        """Record anew, and wait for nothing again."""
        self._is_overdue = True
        self.processor, self.lags = 0.0, {}

    def complete(self):
        """Write all that is missing."""
        self._is_overdue = False
        self.bring_up_to_date()
        if self.behind:
            raise SystemExit(f"the log is incomplete: {self.behind}")


class Home:
    """Homes with a copy of an empty log, which is made once."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._fresh = self._folder / "fresh.db"
        LocalTracking(self._fresh, self._folder / "artifacts").connect()

    def new(self, writer):
        """Make another home the current one. Returns the store of its log."""
        os.environ["TRIALBOOK_HOME"] = tempfile.mkdtemp(dir=self._folder)
        shutil.copyfile(self._fresh, paths.mlflow_database())
        return WRITERS[writer](paths.mlflow_database(), paths.artifacts())


def rates(home, writer, rate, seconds):
    """Processor ms a trial, and the lag of the median and of the last trial in seconds."""
    store, count = home.new(writer), max(1, int(rate * seconds))
    with open_study(storage.chosen(None), chargpt, "rates", "builtin") as study:
        log = Timed(study, store)
        log.write(first := Strategy(study).ask())
        log.reset()
        with Background(log) as background:
            for trial in trials_at_rate(first, rate, count):
                background.started(trial)
            wait_for(lambda: len(log.lags) == count)
    lags = [log.lags[number] for number in sorted(log.lags)]
    return 1000 * log.processor / count, statistics.median(lags), lags[-1]


def trials_at_rate(like, rate, count):
    """Trials that start at a rate: each at its start, after each epoch and at its end, on time."""
    config = like.config | {f"h{number}": number / 7 for number in range(PARAMS - len(like.config))}
    began, curves = time.time(), defaultdict(list)
    steps = [
        (began + number / rate + epoch * EPOCH_SECONDS, number, epoch)
        for number in range(count)
        for epoch in range(EPOCHS + 1)
    ]
    heapq.heapify(steps)
    while steps:
        at, number, epoch = heapq.heappop(steps)
        time.sleep(max(0.0, at - time.time()))
        if epoch:
            curves[number].append(entry(chargpt.Config(), epoch, EPOCH_SECONDS))
        ends = {"ended": datetime.now(), "state": "completed", "score": 0.5, "standard_error": 0.1}
        yield replace(
            like,
            number=like.number + 1 + number,
            config=config,
            curve=curves[number][:],
            started=datetime.fromtimestamp(began + number / rate),
            **(ends if epoch == EPOCHS else {}),
        )


def searching(home, writer, shape, seconds):
    """The share of time in which trainers compute, trials a second, the log's lag, and its completion.

    The last two are in seconds.

    Args:
        writer: one of WRITERS; None for no log.
    """
    store, clock = home.new(writer or "tables"), RealTime()
    with open_study(storage.chosen(None), chargpt, "search", "builtin") as study, ExitStack() as ends:
        search(study, PretendedPool(4, 0.001, clock), trials=100)
        counts, log = Counts(clock), Timed(study, store)
        watchers = [counts]
        if writer:
            log.complete()
            log.reset()
            watchers.append(ends.enter_context(Background(log)))
        begin = clock.now() + WARM_UP
        trainers = PretendedPool(JOBS, EPOCH_SECONDS if shape == "long" else 2.0, clock)
        limits = {"watchers": watchers, "stopping": lambda: clock.now() >= begin + seconds}
        if shape == "long":
            train_fresh_seeds(study, trainers, **limits)
        else:
            search(study, trainers, **limits)
        ended = count_within(counts.ended_at, begin, begin + seconds)
        lag = statistics.median(log.lags.values()) if log.lags else math.nan
        busy = trainers.busy(begin, begin + seconds)
        ends.close()
        after = clock.now()
        if writer:
            log.complete()
        return busy, ended / seconds, lag, clock.now() - after


def completion(home, writer, size):
    """Seconds of a log's completion after a search: of all runs, after one more score, and without any."""
    store = home.new(writer)
    with open_study(storage.chosen(None), chargpt, "completion", "builtin") as study:
        log, clock = Timed(study, store), RealTime()
        with Background(log) as background:
            search(study, PretendedPool(4, 0.001, clock), trials=size, watchers=[background], replicates=0)
            wait_for(lambda: len(log.lags) >= size)
        took = [timed(log.complete)]
        search(study, PretendedPool(4, 0.001, clock), trials=size + 8, replicates=0)
        return *took, timed(log.complete), timed(log.complete)


def timed(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    if not condition():
        raise SystemExit(f"the log lags by more than {PATIENCE} s")


def spread(values, digits=1):
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def rates_table(home, options):
    shown = Table(title="A steady rate of trials: median (min..max)")
    for column in (
        "trials a second",
        "writer",
        "processor ms a trial",
        "s behind",
        "s behind at last",
        "load",
    ):
        shown.add_column(column, justify="right")
    for rate in options.rates:
        rows = defaultdict(list)
        for _ in range(options.repetitions):
            for writer in WRITERS:
                rows[writer].append(rates(home, writer, rate, options.seconds))
        for writer, turns in rows.items():
            cells = (spread(values, digits) for values, digits in zip(zip(*turns), (1, 2, 1)))
            shown.add_row(str(rate), writer, *cells, load())
    return shown


def search_table(home, options):
    shown = Table(title=f"A search with {JOBS} trainers: median (min..max)")
    for column in ("trials", "log", "trainers compute, %", "trials a second", "s behind", "s then", "load"):
        shown.add_column(column, justify="right")
    for shape in ("long", "real"):
        rows = defaultdict(list)
        for _ in range(options.repetitions):
            for writer in (None, *WRITERS):
                busy, *others = searching(home, writer, shape, options.seconds)
                rows[writer].append((100 * busy, *others))
        for writer, turns in rows.items():
            cells = (spread(values, digits) for values, digits in zip(zip(*turns), (1, 1, 2, 1)))
            shown.add_row(shape, writer or "none", *cells, load())
    return shown


def completion_table(home, options):
    shown = Table(title=f"The completion of a log of {options.size} trials, in seconds: median (min..max)")
    for column in ("writer", "after a search", "after 8 more trials", "nothing new", "load"):
        shown.add_column(column, justify="right")
    for writer in WRITERS:
        turns = [completion(home, writer, options.size) for _ in range(options.repetitions)]
        shown.add_row(writer, *(spread(values, 2) for values in zip(*turns)), load())
    return shown


TABLES = {"rates": rates_table, "search": search_table, "completion": completion_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--rates", nargs="+", type=int, default=RATES)
    parser.add_argument("--seconds", type=float, default=8.0, help="that one measurement takes")
    parser.add_argument("--size", type=int, default=1000, help="trials of a study whose log is completed")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        for name in options.only:
            Console(highlight=False, width=120).print(TABLES[name](home, options))


if __name__ == "__main__":
    main()
