"""Studies and winners as tables for the terminal."""

from collections import Counter

from rich import box
from rich.table import Table

from search import tasks
from search.cli.display import LONGEST, duration, luck
from search.errors import NoWinner, readable
from search.strategy import winner


def of_studies(studies):
    """One row a study: what it asks, what was tried, the best so far."""
    table = Table(title="Studies", title_justify="left", box=box.SIMPLE_HEAD)
    for title in ("study", "task", "data", "trials", "best", "trained"):
        table.add_column(title, no_wrap=True)
    for study in studies:
        trials, states = list(study.trials()), kinds(study)
        try:
            score = _best(study, winner.choose(study))
        except NoWinner:
            score = "none"
        table.add_row(
            study.name,
            study.description.task,
            study.description.source,
            "\n".join(f"{count} {state}" for state, count in states.items()) or "none",
            score,
            duration(sum(trial.seconds for trial in trials if trial.ended)),
        )
    return table


def kinds(study):
    """How many trials there are of each kind: a Counter, sorted by name."""
    return Counter(sorted(trial.kind for trial in study.trials()))


def _best(study, standing):
    if standing.confirmed:
        return f"{study.description.metric}\n{standing.mean:.4g} ± {standing.standard_error:.2g}"
    first = standing.trial
    return f"{study.description.metric}\n{first.score:.4g} ± {first.standard_error:.2g}\nunconfirmed"


def of_winner(study, standing):
    """The winner of a study: its score, where it comes from, its configuration and the ranges."""
    trial, metric = standing.trial, study.description.metric
    title = f"Winner of study {study.name} ({study.description.task})"
    table = Table(title=title, title_justify="left", show_header=False, min_width=len(title))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in _scores(study, standing):
        table.add_row(*row)
    table.add_row(
        "trial", f"{trial.number}, trained for {duration(trial.seconds)}; {study.n_finished()} trials count"
    )
    table.add_row("why tried", trial.proposal)
    curve = trial.curve
    table.add_row("train loss", f"{curve[-1]['train_loss']:.4g} after {curve[-1]['epoch']} epochs")
    table.add_row("weights", "unknown" if trial.weights is None else f"{trial.weights:,}")
    table.add_row("data", f"{study.description.source}, digest {study.description.digest}")
    for number, look in enumerate(study.test_evaluations(), 1):
        if look["trial"] == trial.number:
            score = f"{metric} {look['score']:.5g} ± {look['standard_error']:.2g}"
            table.add_row(
                "test data", f"{score}, look {number} of {len(study.test_evaluations())} in this study"
            )
    ranges = study.ranges()
    for name, value in trial.config.items():
        searched = f"searched: {range_of(ranges[name])}" if name in ranges else "fixed"
        shown = f"{value:.6g}" if isinstance(value, float) else readable(value, LONGEST)
        table.add_row(name, f"{shown}  ({'derived from the study seed' if name == 'seed' else searched})")
    return table


def _scores(study, standing):
    """How good the winner is, as rows."""
    trial, metric = standing.trial, study.description.metric
    first = f"validation {metric} {trial.score:.5g} ± {trial.standard_error:.2g}"
    if not standing.confirmed:
        yield "score", first
        yield "confirmed", "no: one training with one seed, the best of several"
        return
    yield "score", f"validation {metric} {standing.mean:.5g} ± {standing.standard_error:.2g}"
    yield "confirmed", f"yes: the mean of {len(standing.scores)} fresh seeds"
    yield "first score", f"{trial.score:.5g}, {luck(standing, study.description)}"
    for other in winner.candidates(study):
        if other.trial.number != trial.number and other.scores:
            yield f"against {other.trial.number}", against(other)


def against(other):
    """How another of the few did, in one line."""
    if other.unsound:
        return other.unsound
    error = f" ± {other.standard_error:.2g}" if other.confirmed else ""
    seeds = f"{len(other.scores)} fresh seed{'s' if len(other.scores) > 1 else ''}"
    verdict = ", clearly worse" if other.behind else ""
    return f"{other.mean:.5g}{error} on {seeds}, {weights(other.trial)}{verdict}"


def weights(trial) -> str:
    """The size of a trial's network, in words."""
    return "weights unknown" if trial.weights is None else f"{trial.weights:,} weights"


def range_of(distribution) -> str:
    """A range in words, without its middle where that is long."""
    return readable(tasks.describe(distribution), LONGEST)


def budget(study):
    """What was asked for last, in words."""
    limits = study.budget()
    asked = [f"{limits['trials']} trials"] if limits.get("trials") else []
    asked += [duration(limits["seconds"])] if limits.get("seconds") else []
    return " or ".join(asked) or "no limit"
