"""How far one coordinator goes: how busy it keeps its trainers, how many reports it takes, how large a study.

The trainers only pretend: see `Pretended`. What they have to say is said as real ones say it, and the search
that hears it is the real one, with its journal on disk. Their task is `chargpt`, whose trainings have 20
epochs and pause after 1, 2 and 5 of them; one in four goes on each time, so a trial has two reports or so.

    busy      shares of time in which trainers compute, under a clock that leaves out the time in which
              nothing is to be done: the coordinator's own time counts as it passes here
    reports   how many reports a second are taken of trainers that need no time at all, on a real clock
    size      what asking and telling take in a large study, and what it takes to open it and to hold it
    pipes     the same as reports, but from two real processes that train the bowl of our tests

A large study is a study of BASE trials again and again, record by record, as if each had been searched.
Each table says how loaded the machine was. What is written lies in a temporary folder: `TMPDIR=` chooses the
disk.
"""

import argparse
import contextlib
import functools
import itertools
import math
import multiprocessing
import os
import random
import re
import select
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import optuna
from rich.console import Console
from rich.table import Table
from stores import here

from objectives import bowl, chargpt
from search import paths
from search.cli.display import Tally, watch
from search.coordinator import search, train_all
from search.executors.pool import Pool
from search.executors.processes import Processes
from search.executors.worker import VERDICT_TIMEOUT
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.trial import TrialState
from search.tracking import chosen
from search.tracking.background import Background
from search.tracking.projection import Projection
from search.trainers.trainer import GO_ON, PAUSE

NAME = "scale"
BASE = 1000  # trials of the study that larger ones are made of
SIZES = (1000, 10_000, 100_000)
TRAINERS = (1, 2, 4, 8, 16, 32, 64)
EPOCHS = (0.1, 1.0, 10.0)  # seconds
WARM = 3  # epochs before the measuring begins
REPORTS, LEAST = 400, 3  # that a measurement of busy trainers waits for; epochs that it takes at least
JOBS = 32  # trainers of a search whose reports are counted
WATCHED = ("nobody", "the log", "the log and a terminal")  # by whom that is
WIDTH = 120  # of the tables
ASKS = 200  # calls in a large study
OF_TRIALS = re.compile(r'^.*"(?:trial_id|datetime_start)":.*\n', re.MULTILINE)  # a journal's records
NUMBER = re.compile(r'"(trial_id|draw|retry_of)":(\d+)')  # of a trial in them


class Clock:
    """Real time."""

    def now(self):
        return time.perf_counter()

    def wait_until(self, when):
        select.select([], [], [], max(0.0, when - self.now()))


class Processor(Clock):
    """The time of a processor that this process takes, whatever else the machine does."""

    def now(self):
        return time.process_time()


class Leap(Clock):
    """The same, but what is waited takes no time."""

    def __init__(self):
        self._left_out = 0.0

    def now(self):
        return super().now() + self._left_out

    def wait_until(self, when):
        self._left_out += max(0.0, when - self.now())


class Pretended(Pool):
    """Trainers that compute nothing, and say what they would have to say when it would be time.

    Args:
        seconds: of an epoch; each trial has its own, from half of that to one and a half times.
        clock: see `Clock`.
    """

    def __init__(self, jobs, seconds, clock):
        self._seconds, self._clock = seconds, clock
        self.computed = []  # (from, to): when a trainer computed
        super().__init__(jobs)

    def _new_trainer(self):
        return _Pretended(self._seconds, self._clock, self.computed)

    def _poll(self, seconds):
        due = min(trainer.due for trainer in self._trainers)
        self._clock.wait_until(min(due, self._clock.now() + seconds))
        now = self._clock.now()
        return [trainer for trainer in self._trainers if trainer.due <= now]

    def busy(self, begin, end):
        """The share of this time in which trainers computed."""
        parts = (max(0.0, min(to, end) - max(since, begin)) for since, to in self.computed)
        return sum(parts) / self.jobs / (end - begin)


class _Pretended:
    """One trainer: see `search.executors.pool`, and `search.executors.worker` for what it does."""

    ready = True

    def __init__(self, seconds, clock, computed):
        self._seconds, self._clock, self._computed = seconds, clock, computed
        self.number, self.waiting = None, []
        self.due = math.inf  # when it has something to say
        self._epochs = {}  # number of a trial that it holds -> epochs that it trained

    def send(self, kind, number, *content):
        if kind == "drop":
            self._epochs.pop(number, None)
        elif kind == "train":
            self._config, self._late = chargpt.Config(**content[0]), None
            self._train(self._clock.now())
        elif kind == "verdict":
            self._hear(content[1])

    def receive(self):
        if self._says:
            said, self._says, self.due = self._says, [], math.inf
            return said
        epoch = self._epochs[self.number] = self._epochs.get(self.number, 0) + 1
        return [["report", self.number, entry(self._config, epoch, self.seconds)]]

    def kill(self):
        pass

    end = kill

    @property
    def seconds(self):
        """What an epoch of the trial that it trains takes."""
        return self._seconds * (0.5 + random.Random(self._config.seed).random())

    def _train(self, begin):
        self._says, self.due = [], begin + self.seconds
        self._computed.append((begin, self.due))

    def _hear(self, verdict):
        """Hear what is said to a report. Where it is late, training has gone on: the next report hears it."""
        now, patient = self._clock.now(), self.due + VERDICT_TIMEOUT
        last = self._epochs[self.number] == self._config.epochs
        if last or self._late or (verdict != GO_ON and now <= patient):
            self._stop(self._late or verdict, last)
            return
        self._late = verdict if verdict != GO_ON else None
        self._train(min(now, patient))

    def _stop(self, verdict, last):
        number, how = self.number, "paused" if verdict == PAUSE else "stopped"
        score = None
        if last:
            how, score = "finished", (loss(self._config, self._config.epochs), 0.01)
        if how != "paused":
            del self._epochs[number]
        self._says, self.due = [[how, number, score]], self._clock.now()


def loss(config, epoch):
    """What a training would come to: a bowl over the configurations, and its seed's noise."""
    apart = math.log10(config.learning_rate / 2e-3) ** 2 + ((config.n_embd - 340) / 400) ** 2
    return 1.6 + 0.3 * apart + 0.02 * random.Random(config.seed).gauss(0, 1) + 1 / epoch


def entry(config, epoch, seconds):
    """An epoch as a trainer reports it."""
    value = loss(config, epoch)
    metrics = {"train_loss": value, "validation_loss": value, "validation_nats": value}
    return {"epoch": epoch, **metrics, "learning_rate": 1e-3 / epoch, "seconds": seconds, "time": time.time()}


class Counts:
    """A watcher that writes down when trials began and reported."""

    def __init__(self, clock):
        self._clock = clock
        self.begun, self.reports = [], []

    def started(self, trial):
        self.begun.append(self._clock.now())

    def reported(self, trial):
        self.reports.append(self._clock.now())

    def paused(self, trial):
        pass

    finished = paused


# Studies of any size


class Folder:
    """Where studies lie that the measurements begin with, each in a home of its own. Each is made once."""

    def __init__(self, path):
        self.path = path

    @contextlib.contextmanager
    def copy(self, size):
        """A home with a copy of a study of so many trials, which is gone afterwards."""
        home = self.home(size)
        with tempfile.TemporaryDirectory(dir=self.path) as copy:  # with a new name: MLflow keeps files open
            shutil.copytree(home, copy, dirs_exist_ok=True)
            os.environ["TRIALBOOK_HOME"] = copy
            yield copy

    @contextlib.contextmanager
    def study(self, size):
        """The study of such a copy, open."""
        with self.copy(size), open_study(here(), chargpt, NAME, "builtin") as study:
            yield study

    def home(self, size):
        """The home of a study of so many trials, which nobody is to write to."""
        home = self.path / f"of-{size}"
        if not home.exists():
            records = self._records() if size > BASE else None
            os.environ["TRIALBOOK_HOME"] = str(home)
            chosen(None).connect()  # to an empty log: that takes seconds
            if records is None:
                with open_study(here(), chargpt, NAME, "builtin") as study:
                    search(study, Pretended(4, 0.0, Clock()), trials=size)
            else:
                paths.studies().mkdir(parents=True)
                with open(here().path(NAME), "w") as file:
                    file.writelines(repeated(records, size))
        return home

    def _records(self):
        os.environ["TRIALBOOK_HOME"] = str(self.home(BASE))
        return here().path(NAME).read_text()


def repeated(records, size):
    """The records of a study, and those of its trials again and again, until there are so many."""
    yield records
    of_trials = "".join(OF_TRIALS.findall(records))
    for more in range(BASE, size, BASE):
        yield NUMBER.sub(functools.partial(renumbered, more), of_trials)


def renumbered(more, match):
    return f'"{match[1]}":{int(match[2]) + more}'


# What is measured


def busy(folder, jobs, seconds, clock, watched):
    """The share of time in which trainers compute, trials an hour and reports a second."""
    window = max(LEAST, REPORTS // jobs) * seconds
    counts, trainers = Counts(clock), Pretended(jobs, seconds, clock)
    with folder.study(BASE) as study, ExitStack() as ends:
        watchers = [counts, *map(ends.enter_context, watching(study, watched, ends))]
        begin = clock.now() + WARM * seconds
        end = begin + window
        search(study, trainers, watchers=watchers, stopping=lambda: clock.now() >= end)
    return {
        "busy": trainers.busy(begin, end),
        "trials": 3600 * within(counts.begun, begin, end) / window,
        "reports": within(counts.reports, begin, end) / window,
    }


def reports(folder, size, whole, watched, seconds):
    """Reports a second that are taken of trainers that need no time, those a second of a processor's time,
    and trials that begin a second.

    Args:
        whole: train one configuration after the other to its end, as when the best are trained again.
        watched: one of WATCHED.
    """
    clock = Clock()
    counts, processor, trainers = Counts(clock), Counts(Processor()), Pretended(JOBS, 0.0, clock)
    with folder.study(size) as study, ExitStack() as ends:
        watchers = [counts, processor, *map(ends.enter_context, watching(study, watched, ends))]
        begin = clock.now() + seconds / 4
        limits = {"watchers": watchers, "stopping": lambda: clock.now() >= begin + seconds}
        if whole:
            best, repeat, strategy = study.best(), itertools.count(1), Strategy(study)
            train_all(strategy, trainers, lambda _: strategy.replicate(best, next(repeat)), **limits)
        else:
            search(study, trainers, **limits)
    first, *_, last = (at for at, each in enumerate(counts.reports) if begin <= each < begin + seconds)
    return (
        (last - first) / (counts.reports[last] - counts.reports[first]),
        (last - first) / (processor.reports[last] - processor.reports[first]),
        within(counts.begun, begin, begin + seconds) / seconds,
    )


def watching(study, watched, ends):
    """Who watches a search, as context managers."""
    if watched == "nobody":
        return
    log = Projection(study, chosen(None), lambda _: {}, overdue=lambda: True)
    log.write(study.trial(0))  # it opens the store
    yield Background(log)
    if watched != "the log":
        nowhere = ends.enter_context(open(os.devnull, "w"))  # noqa: SIM115
        console = Console(file=nowhere, force_terminal=True, width=120, height=50)
        yield watch(console, Tally(study, math.inf, math.inf, JOBS))


def size(home, asks):
    """What a study costs that nothing else did before: seconds of each call; bytes of memory and journal."""
    os.environ["TRIALBOOK_HOME"] = home
    before, began = resident(), time.perf_counter()
    with open_study(here(), chargpt, NAME, "builtin") as study:
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
        return spent, {"memory": resident() - before, "journal": here().path(NAME).stat().st_size}


def asked(strategy, spent):
    """The trial that a search begins next; the seconds of all that it asks for that are added to `spent`."""
    with timed(spent):
        strategy.resume_next()
        strategy.study.n_started()
        return strategy.ask()


@contextlib.contextmanager
def timed(spent):
    """Adds the seconds of what happens within to a list."""
    began = time.perf_counter()
    yield
    spent.append(time.perf_counter() - began)


def resident():
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pipes(home, seconds):
    """Reports a second of two processes that train the bowl, and the trials a second of a search with them.

    The reports go to a listener that only nods, and to that search.
    """
    os.environ["TRIALBOOK_HOME"] = str(home)
    with open_study(here(), bowl) as study, Processes(study, 2) as trainers:
        nodded_at = nods(trainers, seconds)
    clock = Clock()
    counts = Counts(clock)
    with open_study(here(), bowl) as study, Processes(study, 2) as trainers:
        over = lambda: counts.reports and clock.now() >= counts.reports[0] + seconds  # noqa: E731
        search(study, trainers, watchers=[counts], stopping=over)
    return nodded_at, len(counts.reports) / seconds, len(counts.begun) / seconds


def nods(trainers, seconds):
    """Reports a second of trainers that are never told anything but to go on."""
    listener, begin = Nods(), math.inf
    while time.perf_counter() < begin + seconds:
        while trainers.free:
            trainers.start(len(trainers.training), {"epochs": 10**9})
        trainers.listen(listener, 1)
        if begin == math.inf and len(trainers.training) == trainers.jobs:
            listener.heard, begin = 0, time.perf_counter()
    return listener.heard / seconds


class Nods:
    """A listener that says to each report that the training is to go on."""

    heard = 0

    def reported(self, number, entry):
        self.heard += 1
        return GO_ON


def within(times, begin, end):
    """How many of these times are in an interval."""
    return sum(begin <= each < end for each in times)


# Tables


def spread(values, form="{:.0f}"):
    """Their median, and from where to where they range."""
    median, *ends = (form.format(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{median} ({ends[0]}..{ends[1]})"


def load():
    """How many processes wanted a processor in the last minute, on the average."""
    return f"{os.getloadavg()[0]:.1f}"


def busy_table(folder, options):
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
    points = list(itertools.product(options.epochs, options.trainers, [Leap], ["nobody"]))
    points.append((1.0, JOBS, Clock, WATCHED[-1]))  # and in real time
    for seconds, jobs, clock, watched in points:
        found = [busy(folder, jobs, seconds, clock(), watched) for _ in range(options.repetitions)]
        percent = spread([100 * each["busy"] for each in found], "{:.1f}")
        trials = spread([each["trials"] for each in found], "{:,.0f}")
        heard = spread([each["reports"] for each in found], "{:.1f}")
        shown.add_row(str(jobs), f"{seconds:g} s", watched, percent, trials, heard, load())
    return shown


def reports_table(folder, options):
    shown = Table(title=f"What one coordinator takes of {JOBS} trainers that need no time: median (min..max)")
    counted = "reports a second", "a second of a processor", "trials a second"
    for column in ("trials before", "of a", "watched by", *counted, "load"):
        shown.add_column(column, justify="right")
    for before, whole, watched in itertools.product((100, 10_000), (False, True), WATCHED):
        found = [reports(folder, before, whole, watched, options.seconds) for _ in range(options.repetitions)]
        kind = "confirmation" if whole else "search"
        shown.add_row(f"{before:,}", kind, watched, *map(spread, zip(*found)), load())
    return shown


def size_table(folder, options):
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
        shown.add_row(f"{trials:,}", *size_cells(folder, trials, repetitions), load())
    return shown


def size_cells(folder, trials, repetitions):
    """What a study of so many trials costs, each time in a new process."""
    calls, sizes = [], []
    for _ in range(repetitions):
        context = multiprocessing.get_context("spawn")
        with folder.copy(trials) as home, ProcessPoolExecutor(1, mp_context=context) as process:
            spent, found = process.submit(size, home, ASKS).result()
        calls.append(spent)
        sizes.append(found)
    yield spread([spent["open"][0] for spent in calls], "{:.1f}")
    yield spread([1000 * spent["first ask"][0] for spent in calls])
    for call in ("ask", "report", "tell"):
        times = sorted(1000 * each for spent in calls for each in spent[call])
        yield f"{statistics.median(times):.1f}, {times[int(0.95 * len(times))]:.1f}"
    for what in ("memory", "journal"):
        yield spread([found[what] / 1e6 for found in sizes])


def pipes_table(folder, options):
    shown = Table(title="Two real processes that train the bowl: median (min..max)")
    for column in ("reports a second, nodded at", "of a search", "its trials a second", "load"):
        shown.add_column(column, justify="right")
    found = [pipes(folder.path / f"pipes-{turn}", options.seconds) for turn in range(options.repetitions)]
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
            Console(highlight=False, width=WIDTH).print(TABLES[name](Folder(Path(folder)), options))


if __name__ == "__main__":
    main()
