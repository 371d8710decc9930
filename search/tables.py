"""Studies and winners as tables for the terminal."""

from collections import Counter

from rich import box
from rich.table import Table

from search import tasks
from search.errors import NoWinner
from search.progress import duration


def of_studies(studies):
    """One row a study: what it asks, what was tried, the best so far."""
    table = Table(title="Studies", title_justify="left", box=box.SIMPLE_HEAD)
    for title in ("study", "task", "data", "trials", "best", "trained"):
        table.add_column(title, overflow="fold")
    for study in studies:
        trials = list(study.trials())
        states = Counter(trial.state for trial in trials)
        try:
            best = study.best()
            score = f"{study.about['metric']}\n{best.score:.4g} ± {best.standard_error:.2g}"
        except NoWinner:
            score = "none"
        table.add_row(
            study.name,
            study.about["task"],
            study.about["source"],
            "\n".join(f"{count} {state}" for state, count in sorted(states.items())) or "none",
            score,
            duration(sum(trial.seconds for trial in trials if trial.ended)),
        )
    return table


def of_winner(study, trial):
    """The winner of a study: its score, where it comes from, its configuration and the ranges."""
    title = f"Winner of study {study.name} ({study.about['task']})"
    table = Table(title=title, title_justify="left", show_header=False)
    metric, curve = study.about["metric"], trial.curve
    table.add_row("score", f"validation {metric} {trial.score:.5g} ± {trial.standard_error:.2g}")
    table.add_row("confirmed", "no: one training with one seed, the best of several")
    table.add_row("trial", f"{trial.number} of {study.counted()}, trained for {duration(trial.seconds)}")
    table.add_row("why tried", trial.proposal)
    table.add_row("train loss", f"{curve[-1]['train_loss']:.4g} after {curve[-1]['epoch']} epochs")
    table.add_row("weights", f"{trial.weights:,}")
    table.add_row("data", f"{study.about['source']}, digest {study.about['digest']}")
    ranges = tasks.ranges(study.task)
    for name, value in trial.config.items():
        searched = f"searched: {tasks.describe(ranges[name])}" if name in ranges else "fixed"
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        table.add_row(name, f"{shown}  ({'derived from the study seed' if name == 'seed' else searched})")
    return table
