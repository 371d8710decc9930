"""The measurements: how busy trainers are, how many reports a search takes, what a large study costs."""

import contextlib
import itertools
import math
import os
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from objectives import bowl, chargpt
from search import storage
from search.cli.display import Tally, watch
from search.coordinator import Clock, Coordinator, search
from search.executors.processes import Processes
from search.strategy.assessment import Limits
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.trial import TrialState
from search.tracking import chosen
from search.tracking.background import Background
from search.tracking.projection import Projection
from search.trainers.messages import GO_ON
from tests.bench.scale.studies import BASE, journal, open_scale
from tests.bench.scale.trainers import (
    Counts,
    PretendedPool,
    ProcessorTime,
    RealTime,
    count_within,
    entry,
)

LISTENING = 0.25  # seconds between two looks at the clock
WARM_UP = 3  # epochs before the measuring begins
REPORTS, MIN_EPOCHS = 400, 3  # that a measurement of busy trainers waits for
JOBS = 32  # trainers of a search whose reports are counted
WATCHED = ("nobody", "the log", "the log and a terminal")  # who watches that search


def busy(studies, jobs, seconds, clock, watched):
    """The share of time in which trainers compute, trials an hour and reports a second."""
    window = max(MIN_EPOCHS, REPORTS // jobs) * seconds
    counts, trainers = Counts(clock), PretendedPool(jobs, seconds, clock)
    with studies.open(BASE) as study, ExitStack() as ends:
        watchers = [counts, *map(ends.enter_context, watching(study, watched, ends))]
        begin = clock.now() + WARM_UP * seconds
        end = begin + window
        search(study, trainers, watchers=watchers, stopping=lambda: clock.now() >= end)
    return {
        "busy": trainers.busy(begin, end),
        "trials": 3600 * count_within(counts.started_at, begin, end) / window,
        "reports": count_within(counts.reported_at, begin, end) / window,
    }


def reports(studies, size, whole, watched, seconds):
    """Let trainers that need no time report as fast as they can.

    Returns reports a second, reports a second of a processor's time, and started trials a second.

    Args:
        whole: train one replicate after the other to its end, as when contenders are confirmed.
        watched: one of WATCHED.
    """
    clock = RealTime()
    counts, processor = Counts(clock), Counts(ProcessorTime())
    trainers = PretendedPool(JOBS, 0.0, clock)
    with studies.open(size) as study, ExitStack() as ends:
        watchers = [counts, processor, *map(ends.enter_context, watching(study, watched, ends))]
        begin = clock.now() + seconds / 4
        limits = {"watchers": watchers, "stopping": lambda: clock.now() >= begin + seconds}
        if whole:
            train_fresh_seeds(study, trainers, **limits)
        else:
            search(study, trainers, **limits)
    first, *_, last = (at for at, each in enumerate(counts.reported_at) if begin <= each < begin + seconds)
    return (
        (last - first) / (counts.reported_at[last] - counts.reported_at[first]),
        (last - first) / (processor.reported_at[last] - processor.reported_at[first]),
        count_within(counts.started_at, begin, begin + seconds) / seconds,
    )


def train_fresh_seeds(study, trainers, *, watchers, stopping):
    """Train the best trial on one fresh seed after the other, each to its end, until `stopping()`."""
    strategy = Strategy(study)
    coordinator = Coordinator(strategy, trainers, watchers, Clock(stopping=stopping))
    best, seeds = study.best(), itertools.count(1)
    while not stopping():
        while trainers.free:
            coordinator.start([study.exclusive(lambda: strategy.replicate(best, next(seeds)))])
        trainers.listen(coordinator, LISTENING)
    coordinator.interrupt("measured")


def watching(study, watched, ends):
    """The watchers of a search, as context managers."""
    if watched == "nobody":
        return
    log = Projection(study, chosen(None), lambda _: {}, overdue=lambda: True)
    log.write(study.trial(0))  # it opens the store
    yield Background(log)
    if watched != "the log":
        nowhere = ends.enter_context(open(os.devnull, "w"))  # noqa: SIM115
        console = Console(file=nowhere, force_terminal=True, width=120, height=50)
        yield watch(console, Tally(study, math.inf, math.inf))


def size(home, asks):
    """Use a study in a new process. Returns the seconds of each call, and bytes of memory and journal."""
    os.environ["TRIALBOOK_HOME"] = home
    before, began = resident(), time.perf_counter()
    with open_scale() as study:
        opened = time.perf_counter()
        spent = {"open": [opened - began], "first ask": [], "ask": [], "report": [], "tell": []}
        strategy = Strategy(study)
        number = asked(strategy, spent["first ask"]).number
        strategy.tell(number, TrialState.INTERRUPTED, "measured")
        for _ in range(asks):
            trial = asked(strategy, spent["ask"])
            with timed(spent["report"]):
                strategy.report(trial.number, entry(chargpt.Config(**trial.config), 1, 1.0))
            with timed(spent["tell"]):
                strategy.tell(trial.number, TrialState.PRUNED, "measured")
        return spent, {"memory": resident() - before, "journal": journal().stat().st_size}


def asked(strategy, spent):
    """The next trial of a search. The seconds that its choice takes are appended to `spent`."""
    with timed(spent):
        return strategy.next_trial(Limits(), math.inf, 0)


@contextlib.contextmanager
def timed(spent):
    """Append the seconds that the block takes to a list."""
    began = time.perf_counter()
    yield
    spent.append(time.perf_counter() - began)


def resident():
    """The bytes of memory that this process occupies."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pipes(home, seconds):
    """Let two real processes train the bowl.

    Returns the reports a second that a listener takes that only says "go on"; then the reports and the
    started trials a second of a search.
    """
    os.environ["TRIALBOOK_HOME"] = str(home)
    with open_study(storage.chosen(None), bowl) as study, Processes(study, 2) as trainers:
        without_search = reports_without_search(trainers, seconds)
    clock = RealTime()
    counts = Counts(clock)
    with open_study(storage.chosen(None), bowl) as study, Processes(study, 2) as trainers:
        over = lambda: counts.reported_at and clock.now() >= counts.reported_at[0] + seconds  # noqa: E731
        search(study, trainers, watchers=[counts], stopping=over)
    return without_search, len(counts.reported_at) / seconds, len(counts.started_at) / seconds


def reports_without_search(trainers, seconds):
    """Reports a second that a listener takes that only says "go on"."""
    listener, begin = Consenting(), math.inf
    while time.perf_counter() < begin + seconds:
        while trainers.free:
            trainers.start(len(trainers.training), {"epochs": 10**9})
        trainers.listen(listener, 1)
        if begin == math.inf and len(trainers.training) == trainers.jobs:
            listener.n_reports, begin = 0, time.perf_counter()
    return listener.n_reports / seconds


class Consenting:
    """A listener that answers each report with "go on"."""

    n_reports = 0

    def reported(self, number, entry):
        self.n_reports += 1
        return GO_ON
