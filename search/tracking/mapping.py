"""A Trial and a study as MLflow shows them: tags, hyperparameters, metrics, status and notes.

Everything here is a pure function: the same trial gives the same entities, so writing them again changes
nothing. Change what MLflow shows here.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from search import tasks
from search.strategy.describe import score_line
from search.strategy.winner import Candidate
from search.study.trial import Trial, numbers
from search.tasks.provenance import commit_of
from search.tracking import log_names
from search.tracking.client import PARENT
from search.tracking.writers import PARAM_LETTERS, TAG_LETTERS

STATUS = {
    "running": "RUNNING",
    "completed": "FINISHED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
}
NAME = "mlflow.runName"
NOTE = "mlflow.note.content"  # the description on MLflow's pages, which a person may change there
NOTE_DIGEST = "note_digest"  # of the one that was written here last

Entry = dict[str, Any]  # an epoch of a curve
About = dict[str, Any]  # what a study is about
Numbers = dict[str, Any]  # single numbers by name


# A trial


def status_of(trial: Trial) -> str:
    """A trial's status as MLflow has it."""
    return STATUS.get(trial.state, "FAILED")


def name_of(trial: Trial) -> str:
    """The name of a trial's run."""
    name = f"trial-{trial.number:04}"
    if trial.replicate_of is not None:
        name += f" repeats {trial.replicate_of}"
    return f"{name} ({trial.void.action})" if trial.void else name


def beginning(trial: Trial, study_name: str, about: About, parent: str) -> dict[str, str]:
    """The tags with which a trial's run begins; `parent` is the id of the study's run."""
    where = trial.provenance
    tags = {
        "kind": "trial",
        "study": study_name,
        PARENT: parent,
        "trial": str(trial.number),
        "draw": str(trial.draw),
        "state": "running",
        "why tried": trial.proposal,
        "data": about.source,
        "data_digest": about.digest,
        **{f"fingerprint.{part}": digest for part, digest in trial.fingerprint.items()},
        "commit": commit_of({**where, "dirty": False}),
        "dirty": str(where.get("dirty", "unknown")),
        "packages": json.dumps(where.get("packages")),
        "machine": json.dumps(where.get("machine")),
        "threads": str(where.get("machine", {}).get("threads")),
    }
    if trial.retry_of is not None:
        tags["retry of"] = str(trial.retry_of)
    if trial.replicate_of is not None:
        tags |= {"kind": "repeat", "repeats": str(trial.replicate_of), "repeat": str(trial.replicate)}
    return as_tags(tags)


def ending(trial: Trial) -> dict[str, str]:
    """The tags that say how a trial ended, why, and whether it is crossed out."""
    return as_tags(
        {
            "state": trial.state,
            "why ended": trial.reason,
            "crossed out": str(trial.void or "no"),
            NAME: name_of(trial),
        }
    )


def params_of(trial: Trial) -> list[Param]:
    """A trial's hyperparameters, with names that MLflow takes, and long values cut."""
    names = log_names.param_names(tuple(trial.config))
    return [
        Param(names[name], log_names.log_text(str(value), PARAM_LETTERS))
        for name, value in trial.config.items()
    ]


def metrics_of(entry: Entry) -> list[Metric]:
    """An epoch's numbers, at the time at which it ended."""
    at, names = int(entry["time"] * 1000), {"seconds": "seconds", **log_names.metric_names(entry)}
    return [
        Metric(names[name], value, at, entry["epoch"])
        for name, value in numbers(entry).items()
        if name in names
    ]


def texts_of(entry: Entry) -> Iterable[tuple[str, str]]:
    """An epoch's texts: the path of each among the run's artifacts, and the text."""
    names = log_names.metric_names(entry)
    for name in entry.keys() - numbers(entry).keys():
        yield (
            f"{names[name]}/epoch-{entry['epoch']:04}.txt",
            log_names.log_text(entry[name], len(entry[name])),
        )


def summary(trial: Trial, about: About) -> Numbers:
    """What the log shows of an ended trial as one number each; `about` is the study's."""
    metrics: Numbers = {"seconds_total": trial.seconds, "epochs_trained": len(trial.curve)}
    if trial.weights is not None:
        metrics["weights"] = trial.weights
    if trial.score is not None:
        metrics |= {"score": trial.score, "score_standard_error": trial.standard_error}
    if trial.curve:
        last = trial.curve[-1]
        names = log_names.metric_names(last)
        metrics |= {f"last_{names[name]}": last[name] for name in names.keys() & numbers(last).keys()}
        better = max if about.direction == "maximize" else min
        scored = f"validation_{about.metric}"
        metrics["best_validation_loss"] = min(entry["validation_loss"] for entry in trial.curve)
        metrics[log_names.log_name(f"best_{scored}")] = better(entry[scored] for entry in trial.curve)
    return metrics


def as_metrics(values: Numbers, at: int, step: int = 0) -> list[Metric]:
    """Single numbers by name as metrics; `at` is in ms."""
    return [Metric(name, value, at, step) for name, value in values.items()]


# A study


def tags_of_study(study_name: str, about: About) -> dict[str, str]:
    """The tags with which a study's run begins."""
    tags = {
        "kind": "study",
        "study": study_name,
        "data": about.source,
        "data_digest": about.digest,
        "seed": str(about.seed),
        "metric": about.metric,
        "direction": about.direction,
    }
    return as_tags(tags)


def tags_of_ranges(ranges: dict[str, Any]) -> dict[str, str]:
    """The ranges of a study, each as a tag in words."""
    names = log_names.param_names(tuple(ranges))
    return as_tags({f"space.{names[name]}": tasks.describe(range_) for name, range_ in ranges.items()})


def winner_of(standing: Candidate, about: About) -> tuple[str, Numbers]:
    """A study's winner in a line, and as metrics."""
    trial = standing.trial
    metrics: Numbers = {
        "best_score": trial.score,
        "best_standard_error": trial.standard_error,
        "best_trial": trial.number,
    }
    if not standing.confirmed:
        return f"trial {trial.number} (unconfirmed: one seed)", metrics
    metrics |= {"winner_mean": standing.mean, "winner_standard_error": standing.standard_error}
    return f"trial {trial.number}, confirmed: {score_line(standing, about)}", metrics


def confirmation(standing: Candidate, about: About, at: datetime) -> tuple[list[Metric], list[RunTag]]:
    """What the repeats of a confirmed configuration say of it, for the run of its first trial.

    `at` is when the last of them ended.
    """
    values = {"confirmed_mean": standing.mean, "confirmed_standard_error": standing.standard_error}
    tags = as_tags({"confirmed": score_line(standing, about)})
    return as_metrics(values, ms(at), len(standing.scores)), as_run_tags(tags)


def note(known: dict[str, str], text: str, letters: int) -> dict[str, str]:
    """The tags that describe a run or an experiment in words: none where a person wrote the note it has.

    Args:
        known: the tags it has.
        text: the description, of which so many letters are kept.
    """
    text, there = log_names.log_text(text, letters), known.get(NOTE)
    digest = known.get(NOTE_DIGEST)
    if digest is None:  # an earlier Trialbook wrote none: its note begins as this one does
        is_ours = not there or there.startswith(text.partition("\n\n")[0])
    else:
        is_ours = not there or digest == _digest(there)
    return {NOTE: text, NOTE_DIGEST: _digest(text)} if is_ours else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Both


def as_tags(texts: dict[str, Any]) -> dict[str, str]:
    """Texts by name as tags that MLflow takes."""
    return {log_names.log_name(name): log_names.log_text(text, TAG_LETTERS) for name, text in texts.items()}


def as_run_tags(tags: dict[str, str]) -> list[RunTag]:
    """Tags by name as MLflow's entities."""
    return [RunTag(name, text) for name, text in tags.items()]


def ms(at: datetime) -> int:
    """A time in ms, as MLflow has it."""
    return int(at.timestamp() * 1000)
