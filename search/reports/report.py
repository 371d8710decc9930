"""The report of a study: its question, its answer, its winner, what mattered, and what to do next."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from search import tasks
from search.primitives.text import duration, settings
from search.reports import tables
from search.reports.evidence import Evidence, Point, Sentence, format_value
from search.reports.sentences import mattered
from search.reports.sentences.advice import advice
from search.reports.sentences.importances import importances
from search.strategy.winner import Candidate
from search.study.trial import number_ranges
from search.study.view import StudyView

METHOD = (
    "Trials are ranked by the estimates of their final scores over seeds. That of an unfinished trial is "
    "extrapolated from its last epoch, and counts less. This describes the trials that were run: the sampler "
    "does not draw evenly, and it changes several hyperparameters at once."
)


@dataclass(frozen=True)
class Report:
    """The content of a report, which is shown as a page or in the terminal."""

    study: StudyView
    candidate: Candidate | None  # the winner; None if there is none yet
    title: str
    answer: str
    question: list[Sentence]
    winner: list[Sentence]
    mattered: list[Sentence]
    advice: list[Sentence]
    evidence: Evidence
    shares: dict[str, float]  # see `search.reports.sentences.importances.importances`
    chance_share: float
    method: str = METHOD


def report(study: StudyView) -> Report:
    """The Report of a study. It may hold no trial."""
    candidate = tables.winner_of(study)
    evidence = Evidence(study)
    shares, chance_share = importances(evidence)
    return Report(
        study=study,
        candidate=candidate,
        title=tasks.question_of(study.task),
        answer=answer(study, candidate),
        question=list(question(study)),
        winner=list(winner_sentences(evidence, candidate)) if candidate else [],
        mattered=mattered(evidence, shares, chance_share),
        advice=advice(evidence, candidate),
        evidence=evidence,
        shares=shares,
        chance_share=chance_share,
    )


def question(study: StudyView) -> Iterator[Sentence]:
    """What the study asks: the task, its data, the ranges, the budget."""
    about = study.description
    yield Sentence("task", f"{about.task}: {tasks.question_of(study.task)}")
    if target := re.search(r"^Target: (.*?)(?=^Source:|^$|\Z)", tasks.doc_of(study.task), re.M | re.S):
        yield Sentence("target", " ".join(target[1].split()))
    yield Sentence("score", f"{about.metric} on the validation data, to {about.direction}")
    for name, distribution in study.ranges().items():
        yield Sentence(f"range of {name}", tasks.describe(distribution))
    yield Sentence("budget", tables.budget(study))
    kinds = [f"{count} {kind}" for kind, count in tables.kinds(study).items()]
    yield Sentence("trials", ", ".join(kinds) or "none yet")
    yield Sentence("data", f"{about.source}, digest {about.digest}; seed of the study {about.seed}")
    by_entry: dict[str, list[int]] = {}
    for trial in study.trials():
        if trial.void:
            by_entry.setdefault(str(trial.void), []).append(trial.number)
    for entry, numbers in by_entry.items():
        yield Sentence("void", f"trials {number_ranges(numbers)}: {entry}")


def answer(study: StudyView, candidate: Candidate | None) -> str:
    """The answer, in one or two sentences."""
    if candidate is None:
        return "There is no answer yet: no trial has been trained to the end."
    trial, metric = candidate.trial, study.description.metric
    how = f"the estimate from {candidate.known.n_seeds} seeds" if candidate.confirmed else "unconfirmed"
    score = f"{candidate.mean:.4g} ± {candidate.standard_error:.2g}, {how}"
    return f"Trial {trial.number} wins: {settings(trial.params)}. Its validation {metric} is {score}."


def winner_sentences(evidence: Evidence, candidate: Candidate) -> Iterator[Sentence]:
    """The winner: its configuration, its cost, and how it compares."""
    study, trial = evidence.study, candidate.trial
    yield Sentence("configuration", f"trial {trial.number}: {settings(trial.params)}")
    fixed = {name: value for name, value in trial.config.items() if name not in trial.params}
    texts = [f"{name} {format_value(value)}" for name, value in fixed.items()]
    yield Sentence("fixed", ", ".join(texts) or "nothing")
    yield Sentence("size and time", f"{tables.weights(trial)}, trained in {duration(candidate.seconds)}")
    yield Sentence("why it was tried", trial.proposal)
    if defaults := next((each for each in evidence.estimated if each.trial.draw == 0), None):
        yield Sentence("against the defaults", against_defaults(evidence, candidate, defaults))
    for other in tables.contenders(study, trial):
        yield Sentence(f"against trial {other.trial.number}", tables.result(other))
    for evaluation in tables.evaluations(study, trial):
        yield Sentence("test data", evaluation)


def against_defaults(evidence: Evidence, candidate: Candidate, defaults: Point) -> str:
    """The winner's lead over the task's defaults."""
    if defaults.trial.number == candidate.trial.number:
        return "the winner is the task's defaults."
    lead = candidate.known.mean - defaults.level
    gap = evidence.gap(lead, math.hypot(candidate.known.deviation, defaults.deviation))
    text = f"{gap} {'better' if lead >= 0 else 'worse'} than trial {defaults.trial.number}, "
    text += f"which is estimated at {evidence.result(defaults.level, defaults.deviation)}"
    if abs(lead) > evidence.difference:
        return f"{text}."
    return f"{text}: no difference, as it is below {evidence.gap(evidence.difference)}."
