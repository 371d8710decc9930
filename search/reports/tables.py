"""All studies, a winner or a report as tables for the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from optuna.distributions import BaseDistribution
from rich import box
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from search import tasks
from search.errors import NoWinner
from search.primitives.text import MAX_VALUE_LETTERS, duration, readable, settings
from search.strategy import winner
from search.strategy.allocation import CONFIRMING
from search.strategy.estimates.posterior import Posterior
from search.strategy.explain import optimism
from search.strategy.winner import Candidate
from search.study.trial import Trial
from search.study.view import StudyView

if TYPE_CHECKING:  # a report takes longer to import than a table needs
    from search.reports.evidence import Evidence, Sentence
    from search.reports.report import Report

BEST_TRIALS = 10  # that a report shows


# All studies


def of_studies(studies: Iterable[StudyView]) -> Table:
    """One row per study: its task and data, its trials, and the best configuration so far."""
    table = Table(title="Studies", title_justify="left", box=box.SIMPLE_HEAD)
    for title in ("study", "task", "data", "trials", "best", "trained"):
        table.add_column(title, no_wrap=True)
    for study in studies:
        table.add_row(
            study.name,
            study.description.task,
            study.description.source,
            "\n".join(f"{count} {kind}" for kind, count in kinds(study).items()) or "none",
            _best_score(study),
            duration(seconds_trained(study)),
        )
    return table


def kinds(study: StudyView) -> Counter[str]:
    """The number of trials of each kind, sorted by the kind's name."""
    return Counter(sorted(trial.kind for trial in study.trials()))


def seconds_trained(study: StudyView) -> float:
    """How long all trials that ended trained together."""
    return float(sum(trial.seconds for trial in study.trials() if trial.ended))


def _best_score(study: StudyView) -> str:
    """The winner's estimate, its seeds, and whether it is confirmed; a line each."""
    candidate = winner_of(study)
    if candidate is None:
        return "none"
    score = f"{study.description.metric} {candidate.mean:.4g} ± {candidate.standard_error:.2g}"
    if not candidate.confirmed:
        return f"{score}\n{_seeds(candidate)}, unconfirmed"
    return f"{score}\n{_seeds(candidate)}, confirmed\nexpected loss {loss(study, candidate)}"


def loss(study: StudyView, candidate: Candidate) -> str:
    """The expected loss in words: how much better the best of all candidates is, on average."""
    if candidate.loss < candidate.known.deviation / 100:
        return "negligible"
    return candidate.scale.describe(candidate.loss, study.description.metric)


def _seeds(candidate: Candidate) -> str:
    n = candidate.known.n_seeds
    return f"{n} seed{'s' if n > 1 else ''}"


# A winner


def of_winner(study: StudyView, candidate: Candidate) -> Table:
    """The winner of a study: its score, its origin, its configuration and the ranges."""
    title = f"Winner of study {study.name} ({study.description.task})"
    table = Table(title=title, title_justify="left", show_header=False, min_width=len(title))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in (
        *_scores(study, candidate),
        *_origin(study, candidate.trial),
        *_configuration(study, candidate.trial),
    ):
        table.add_row(*row)
    return table


def of_own(study: StudyView, trial: Trial) -> str:
    """What became of a person's own configuration, beside the winner, in two lines."""
    name = f"Trial {trial.number} ({settings(trial.params)})"
    if trial.score is None:
        return f"{name} {trial.state} after {duration(trial.seconds)}: {trial.reason}."
    posterior, metric = Posterior.of(study), study.description.metric
    estimate, scale = posterior.by_trial()[trial.number], posterior.scale
    mean, error = scale.score(estimate.mean), scale.error(estimate.mean, estimate.deviation)
    score = f"{name}: validation {metric} {trial.score:.5g} ± {trial.standard_error:.2g}"
    known = f"{score}; over seeds, {mean:.5g} ± {error:.2g} is expected.\n"
    won = winner.choose(study, posterior)
    if won.trial.params == trial.params:
        return f"{known}It leads{'' if won.confirmed else '; a search confirms it on fresh seeds'}."
    apart = estimate.mean - won.known.mean
    noise = math.hypot(estimate.deviation, won.known.deviation)
    difference = f"{abs(mean - won.mean):.3g} ± {math.hypot(error, won.standard_error):.2g}"
    beyond = "more than noise" if abs(apart) > 2 * noise else "which may be noise"
    comparison = f"{'better' if apart > 0 else 'worse'} by {difference}, {beyond}"
    winning = f"{won.mean:.5g} ± {won.standard_error:.2g}, estimated from {_seeds(won)}"
    return f"{known}The winner is trial {won.trial.number} with {winning}. Yours is {comparison}."


def _scores(study: StudyView, candidate: Candidate) -> Iterator[tuple[str, str]]:
    """The winner's score, how sure it is, and the other contenders."""
    trial, metric = candidate.trial, study.description.metric
    estimate = f"{candidate.mean:.5g} ± {candidate.standard_error:.2g}"
    yield "score", f"validation {metric} {estimate}, estimated from {_seeds(candidate)}"
    if candidate.confirmed:
        yield "confirmed", f"yes, on {len(candidate.scores)} fresh seeds"
    else:
        yield "confirmed", f"no: too few fresh seeds, {len(candidate.scores)} of {CONFIRMING}"
    yield "expected loss", f"{loss(study, candidate)}: how much better the best candidate is, on average"
    yield "first score", f"{trial.score:.5g}, {optimism(candidate, study.description)}"
    for other in contenders(study, trial):
        yield f"against {other.trial.number}", result(other)


def _origin(study: StudyView, trial: Trial) -> Iterator[tuple[str, str]]:
    """How the winner was found and trained, and its evaluations on the test data."""
    yield "trial", f"{trial.number}, trained for {duration(trial.seconds)}; {study.n_finished()} trials count"
    yield "why tried", trial.proposal
    last = trial.curve[-1]
    yield "train loss", f"{last['train_loss']:.4g} after {last['epoch']} epochs"
    yield "weights", "unknown" if trial.weights is None else f"{trial.weights:,}"
    yield "data", f"{study.description.source}, digest {study.description.digest}"
    for evaluation in evaluations(study, trial):
        yield "test data", f"{study.description.metric} {evaluation}"


def _configuration(study: StudyView, trial: Trial) -> Iterator[tuple[str, str]]:
    """Each field of the Config: its value, and the range it was searched in."""
    ranges = study.ranges()
    for name, value in trial.config.items():
        origin = f"searched: {range_of(ranges[name])}" if name in ranges else "fixed"
        text = f"{value:.6g}" if isinstance(value, float) else readable(value, MAX_VALUE_LETTERS)
        yield name, f"{text}  ({'derived from the study seed' if name == 'seed' else origin})"


def winner_of(study: StudyView) -> Candidate | None:
    """The winner's Candidate; None where there is no winner yet."""
    try:
        candidate: Candidate = winner.choose(study)
    except NoWinner:
        return None
    return candidate


def contenders(study: StudyView, trial: Trial) -> list[Candidate]:
    """The configurations, except a trial's own, that were trained on fresh seeds."""
    return [each for each in winner.candidates(study) if each.trial.number != trial.number and each.scores]


def result(candidate: Candidate) -> str:
    """A contender's result in one line."""
    if candidate.unsound:
        return candidate.unsound
    error = f" ± {candidate.standard_error:.2g}"
    seeds = f"{len(candidate.scores)} fresh seed{'s' if len(candidate.scores) > 1 else ''}"
    verdict = ", clearly worse" if candidate.behind else ""
    return f"{candidate.mean:.5g}{error} on {seeds}, {weights(candidate.trial)}{verdict}"


def evaluations(study: StudyView, trial: Trial) -> Iterator[str]:
    """Each evaluation of a trial on the test data: its score, and how many the study has had."""
    recorded = study.test_evaluations()
    for number, evaluation in enumerate(recorded, 1):
        if evaluation["trial"] == trial.number:
            score = f"{evaluation['score']:.5g} ± {evaluation['standard_error']:.2g}"
            yield f"{score}, test evaluation {number} of {len(recorded)} in this study"


def weights(trial: Trial) -> str:
    """The size of a trial's network, in words."""
    return "weights unknown" if trial.weights is None else f"{trial.weights:,} weights"


def range_of(distribution: BaseDistribution) -> str:
    """A range in words, without its middle where that is long."""
    return readable(tasks.describe(distribution), MAX_VALUE_LETTERS)


def budget(study: StudyView) -> str:
    """The budget of the last search, in words."""
    limits = study.budget()
    parts = [f"{limits['trials']} trials"] if limits.get("trials") else []
    parts += [duration(limits["seconds"])] if limits.get("seconds") else []
    return " or ".join(parts) or "no limit"


# A report


def of_report(report: Report) -> Group:
    """A report, with the best trials at its end."""
    parts: list[RenderableType] = [Text(report.title, style="bold"), Text(report.answer, style="green")]
    for heading, sentences in (
        ("The winner", report.winner),
        ("What mattered, and how", report.mattered),
        ("What next", report.advice),
        ("The question", report.question),
    ):
        if sentences:
            parts += [Text(), Rule(heading, align="left"), _sentences(sentences)]
    if report.evidence.finished:
        heading = f"The best of {len(report.evidence.points)} trials, by their estimates"
        parts += [Text(), Rule(heading, align="left"), _best_trials(report.evidence)]
    return Group(*parts, Text(report.method, style="dim"))


def _sentences(sentences: Iterable[Sentence]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", max_width=22, overflow="fold")
    table.add_column(overflow="fold")
    for sentence in sentences:
        table.add_row(Text(sentence.about), Text(sentence.text))
    return table


def _best_trials(evidence: Evidence) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("trial", "estimate", "seeds", "time"):
        table.add_column(name, no_wrap=True)
    table.add_column("configuration", overflow="fold")
    for point in evidence.finished[:BEST_TRIALS]:
        estimate = evidence.result(point.level, point.deviation)
        about = (str(point.trial.number), estimate, str(point.n_seeds), duration(point.seconds))
        table.add_row(*about, Text(settings(point.trial.params)))
    return table
