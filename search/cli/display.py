"""The progress of a search: drawn in place in a terminal, printed in lines elsewhere.

Both displays are watchers of the search: see `search.coordinator`. Each prints a line for news only: a new
leader, a contender that ends on a fresh seed, an own configuration that ends, a request that is carried out,
a training that diverged or failed. All else is counted.
"""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.errors import NoWinner
from search.primitives.text import duration, settings
from search.strategy import winner
from search.strategy.estimates.posterior import Posterior
from search.strategy.explain import score_line
from search.strategy.winner import Candidate
from search.study.trial import Trial, TrialState
from search.study.view import StudyView

BARS = "▁▂▃▄▅▆▇█"
MAX_ROWS = 16  # of running trials: drawing hundreds of them again and again would slow the search down
PROGRESS_SECONDS = 10.0  # at least, between two lines of progress
COUNTED = (TrialState.PRUNED, TrialState.INTERRUPTED, TrialState.INFEASIBLE)  # endings that are no news


class News(NamedTuple):
    """A line that deserves to be read."""

    text: str
    leads: bool  # whether there is a new leader


class Tally:
    """Trials of a search by state, its leader, and the time that is left.

    Args:
        study: the study, when the search starts.
        trials, seconds: the limits of the search; inf for no limit.
    """

    def __init__(self, study: StudyView, trials: float, seconds: float) -> None:
        self.study, self.trials, self.seconds = study, trials, seconds
        self.running: dict[int, Trial] = {}  # by number
        self.paused_numbers: set[int] = set()
        self._start = time.monotonic()
        self.requested()

    def requested(self) -> None:
        """Count anew: other trials may count than before."""
        self.states: Counter[TrialState] = Counter()
        self.n_fresh = 0  # completed trainings on fresh seeds
        self.candidate: Candidate | None = None  # the leader
        self._posterior = Posterior(self.study.sign, self.study.description.score_name)
        for trial in self.study.trials():
            self._posterior.observe(trial)
            if trial.ended:
                self._count(trial)
        self._find_leader()

    def started(self, trial: Trial) -> None:
        self.running[trial.number] = trial
        self._posterior.observe(trial)

    def reported(self, trial: Trial) -> None:
        self.running[trial.number] = trial
        self.paused_numbers.discard(trial.number)

    def paused(self, trial: Trial) -> None:
        self.running.pop(trial.number, None)
        self.paused_numbers.add(trial.number)

    def finished(self, trial: Trial) -> News | None:
        """Count an ended trial. Returns the news, if it is any."""
        self.running.pop(trial.number, None)
        self.paused_numbers.discard(trial.number)
        self._posterior.observe(trial)
        self._count(trial)
        ends_own = trial.is_own and trial.state != TrialState.INTERRUPTED  # which is retried
        if trial.state in COUNTED and not ends_own:
            return None
        text = f"trial {trial.number}{f' ({trial.proposal})' if ends_own else ''} {ending(trial)}"
        if trial.state != TrialState.COMPLETED:
            return News(text, False)
        before = self.candidate
        self._find_leader()
        after = self.candidate
        if after and (before is None or before.trial.number != after.trial.number):
            estimate = f"{after.mean:.4g} ± {after.standard_error:.2g}"
            return News(f"{text}; trial {after.trial.number} leads with {estimate}", True)
        return News(text, False) if ends_own or trial.replicate_of is not None else None

    @property
    def done(self) -> int:
        """The number of ended trials, without interrupted ones and fresh seeds."""
        return self.states.total() - self.states[TrialState.INTERRUPTED]

    def seconds_passed(self) -> float:
        """The time since the search began."""
        return time.monotonic() - self._start

    def seconds_left(self) -> float | None:
        """The time until the search ends at the latest; None if it has no limit of time."""
        left = self.seconds - self.seconds_passed()
        return max(0.0, left) if math.isfinite(left) else None

    def counts(self) -> str:
        """How many trials ended, and how, and how many train or wait, in one line."""
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()) if count)
        now = f"{len(self.running)} training, {len(self.paused_numbers)} paused"
        return f"{states or 'none yet'}, {now}, {self.n_fresh} on fresh seeds"

    def leader(self) -> str:
        """The leader and its estimate, in one line."""
        if self.candidate is None:
            return "no trial has a score yet"
        line = score_line(self.candidate, self.study.description)
        kind = "leader" if self.candidate.confirmed else "leader, not confirmed yet"
        return f"{kind}: {line}, {settings(self.candidate.trial.params)}"

    def _count(self, trial: Trial) -> None:
        if trial.counts:
            self.states[trial.state] += 1
        elif trial.replicate_of is not None and not trial.void:
            self.n_fresh += trial.state == TrialState.COMPLETED

    def _find_leader(self) -> None:
        with contextlib.suppress(NoWinner):
            self.candidate = winner.choose(self.study, self._posterior)


class Lines:
    """A display that prints a line for news, and now and then one for the progress.

    Args:
        verbose: whether to print each start and each end, and some epochs, instead of the progress.
        every: seconds between two lines of progress, at least.
    """

    def __init__(
        self, console: Console, tally: Tally, verbose: bool = False, every: float = PROGRESS_SECONDS
    ) -> None:
        self.console, self.tally, self.verbose, self.every = console, tally, verbose, every
        self._progress_at = time.monotonic() + every

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def started(self, trial: Trial) -> None:
        self.tally.started(trial)
        if self.verbose:
            self._print(f"trial {trial.number} starts ({trial.proposal}): {settings(trial.params)}")
        self._progress()

    def reported(self, trial: Trial) -> None:
        self.tally.reported(trial)
        entry, description = trial.curve[-1], self.tally.study.description
        if self.verbose and entry["epoch"] % max(1, trial.config["epochs"] // 4) == 0:
            epochs = f"epoch {entry['epoch']} of {trial.config['epochs']}"
            score = f"validation {description.metric} {entry[description.score_name]:.4g}"
            self._print(f"trial {trial.number} {epochs}: {score}")
        self._progress()

    def paused(self, trial: Trial) -> None:
        self.tally.paused(trial)
        self._progress()

    def finished(self, trial: Trial) -> None:
        if news := self.tally.finished(trial):
            self._print(news.text)
        elif self.verbose:
            self._print(f"trial {trial.number} {ending(trial)}")
        self._progress()

    def requested(self, line: str) -> None:
        self.tally.requested()
        self._print(line)

    def _progress(self) -> None:
        """Print the progress if its time has come."""
        now = time.monotonic()
        if not self.verbose and now >= self._progress_at:
            self._progress_at = now + self.every
            self._print(f"{self.tally.counts()}; {self.tally.leader()}")

    def _print(self, line: str) -> None:
        left, tally = self.tally.seconds_left(), self.tally
        limit = f"/{tally.trials}" if math.isfinite(tally.trials) else ""
        time_left = f", at most {duration(left)} left" if left is not None else ""
        self.console.print(f"[{tally.done}{limit}{time_left}] {line}", markup=False, soft_wrap=True)


class Display(Live):
    """A display that is drawn in place. News leaves a line above it."""

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
        if news := self.tally.finished(trial):
            self.console.print(Text(news.text, style="bold green" if news.leads else ""))

    def requested(self, line: str) -> None:
        self.tally.requested()
        self.console.print(Text(line))

    def get_renderable(self) -> Group:
        tally = self.tally
        return Group(_bar(tally), Text(tally.leader()), *([_table(tally)] if tally.running else []))


def watch(console: Console, tally: Tally, verbose: bool = False) -> Display | Lines:
    """The display that suits a console; lines of all that happens, if it is `verbose`."""
    in_place = console.is_terminal and not verbose
    return Display(console, tally) if in_place else Lines(console, tally, verbose)


def _bar(tally: Tally) -> Table:
    line = Table.grid(padding=(0, 2))
    left, is_limited = tally.seconds_left(), math.isfinite(tally.trials)
    limit = f" of {tally.trials}" if is_limited else ""
    line.add_row(
        ProgressBar(tally.trials if is_limited else 1, tally.done if is_limited else 0, width=24),
        f"{tally.done}{limit} trials: {tally.counts()}",
        f"at most {duration(left)} left" if left is not None else "",
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


def ending(trial: Trial) -> str:
    """How a trial ended, in one line."""
    if trial.state == TrialState.COMPLETED:
        error = f"{trial.standard_error:.2g}"
        fresh = "" if trial.replicate_of is None else f" on a fresh seed of trial {trial.replicate_of}"
        return f"completed{fresh} in {duration(trial.seconds)}: {trial.score:.4g} ± {error}"
    return f"{trial.state} after {duration(trial.seconds)}: {trial.reason}"
