"""What a person sees of a search: a live display, or plain lines where there is no terminal.

Both are watchers of the search: see `search.coordinator`.
"""

import math
import time
from collections import Counter

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.strategy import winner
from search.strategy.describe import score_line
from search.text import duration, settings

BARS = "▁▂▃▄▅▆▇█"
ROWS = 16  # trials that train, and are shown, at the most: to draw hundreds again and again holds a search up


def watch(console, tally):
    """The display that suits the console; a context manager and a watcher."""
    return Display(console, tally) if console.is_terminal else Lines(console, tally)


class Tally:
    """What is known of a search at one moment.

    Args:
        study: the study, as it is when the search begins.
        trials, seconds: the limits of the search; inf where there is none.
        jobs: how many trials train at once.
        repeats: how often each of the best few is trained again afterwards.
    """

    what = "trials"

    def __init__(self, study, trials, seconds, jobs, repeats=0):
        self.study, self.trials, self.seconds, self.jobs = study, trials, seconds, jobs
        self.repeats = repeats
        self.began = time.monotonic()
        self.running = {}
        self.waiting = set()  # numbers of those that are paused
        self.best = None
        self.states = Counter()
        self._trained, self._seconds = 0, 0.0  # trials, and how long they took together
        self._full, self._full_seconds = 0, 0.0  # the same of those that were trained to the end
        for trial in study.trials():
            if self.about(trial) and trial.ended:
                self._count(trial)

    def about(self, trial):
        """Whether a trial is one of those that are told about here."""
        return trial.counts

    def started(self, trial):
        self.running[trial.number] = trial

    def reported(self, trial):
        self.running[trial.number] = trial
        self.waiting.discard(trial.number)

    def paused(self, trial):
        self.running.pop(trial.number, None)
        self.waiting.add(trial.number)

    def finished(self, trial):
        """Returns whether this is the best so far."""
        self.running.pop(trial.number, None)
        self.waiting.discard(trial.number)
        return self._count(trial)

    @property
    def done(self):
        """Trials that count."""
        return self.states.total() - self.states["interrupted"]

    def seconds_left(self):
        """Until all is trained, as far as the trials so far can tell; None if they cannot.

        That is until the first limit is reached, and until the best few are trained again.
        """
        left = self.seconds - (time.monotonic() - self.began)
        if self._trained and math.isfinite(self.trials):
            to_do = self.trials - self.done
            left = min(left, to_do * self._seconds / self._trained / self.jobs)
        return max(0, left) + self._confirmation() if math.isfinite(left) else None

    def _confirmation(self):
        """Seconds that the best few will take to be trained again."""
        return winner.MIN_FINALISTS * self.repeats * self._full_seconds / max(1, self._full) / self.jobs

    def leader(self):
        """The best so far, in one line."""
        if self.best is None:
            return "best so far: none"
        return f"best so far: {scored(self.best, self.study.description)}, {settings(self.best.params)}"

    def _count(self, trial):
        self.states[trial.state] += 1
        if trial.state in ("completed", "pruned", "diverged"):
            self._trained += 1
            self._seconds += trial.seconds
        if trial.state == "completed":
            self._full += 1
            self._full_seconds += trial.seconds
        rank = self.study.sort_key
        if trial.state == "completed" and (self.best is None or rank(trial) < rank(self.best)):
            self.best = trial
            return True
        return False


class Repeats(Tally):
    """What is known while the best few are trained again.

    Args:
        few: their trials.
        repeats: of each of them, at the most.
    """

    what = "repeats, or fewer"

    def __init__(self, study, few, repeats, jobs):
        self.few = {trial.number: trial.seconds for trial in few}
        self._to_do = dict.fromkeys(self.few, repeats)
        super().__init__(study, len(few) * repeats, math.inf, jobs)

    def about(self, trial):
        return trial.replicate_of in self.few and not trial.void

    def seconds_left(self):
        """Until all repeats are trained, where each takes as long as its trial took."""
        return sum(count * self.few[number] for number, count in self._to_do.items()) / self.jobs

    def leader(self):
        standing = winner.choose(self.study)
        if not standing.confirmed:
            return "winner so far: none is confirmed"
        line = score_line(standing, self.study.description)
        return f"winner so far: {line}, {settings(standing.trial.params)}"

    def _count(self, trial):
        super()._count(trial)
        if trial.state != "interrupted":
            self._to_do[trial.replicate_of] = max(0, self._to_do[trial.replicate_of] - 1)
        return False  # one score makes no winner


class Lines:
    """One line an event."""

    def __init__(self, console, tally):
        self.console, self.tally = console, tally

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def started(self, trial):
        self.tally.started(trial)
        self._print(f"trial {trial.number} starts ({trial.proposal}): {settings(trial.params)}")

    def reported(self, trial):
        self.tally.reported(trial)
        entry, metric = trial.curve[-1], self.tally.study.description.metric
        if entry["epoch"] % max(1, trial.config["epochs"] // 4) == 0:
            score = entry[f"validation_{metric}"]
            epochs = f"epoch {entry['epoch']} of {trial.config['epochs']}"
            self._print(f"trial {trial.number} {epochs}: validation {metric} {score:.4g}")

    def paused(self, trial):
        self.tally.paused(trial)

    def finished(self, trial):
        best = " (best so far)" if self.tally.finished(trial) else ""
        self._print(f"trial {trial.number} {ending(trial)}{best}")

    def _print(self, line):
        left, tally = self.tally.seconds_left(), self.tally
        limit = f"/{tally.trials}" if math.isfinite(tally.trials) else ""
        time_left = f", about {duration(left)} left" if left is not None else ""
        self.console.print(f"[{tally.done}{limit}{time_left}] {line}", markup=False, soft_wrap=True)


class Display(Live):
    """A display that is redrawn in place; each trial leaves one line above it when it ends."""

    def __init__(self, console, tally):
        self.tally = tally
        super().__init__(console=console, refresh_per_second=4)

    def started(self, trial):
        self.tally.started(trial)

    def reported(self, trial):
        self.tally.reported(trial)

    def paused(self, trial):
        self.tally.paused(trial)

    def finished(self, trial):
        best = self.tally.finished(trial)
        line = f"trial {trial.number} {ending(trial)}{' (best so far)' if best else ''}"
        self.console.print(Text(line, style="bold green" if best else ""))

    def get_renderable(self):
        tally = self.tally
        return Group(_bar(tally), Text(tally.leader()), *([_running(tally)] if tally.running else []))


def _bar(tally):
    line = Table.grid(padding=(0, 2))
    states = ", ".join(f"{n} {state}" for state, n in sorted(tally.states.items()) if n) or "none yet"
    states += f", {len(tally.running)} training, {len(tally.waiting)} paused"
    left = tally.seconds_left()
    of = f" of {tally.trials}" if math.isfinite(tally.trials) else ""
    line.add_row(
        ProgressBar(tally.trials if of else 1, tally.done if of else 0, width=24),
        f"{tally.done}{of} {tally.what}: {states}",
        f"{duration(left)} left" if left is not None else "",
    )
    return line


def _running(tally):
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    metric = tally.study.description.metric
    for title in ("trial", "epoch", f"validation {metric}", "curve", "configuration"):
        table.add_column(title)
    running = list(tally.running.values())  # at once: the search goes on in another thread
    for trial in running[:ROWS]:
        values = [entry[f"validation_{metric}"] for entry in trial.curve]
        epoch = trial.curve[-1]["epoch"] if values else 0
        shown = f"{values[-1]:.4g}" if values else ""
        epochs = f"{epoch}/{trial.config['epochs']}"
        table.add_row(str(trial.number), epochs, shown, sparkline(values), settings(trial.params))
    if more := running[ROWS:]:
        table.add_row(f"and {len(more)} more")
    return table


def sparkline(values, width=20):
    """The last values as a row of bars, on a log scale where they span more than a factor of 10."""
    values = values[-width:]
    if values and min(values) > 0 and max(values) > 10 * min(values):
        values = [math.log(value) for value in values]
    low, span = min(values, default=0), max(values, default=0) - min(values, default=0)
    return "".join(BARS[round((value - low) / (span or 1) * (len(BARS) - 1))] for value in values)


def scored(trial, about):
    """A trial's score with its uncertainty."""
    error = f"{trial.standard_error:.2g}"
    return f"{about.metric} {trial.score:.4g} ± {error} (trial {trial.number}, one seed)"


def ending(trial):
    """How a trial ended, in one line."""
    if trial.state == "completed":
        error = f"{trial.standard_error:.2g}"
        return f"completed in {duration(trial.seconds)}: {trial.score:.4g} ± {error}"
    return f"{trial.state} after {duration(trial.seconds)}: {trial.reason}"
