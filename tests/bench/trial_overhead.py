"""What a trial of `langid` costs besides its training: milliseconds by part, as its study grows.

A trainer that does nothing reports 20 epochs a trial, at once, to a real search. Each curve is a little
better than all before, so that a trial pauses at every rung and then goes on to its end: the most that one
can cost. The scores differ otherwise, so that TPE has something to model. "loop" is what the search does
between the calls. "log" writes the trials to a real MLflow store, one after the other once they have ended;
a search has a thread for that. "processor" is the time of this process that all of it takes, whatever else
the machine does.

A second table has searches whose log is written meanwhile, by that thread: to a store on this machine, and
to a server that takes connections and never answers.

A study of the sizes measured is filled with copies of the trials that were told, with other
hyperparameters; the log does not know them. The last columns are the shares, at the largest size, of
whole trials that are trained here: the shortest that the ranges hold, and the task's defaults. The
last line is how long a search takes to answer that the largest study leaves nothing to do. What is
written lies in a temporary folder: `TMPDIR=` chooses the disk.
"""

import argparse
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack

import optuna
from rich.console import Console
from rich.table import Table

from objectives import langid
from search import storage
from search.coordinator import search
from search.study.opening import open_study
from search.tracking import chosen
from search.tracking.background import Background
from search.tracking.projection import Projection
from search.trainers.trainer import PAUSE, Trainer

SIZES = (10, 1000, 10_000)  # trials that the study holds when the measuring begins
EPOCHS = 20
CALLS = {"exclusive": "choose"} | {call: call for call in ("report", "tell", "pause")}
PARTS = (*CALLS.values(), "loop", "log", "total", "processor")
LOGGED = 100  # trials of each search of the second table
SHORTEST = langid.Config(hidden_size=100, layers=1, batch_size=128)  # that the ranges hold


class Idle:
    """An executor whose trainer reports and does not train: see `search.executors`."""

    free = jobs = 1
    training = frozenset()

    def __init__(self):
        self._paused = {}  # number -> the epochs that are left

    def start(self, number, config):
        self.free, self._trial = 0, (number, config)

    def drop(self, number):
        self._paused.pop(number, None)

    def listen(self, listener, seconds):
        self.free, (number, config) = 1, self._trial
        epochs = self._paused.pop(number, None) or iter(range(1, EPOCHS + 1))
        for epoch in epochs:
            if listener.reported(number, entry(number, epoch)) == PAUSE:
                self._paused[number] = epochs
                return
        listener.finished(number, (accuracy(langid.Config(**config)), 0.004))


class Timed:
    """Stands for a study, and adds the seconds that its CALLS take to `spent`, from the first report on.

    The first choice reads all trials, once in a search.
    """

    def __init__(self, what, spent):
        self._what, self._spent = what, spent
        self.began = None  # seconds on a clock, and of the processor

    def __getattr__(self, name):
        call = getattr(self._what, name)

        def timed(*arguments):
            if name == "report" and self.began is None:
                self._spent.clear()
                self.began = time.perf_counter(), time.process_time()
            started = time.perf_counter()
            result = call(*arguments)
            self._spent[CALLS[name]] += time.perf_counter() - started
            return result

        return timed if name in CALLS and callable(call) else call


def entry(number, epoch):
    """An epoch as a trainer reports it, a little better in each trial."""
    metrics = {"train_loss": 1.5 / epoch, "validation_loss": 1.6 / epoch}
    metrics |= {
        "validation_accuracy": 0.8 - 0.5 / epoch + 1e-6 * number,
        "learning_rate": 1e-3 * (1 - epoch / EPOCHS),
    }
    return {"epoch": epoch, **metrics, "seconds": 0.7, "time": time.time()}


def accuracy(config):
    """A smooth score that is best at hidden size 340 and learning rate 0.002."""
    rate = math.log10(config.learning_rate / 0.002)
    return 0.9 - ((config.hidden_size - 340) / 1000) ** 2 - (rate / 5) ** 2


def fill(study, size):
    """Add completed trials to a study until it has so many."""
    ranges, told = study.ranges(), list(study._storage.every_trial(0))
    completed = [each for each in told if each.user_attrs["outcome"]["state"] == "completed"]
    random, added = optuna.samplers.RandomSampler(seed=0), []
    for number in range(len(told), size):
        like = completed[number % len(completed)]
        drawn = {name: random.sample_independent(None, like, name, ranges[name]) for name in ranges}
        about = like.user_attrs["about"]
        about = about | {"draw": number, "config": about["config"] | drawn}
        added.append(
            optuna.trial.create_trial(
                params=drawn,
                distributions=ranges,
                value=accuracy(langid.Config(**about["config"])),
                user_attrs=like.user_attrs | {"about": about},
                intermediate_values=like.intermediate_values,
            )
        )
    study._optuna.add_trials(added)


def measure(study, log, trials):
    """Milliseconds a trial, by part, of so many more trials."""
    spent, before = Counter(), sum(1 for _ in study.trials())
    search(timed := Timed(study, spent), Idle(), trials=study.n_finished() + trials)
    (started, busy), searched = timed.began, time.perf_counter()
    for number in range(before, before + trials):
        log.write(study.trial(number))
    ended, busy = time.perf_counter(), time.process_time() - busy
    spent |= {"loop": searched - started - spent.total(), "log": ended - searched}
    spent |= {"total": ended - started, "processor": busy}
    return {part: 1000 * spent[part] / trials for part in PARTS}


def measure_logged(repetitions):
    """Milliseconds a trial of searches by where they are logged, in turn."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        places = {
            "no log": None,
            "a store on this machine": "",
            "a server that does not answer": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        return {
            name: [milliseconds_logged(f"{index}-{turn}", place) for turn in range(repetitions)]
            for index, (name, place) in enumerate(places.items())
        }


def milliseconds_logged(name, place):
    """Of a trial of a search; `place` is where it is logged: None nowhere, "" on this machine."""
    with open_study(storage.chosen(None), langid, f"logged-{name}", "builtin") as study, ExitStack() as ends:
        watchers = []
        if place is not None:
            log = Projection(study, chosen(place), lambda _: {}, overdue=lambda: True)
            watchers = [ends.enter_context(Background(log))]
        started = time.perf_counter()
        search(study, Idle(), trials=LOGGED, watchers=watchers)
        return 1000 * (time.perf_counter() - started) / LOGGED


def measure_sizes(window, repetitions):
    """By size, so many measurements one after the other; and how many trials ended in which state."""
    measured = {}
    with open_study(storage.chosen(None), langid, source="builtin") as study:
        for size in SIZES:
            search(study, Idle(), trials=min(SIZES))
            fill(study, size)
            log = Projection(study, chosen(None), lambda _: {})
            log.write(study.trial(0))  # it opens the store
            measured[size] = [measure(study, log, window) for _ in range(repetitions)]
        # As after a search that ended well: what was added by hand is not in the log.
        study.set_projected_revision(study.revision())
        return measured, Counter(trial.state for trial in study.trials())


def trained_seconds():
    """Seconds of the shortest trial and of one with the task's defaults, by a trainer that is warm."""
    trainer = Trainer(langid, langid.DATA.prepare("builtin"))
    trainer.train(langid.Config(epochs=1), lambda entry: True)
    seconds = []
    for config in (SHORTEST, langid.Config()):
        started = time.perf_counter()
        trainer.train(config, lambda entry: True)
        seconds.append(time.perf_counter() - started)
    return seconds


def answer_seconds():
    """Seconds of `make search` where nothing is to be done."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "search", "search", "--task", "langid", "--trials", str(min(SIZES))]
    said = subprocess.run([*command, "--confirm", "0"], capture_output=True, text=True)
    if said.returncode or "Nothing to do" not in said.stdout:
        sys.exit(f"there was something to do: {said.stdout}{said.stderr}")
    return time.perf_counter() - started


def table(measured, ended, trained):
    """A row for each part: its median and spread by size, and its share of a real trial."""
    states = ", ".join(f"{count:,} {state}" for state, count in ended.items())
    shown = Table(title=f"Milliseconds a trial besides training: median (min..max); {states}")
    shown.add_column("trials before")
    for size in measured:
        shown.add_column(f"{size:,}", justify="right")
    for seconds in trained:
        shown.add_column(f"of {seconds:.1f} s", justify="right")
    for part in PARTS:
        times = [[window[part] for window in windows] for windows in measured.values()]
        cells = [f"{statistics.median(taken):.1f} ({min(taken):.0f}..{max(taken):.0f})" for taken in times]
        shares = [f"{statistics.median(times[-1]) / 1000 / seconds:.2%}" for seconds in trained]
        shown.add_row(part, *cells, *shares, end_section=part == "loop")
    return shown


def logged_table(measured):
    """A row for each place: the median and spread of a trial's milliseconds, and their ratio to no log."""
    shown = Table("log", "ms a trial", "ratio", title="Searches whose log is written meanwhile")
    without = statistics.median(measured["no log"])
    for place, taken in measured.items():
        median = statistics.median(taken)
        shown.add_row(place, f"{median:.1f} ({min(taken):.0f}..{max(taken):.0f})", f"{median / without:.2f}")
    return shown


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--window", type=int, default=10, help="trials that one measurement takes")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRIALBOOK_HOME"] = home
        measured, ended = measure_sizes(options.window, options.repetitions)
        say = Console(highlight=False).print
        say(table(measured, ended, trained_seconds()))
        say(logged_table(measure_logged(options.repetitions)))
        say(f"A search with nothing to do, of {max(SIZES):,} trials: {answer_seconds():.1f} s")


if __name__ == "__main__":
    main()
