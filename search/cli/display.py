"""The progress of a search: drawn in place in a terminal, printed in lines elsewhere.

Both displays are watchers of the search: see `search.coordinator`.
"""

import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.strategy import winner
from search.strategy.describe import score_line
from search.study.study import Study
from search.study.trial import Trial, TrialState
from search.study.view import StudyDescription
from search.text import duration, settings

BARS = "▁▂▃▄▅▆▇█"
MAX_ROWS = 16  # of running trials: drawing hundreds of them again and again would slow the search down
TRAINED = (TrialState.COMPLETED, TrialState.PRUNED, TrialState.DIVERGED)


class Tally:
    """Trials of a search by state, the best of them, and the time that is left.

    Args:
        study: the study, when the search starts.
        trials, seconds: the limits of the search; inf for no limit.
        jobs: the number of trials that train at once.
        replicates: the fresh seeds on which each finalist is trained after the search.
    """

    unit = "trials"

    def __init__(self, study: Study, trials: float, seconds: float, jobs: int, replicates: int = 0) -> None:
        self.study, self.trials, self.seconds, self.jobs = study, trials, seconds, jobs
        self.replicates = replicates
        self.running: dict[int, Trial] = {}  # by number
        self.paused_numbers: set[int] = set()
        self.best: Trial | None = None
        self.states: Counter[TrialState] = Counter()
        self._start = time.monotonic()
        self._n_trained, self._seconds_trained = 0, 0.0
        self._n_completed, self._seconds_completed = 0, 0.0
        for trial in study.trials():
            if self.includes(trial) and trial.ended:
                self._count(trial)

    def includes(self, trial: Trial) -> bool:
        """Whether a trial of the study belongs to this tally."""
        return trial.counts

    def started(self, trial: Trial) -> None:
        self.running[trial.number] = trial

    def reported(self, trial: Trial) -> None:
        self.running[trial.number] = trial
        self.paused_numbers.discard(trial.number)

    def paused(self, trial: Trial) -> None:
        self.running.pop(trial.number, None)
        self.paused_numbers.add(trial.number)

    def finished(self, trial: Trial) -> bool:
        """Count an ended trial. Returns whether it is the best so far."""
        self.running.pop(trial.number, None)
        self.paused_numbers.discard(trial.number)
        return self._count(trial)

    @property
    def done(self) -> int:
        """The number of ended trials, without interrupted ones."""
        return self.states.total() - self.states[TrialState.INTERRUPTED]

    def seconds_left(self) -> float | None:
        """Estimate the time until a limit is reached and the finalists are trained again.

        Returns None if there is no limit, or no trained trial to estimate from.
        """
        left = self.seconds - (time.monotonic() - self._start)
        if self._n_trained and math.isfinite(self.trials):
            remaining = self.trials - self.done
            left = min(left, remaining * self._seconds_trained / self._n_trained / self.jobs)
        return max(0, left) + self._seconds_to_confirm() if math.isfinite(left) else None

    def _seconds_to_confirm(self) -> float:
        """Estimate the time that the replicates of the finalists take."""
        mean = self._seconds_completed / max(1, self._n_completed)
        return winner.MIN_FINALISTS * self.replicates * mean / self.jobs

    def leader(self) -> str:
        """The best trial so far, in one line."""
        if self.best is None:
            return "best so far: none"
        return f"best so far: {scored(self.best, self.study.description)}, {settings(self.best.params)}"

    def _count(self, trial: Trial) -> bool:
        self.states[trial.state] += 1
        if trial.state in TRAINED:
            self._n_trained += 1
            self._seconds_trained += trial.seconds
        if trial.state != TrialState.COMPLETED:
            return False
        self._n_completed += 1
        self._seconds_completed += trial.seconds
        sort_key = self.study.sort_key
        if self.best is None or sort_key(trial) < sort_key(self.best):
            self.best = trial
            return True
        return False


class ReplicateTally(Tally):
    """The same while the finalists are trained again.

    Args:
        study: the study, when the first replicate starts.
        finalists: the trials that made them finalists.
        replicates: of each finalist, at most.
        jobs: the number of trials that train at once.
    """

    unit = "replicates, or fewer"

    def __init__(self, study: Study, finalists: Sequence[Trial], replicates: int, jobs: int) -> None:
        self._seconds_of = {trial.number: trial.seconds for trial in finalists}
        self._remaining = dict.fromkeys(self._seconds_of, replicates)
        super().__init__(study, len(finalists) * replicates, math.inf, jobs)

    def includes(self, trial: Trial) -> bool:
        return trial.replicate_of in self._remaining and not trial.void

    def seconds_left(self) -> float:
        """Estimate the time until all replicates are trained: each takes as long as its finalist."""
        seconds = sum(count * self._seconds_of[number] for number, count in self._remaining.items())
        return seconds / self.jobs

    def leader(self) -> str:
        """The winner so far, in one line."""
        candidate = winner.choose(self.study)
        if not candidate.confirmed:
            return "winner so far: none is confirmed"
        line = score_line(candidate, self.study.description)
        return f"winner so far: {line}, {settings(candidate.trial.params)}"

    def _count(self, trial: Trial) -> bool:
        super()._count(trial)
        finalist = trial.replicate_of
        if trial.state != TrialState.INTERRUPTED and finalist is not None:
            self._remaining[finalist] = max(0, self._remaining[finalist] - 1)
        return False  # a single score decides nothing


class Lines:
    """A display that prints one line for each event."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self.console, self.tally = console, tally

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def started(self, trial: Trial) -> None:
        self.tally.started(trial)
        self._print(f"trial {trial.number} starts ({trial.proposal}): {settings(trial.params)}")

    def reported(self, trial: Trial) -> None:
        self.tally.reported(trial)
        entry, description = trial.curve[-1], self.tally.study.description
        if entry["epoch"] % max(1, trial.config["epochs"] // 4) == 0:
            epochs = f"epoch {entry['epoch']} of {trial.config['epochs']}"
            score = f"validation {description.metric} {entry[description.score_name]:.4g}"
            self._print(f"trial {trial.number} {epochs}: {score}")

    def paused(self, trial: Trial) -> None:
        self.tally.paused(trial)

    def finished(self, trial: Trial) -> None:
        best = " (best so far)" if self.tally.finished(trial) else ""
        self._print(f"trial {trial.number} {ending(trial)}{best}")

    def _print(self, line: str) -> None:
        left, tally = self.tally.seconds_left(), self.tally
        limit = f"/{tally.trials}" if math.isfinite(tally.trials) else ""
        time_left = f", about {duration(left)} left" if left is not None else ""
        self.console.print(f"[{tally.done}{limit}{time_left}] {line}", markup=False, soft_wrap=True)


class Display(Live):
    """A display that is drawn in place. Each trial leaves one line above it when it ends."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self.tally = tally
        super().__init__(console=console, refresh_per_second=4)

    def started(self, trial: Trial) -> None:
        self.tally.started(trial)

    def reported(self, trial: Trial) -> None:
        self.tally.reported(trial)

    def paused(self, trial: Trial) -> None:
        self.tally.paused(trial)

    def finished(self, trial: Trial) -> None:
        best = self.tally.finished(trial)
        line = f"trial {trial.number} {ending(trial)}{' (best so far)' if best else ''}"
        self.console.print(Text(line, style="bold green" if best else ""))

    def get_renderable(self) -> Group:
        tally = self.tally
        return Group(_bar(tally), Text(tally.leader()), *([_table(tally)] if tally.running else []))


def watch(console: Console, tally: Tally) -> Display | Lines:
    """The display that suits a console."""
    return Display(console, tally) if console.is_terminal else Lines(console, tally)


def _bar(tally: Tally) -> Table:
    line = Table.grid(padding=(0, 2))
    states = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items()) if count)
    running = f"{len(tally.running)} training, {len(tally.paused_numbers)} paused"
    left, is_limited = tally.seconds_left(), math.isfinite(tally.trials)
    limit = f" of {tally.trials}" if is_limited else ""
    line.add_row(
        ProgressBar(tally.trials if is_limited else 1, tally.done if is_limited else 0, width=24),
        f"{tally.done}{limit} {tally.unit}: {states or 'none yet'}, {running}",
        f"{duration(left)} left" if left is not None else "",
    )
    return line


def _table(tally: Tally) -> Table:
    """The running trials, a row each."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    description = tally.study.description
    for title in ("trial", "epoch", f"validation {description.metric}", "curve", "configuration"):
        table.add_column(title)
    running = list(tally.running.values())  # one copy: the search changes them in another thread
    for trial in running[:MAX_ROWS]:
        scores = [entry[description.score_name] for entry in trial.curve]
        epochs = f"{trial.epochs}/{trial.config['epochs']}"
        latest = f"{scores[-1]:.4g}" if scores else ""
        table.add_row(str(trial.number), epochs, latest, sparkline(scores), settings(trial.params))
    if more := running[MAX_ROWS:]:
        table.add_row(f"and {len(more)} more")
    return table


def sparkline(values: Sequence[float], width: int = 20) -> str:
    """Draw the last values as bars, on a log scale if they span more than a factor of 10."""
    values = values[-width:]
    if values and min(values) > 0 and max(values) > 10 * min(values):
        values = [math.log(value) for value in values]
    low, span = min(values, default=0), max(values, default=0) - min(values, default=0)
    return "".join(BARS[round((value - low) / (span or 1) * (len(BARS) - 1))] for value in values)


def scored(trial: Trial, description: StudyDescription) -> str:
    """A trial's score with its standard error."""
    error = f"{trial.standard_error:.2g}"
    return f"{description.metric} {trial.score:.4g} ± {error} (trial {trial.number}, one seed)"


def ending(trial: Trial) -> str:
    """How a trial ended, in one line."""
    if trial.state == TrialState.COMPLETED:
        error = f"{trial.standard_error:.2g}"
        return f"completed in {duration(trial.seconds)}: {trial.score:.4g} ± {error}"
    return f"{trial.state} after {duration(trial.seconds)}: {trial.reason}"
