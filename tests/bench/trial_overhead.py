"""What a trial of `langid` costs besides its training: milliseconds by part, as its study grows.

A trainer that does nothing reports 20 epochs a trial, at once, to a real search with a live MLflow
log. All curves are alike, so that the pruner compares every epoch and ends no trial; the scores
differ, so that TPE has something to model. "log reported" is one write of the curve: a real trial
has one every two seconds (`search.log.EVERY`). "loop" is what the search does between the calls.

The last column is the share, at the largest size, of one whole trial of the task's defaults (8
epochs), trained here. What is written lies in a temporary folder: `TMPDIR=` chooses the disk.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from collections import Counter

import optuna
from rich.console import Console
from rich.table import Table

from objectives import langid
from search.coordinator import search
from search.log import Log
from search.study import Study
from search.trainers import Trainer

SIZES = (10, 100, 1000)  # trials that the study holds when the measuring begins
EPOCHS = 20
CALLS = {call: call for call in ("ask", "report", "tell")}
CALLS |= {call: f"log {call}" for call in ("started", "reported", "finished")}
PARTS = (*CALLS.values(), "loop", "total")


class Idle:
    """A trainer that reports and does not train: a plug, see `search.trainers`."""

    free = 1

    def start(self, number, config):
        self.free, self._trial = 0, (number, config)

    def listen(self, ear, seconds):
        self.free, (number, config) = 1, self._trial
        for epoch in range(1, EPOCHS + 1):
            ear.reported(number, entry(epoch))
        ear.finished(number, (accuracy(config), 0.004))


class Timed:
    """Stands for a study or a log, and adds the seconds that its CALLS take to `spent`."""

    def __init__(self, what, spent):
        self._what, self._spent = what, spent

    def __getattr__(self, name):
        call = getattr(self._what, name)

        def timed(*arguments):
            started = time.perf_counter()
            result = call(*arguments)
            self._spent[CALLS[name]] += time.perf_counter() - started
            return result

        return timed if name in CALLS else call


def entry(epoch):
    """An epoch as a trainer reports it, the same in all trials."""
    metrics = {"train_loss": 1.5 / epoch, "validation_loss": 1.6 / epoch}
    metrics |= {"validation_accuracy": 0.9 - 0.5 / epoch, "learning_rate": 1e-3 * (1 - epoch / EPOCHS)}
    return {"epoch": epoch, **metrics, "seconds": 0.7, "time": time.time()}


def accuracy(config):
    """A smooth score that is best at hidden size 340 and learning rate 0.002."""
    rate = math.log10(config.learning_rate / 0.002)
    return 0.9 - ((config.hidden_size - 340) / 1000) ** 2 - (rate / 5) ** 2


def measure(study, log, trials):
    """Milliseconds a trial, by part, of so many more trials."""
    spent, started = Counter(), time.perf_counter()
    search(Timed(study, spent), Idle(), trials=study.counted() + trials, watchers=[Timed(log, spent)])
    total = time.perf_counter() - started
    if log.behind:
        sys.exit(f"the log fell behind, so this measures nothing: {log.behind}")
    spent |= {"loop": total - spent.total(), "total": total}
    return {part: 1000 * spent[part] / trials for part in PARTS}


def measure_sizes(window, repetitions):
    """By size, so many measurements one after the other; and how many trials ended in which state."""
    measured = {}
    with Study.open(langid, source="builtin") as study:
        for size in SIZES:
            search(study, Idle(), trials=size)
            log = Log(study)
            log.bring_up_to_date()
            measured[size] = [measure(study, log, window) for _ in range(repetitions)]
        return measured, Counter(trial.state for trial in study.trials())


def baseline_seconds():
    """Seconds of a trial with the task's defaults, by a trainer that is warm."""
    trainer = Trainer(langid, langid.DATA.prepare("builtin"))
    trainer.train(langid.Config(epochs=1), lambda entry: True)
    started = time.perf_counter()
    trainer.train(langid.Config(), lambda entry: True)
    return time.perf_counter() - started


def table(measured, ended, baseline):
    """A row for each part: its median and spread by size, and its share of a real trial."""
    states = ", ".join(f"{count:,} {state}" for state, count in ended.items())
    shown = Table(title=f"Milliseconds a trial besides training: median (min..max); {states}")
    shown.add_column("trials before")
    for size in measured:
        shown.add_column(f"{size:,}", justify="right")
    shown.add_column(f"of {baseline:.1f} s", justify="right")
    for part in PARTS:
        times = [[window[part] for window in windows] for windows in measured.values()]
        cells = [f"{statistics.median(taken):.1f} ({min(taken):.0f}..{max(taken):.0f})" for taken in times]
        share = statistics.median(times[-1]) / 1000 / baseline
        shown.add_row(part, *cells, f"{share:.2%}", end_section=part == "loop")
    return shown


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--window", type=int, default=10, help="trials that one measurement takes")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRIALBOOK_HOME"] = home
        measured, ended = measure_sizes(options.window, options.repetitions)
        Console(highlight=False).print(table(measured, ended, baseline_seconds()))


if __name__ == "__main__":
    main()
