"""All trials of a study as a pandas DataFrame, for plots, notebooks and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from search.strategy.estimates.levels import Estimate, Scale
from search.strategy.estimates.posterior import Posterior
from search.study.trial import Trial, numbers
from search.study.view import StudyView

if TYPE_CHECKING:  # pandas takes long to import: only when a table is made
    from pandas import DataFrame

BEFORE = ("trial", "state", "kind", "score", "standard_error", "estimate", "estimate_standard_error", "seeds")
AFTER = (
    *("epochs", "seconds", "weights", "started", "ended"),
    *("retry_of", "replicates", "replicate", "void", "code", "why_tried", "why_ended"),
)
WHOLE = ("trial", "seeds", "epochs", "weights", "retry_of", "replicates", "replicate")  # some may be missing
REAL = ("score", "standard_error", "estimate", "estimate_standard_error")
TIMES = ("started", "ended")


def trials_dataframe(study: StudyView) -> DataFrame:
    """One row per trial, in their order. A missing value is NaN, NaT or NA.

    trial            its number
    state            completed, pruned, diverged, infeasible, failed, interrupted or running
    kind             its state; for a trial that does not count, why: a replicate, or void
    score            of the trained model on validation data, in the task's metric
    standard_error   of the score, in the same unit
    estimate         of the score of its configuration over seeds, also if it did not train to the end
    estimate_standard_error     of that
    seeds            completed trainings of its configuration that the estimate rests on
    (a field)        each field of the task's Config, by its name: the value that it trained with. A field
                     whose name another column has gets a prefix, as `config_epochs`
    epochs           how many it reported
    seconds          how long it trained
    weights          numbers that its network learns
    started, ended   local time
    retry_of         the interrupted trial that this one repeats
    replicates       the trial whose configuration this one trains again, on a fresh seed
    replicate        which replicate this is, from 1; replicates of one number share their seed
    void             why it does not count, who said so and when; empty where it counts
    code             digest of the code that it ran
    why_tried        where its configuration came from
    why_ended        why it ended
    last_(metric)    each metric of its last epoch
    """
    from pandas import DataFrame, to_datetime

    trials = list(study.trials())
    fields = _columns_of_fields(name for trial in trials for name in trial.config)
    posterior = Posterior.of(study)
    estimates, scale = posterior.by_trial(), posterior.scale
    rows = [_row(trial, fields) | _estimate(estimates.get(trial.number), scale) for trial in trials]
    columns = [*BEFORE, *fields.values(), *AFTER]
    last = sorted({name for row in rows for name in row} - set(columns))
    frame = DataFrame(rows, columns=[*columns, *last])
    frame = frame.astype(dict.fromkeys(WHOLE, "Int64") | dict.fromkeys(REAL, "float64"))
    for name in TIMES:
        frame[name] = to_datetime(frame[name])
    return frame


def trials_csv(study: StudyView) -> str:
    """The same table as CSV. No text begins as a formula of a spreadsheet does; numbers stay as they are."""
    frame = trials_dataframe(study)
    for name in frame.select_dtypes(exclude=["number", "datetime", "bool"]).columns:
        frame[name] = frame[name].map(_harmless)
    text: str = frame.to_csv(index=False)
    return text


def _harmless(value: object) -> object:
    """A value that a spreadsheet shows, and does not run."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def _columns_of_fields(names: Iterable[str]) -> dict[str, str]:
    """The column of each field of the Config, by the field's name. No two columns have one name."""
    return {
        name: f"config_{name}" if name in {*BEFORE, *AFTER} or name.startswith(("last_", "config_")) else name
        for name in names
    }


def _estimate(known: Estimate | None, scale: Scale) -> dict[str, Any]:
    """The columns of an estimate; none if nothing can be said of a trial."""
    if known is None:
        return {}
    return {
        "estimate": scale.score(known.mean),
        "estimate_standard_error": scale.error(known.mean, known.deviation),
        "seeds": known.n_seeds,
    }


def _row(trial: Trial, fields: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"trial": trial.number, "state": trial.state, "kind": trial.kind}
    row |= {"score": trial.score, "standard_error": trial.standard_error}
    row |= {fields[name]: value for name, value in trial.config.items()}
    row |= {"epochs": len(trial.curve), "seconds": trial.seconds, "weights": trial.weights}
    row |= {"started": trial.started, "ended": trial.ended}
    row |= {"retry_of": trial.retry_of, "replicates": trial.replicate_of, "replicate": trial.replicate}
    row |= {"void": str(trial.void or ""), "code": trial.fingerprint.get("code")}
    row |= {"why_tried": trial.proposal, "why_ended": trial.reason}
    if trial.curve:
        last = trial.curve[-1]
        metrics = numbers(last).keys() - {"epoch", "time", "seconds"}
        row |= {f"last_{name}": last[name] for name in metrics}
    return row
