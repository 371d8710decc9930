"""Trials and studies as MLflow shows them: tags, hyperparameters, metrics, status and notes.

All functions are pure: the same trial gives the same entities, so writing them again changes nothing. The
names of tags and metrics stay as they are, because older logs have them.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from optuna.distributions import BaseDistribution

from search import tasks
from search.strategy.estimates.posterior import Posterior
from search.strategy.explain import score_line
from search.strategy.winner import Candidate
from search.study.trial import Trial, numbers
from search.study.view import StudyDescription
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
NOTE = "mlflow.note.content"  # the description on MLflow's pages, where a person may edit it
NOTE_DIGEST = "note_digest"  # of the latest one that Trialbook wrote
WINNER = (
    "winner"  # a tag: of the study's run the winner in words, of the winner's run whether it is confirmed
)
ESTIMATE = ("estimate", "estimate_standard_error")

Entry = dict[str, Any]  # an epoch of a curve
Numbers = dict[str, Any]  # single numbers by name


# A trial


def status_of(trial: Trial) -> str:
    """The status of a trial's run in MLflow."""
    return STATUS.get(trial.state, "FAILED")


def name_of(trial: Trial) -> str:
    """The name of a trial's run."""
    name = f"trial-{trial.number:04}"
    if trial.replicate_of is not None:
        name += f" repeats {trial.replicate_of}"
    return f"{name} ({trial.void.action})" if trial.void else name


def beginning(trial: Trial, study_name: str, description: StudyDescription, parent: str) -> dict[str, str]:
    """The tags of a new run of a trial; `parent` is the id of the study's run."""
    provenance = trial.provenance
    tags = {
        "kind": "trial",
        "study": study_name,
        PARENT: parent,
        "trial": str(trial.number),
        "draw": str(trial.draw),
        "state": "running",
        "why tried": trial.proposal,
        "data": description.source,
        "data_digest": description.digest,
        **{f"fingerprint.{part}": digest for part, digest in trial.fingerprint.items()},
        "commit": commit_of({**provenance, "dirty": False}),
        "dirty": str(provenance.get("dirty", "unknown")),
        "packages": json.dumps(provenance.get("packages")),
        "machine": json.dumps(provenance.get("machine")),
        "threads": str(provenance.get("machine", {}).get("threads")),
    }
    if trial.retry_of is not None:
        tags["retry of"] = str(trial.retry_of)
    if trial.replicate_of is not None:
        tags |= {"kind": "repeat", "repeats": str(trial.replicate_of), "repeat": str(trial.replicate)}
    return as_tags(tags)


def ending(trial: Trial) -> dict[str, str]:
    """The tags of an ended trial: its state, the reason, and whether it is void."""
    return as_tags(
        {
            "state": trial.state,
            "why ended": trial.reason,
            "crossed out": str(trial.void or "no"),
            NAME: name_of(trial),
        }
    )


def params_of(trial: Trial) -> list[Param]:
    """A trial's hyperparameters, with valid names and shortened values."""
    names = log_names.param_names(tuple(trial.config))
    return [
        Param(names[name], log_names.log_text(str(value), PARAM_LETTERS))
        for name, value in trial.config.items()
    ]


def metrics_of(entry: Entry) -> list[Metric]:
    """The numbers of an epoch, at the time when it ended."""
    at, names = int(entry["time"] * 1000), {"seconds": "seconds", **log_names.metric_names(entry)}
    return [
        Metric(names[name], value, at, entry["epoch"])
        for name, value in numbers(entry).items()
        if name in names
    ]


def texts_of(entry: Entry) -> Iterable[tuple[str, str]]:
    """The texts of an epoch: for each its path among the run's artifacts, and the text."""
    names = log_names.metric_names(entry)
    for name in entry.keys() - numbers(entry).keys():
        yield (
            f"{names[name]}/epoch-{entry['epoch']:04}.txt",
            log_names.log_text(entry[name], len(entry[name])),
        )


def summary(trial: Trial, description: StudyDescription) -> Numbers:
    """The numbers that the log shows of an ended trial; `description` is the study's."""
    metrics: Numbers = {"seconds_total": trial.seconds, "epochs_trained": len(trial.curve)}
    if trial.weights is not None:
        metrics["weights"] = trial.weights
    if trial.score is not None:
        metrics |= {"score": trial.score, "score_standard_error": trial.standard_error}
    if trial.curve:
        last = trial.curve[-1]
        names = log_names.metric_names(last)
        metrics |= {f"last_{names[name]}": last[name] for name in names.keys() & numbers(last).keys()}
        better = max if description.direction == "maximize" else min
        scored = f"validation_{description.metric}"
        metrics["best_validation_loss"] = min(entry["validation_loss"] for entry in trial.curve)
        metrics[log_names.log_name(f"best_{scored}")] = better(entry[scored] for entry in trial.curve)
    return metrics


def estimates(posterior: Posterior) -> dict[int, Numbers]:
    """The estimate of each trial's configuration, as metrics by the number of the trial."""
    scale = posterior.scale
    return {
        number: dict(zip(ESTIMATE, (scale.score(known.mean), scale.error(known.mean, known.deviation))))
        for number, known in posterior.by_trial().items()
    }


def differing(shown: Numbers, estimate: Numbers) -> Numbers:
    """The metrics of an estimate that a run shows otherwise.

    A metric is NaN if the trial has no estimate any more: MLflow removes none.
    """
    expected = {name: estimate.get(name, math.nan) for name in ESTIMATE}
    return {name: value for name, value in expected.items() if not _is_same(value, shown.get(name, math.nan))}


def _is_same(one: float, other: float) -> bool:
    """Whether two numbers are equal, but for the last digits, in which machines differ."""
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-15) or (math.isnan(one) and math.isnan(other))


def as_metrics(values: Numbers, at: int, step: int = 0) -> list[Metric]:
    """Numbers by name as metrics; `at` is in ms."""
    return [Metric(name, value, at, step) for name, value in values.items()]


# A study


def tags_of_study(study_name: str, description: StudyDescription) -> dict[str, str]:
    """The tags of a new run of a study."""
    tags = {
        "kind": "study",
        "study": study_name,
        "data": description.source,
        "data_digest": description.digest,
        "seed": str(description.seed),
        "metric": description.metric,
        "direction": description.direction,
    }
    return as_tags(tags)


def tags_of_ranges(ranges: Mapping[str, BaseDistribution]) -> dict[str, str]:
    """The ranges of a study, each as a tag in words."""
    names = log_names.param_names(tuple(ranges))
    return as_tags({f"space.{names[name]}": tasks.describe(range_) for name, range_ in ranges.items()})


def winner_of(candidate: Candidate, description: StudyDescription) -> tuple[str, Numbers]:
    """The winner of a study in one line, and as metrics."""
    trial = candidate.trial
    metrics: Numbers = {
        "best_score": trial.score,
        "best_standard_error": trial.standard_error,
        "best_trial": trial.number,
    }
    if not candidate.confirmed:
        return f"trial {trial.number} (unconfirmed: one seed)", metrics
    metrics |= {"winner_mean": candidate.mean, "winner_standard_error": candidate.standard_error}
    return f"trial {trial.number}, confirmed: {score_line(candidate, description)}", metrics


def winner_tag(candidate: Candidate) -> dict[str, str]:
    """The tag of the winner's run."""
    return {WINNER: "confirmed" if candidate.confirmed else "not confirmed yet"}


def confirmation(
    candidate: Candidate, description: StudyDescription, at: datetime
) -> tuple[list[Metric], list[RunTag]]:
    """The metrics and tags that the replicates of a configuration add to the run of its first trial.

    `at` is the end of the last replicate.
    """
    values = {"confirmed_mean": candidate.mean, "confirmed_standard_error": candidate.standard_error}
    tags = as_tags({"confirmed": score_line(candidate, description)})
    return as_metrics(values, ms(at), len(candidate.scores)), as_run_tags(tags)


def note(tags: dict[str, str], text: str, letters: int) -> dict[str, str]:
    """The tags that describe a run or an experiment; none if a person wrote its note.

    Args:
        tags: the tags that it has.
        text: the description, which is cut to so many letters.
    """
    text, existing = log_names.log_text(text, letters), tags.get(NOTE)
    digest = tags.get(NOTE_DIGEST)
    if digest is None:  # an earlier version wrote no digest: its note begins like this one
        is_ours = not existing or existing.startswith(text.partition("\n\n")[0])
    else:
        is_ours = not existing or digest == _digest(existing)
    return {NOTE: text, NOTE_DIGEST: _digest(text)} if is_ours else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Both


def as_tags(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts by name as valid tags."""
    return {log_names.log_name(name): log_names.log_text(text, TAG_LETTERS) for name, text in texts.items()}


def as_run_tags(tags: dict[str, str]) -> list[RunTag]:
    """Tags by name as MLflow's entities."""
    return [RunTag(name, text) for name, text in tags.items()]


def ms(at: datetime) -> int:
    """A time in ms since 1970."""
    return int(at.timestamp() * 1000)
