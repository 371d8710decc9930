"""The schema of a study's records: all that Trialbook writes, and all that it can read.

Optuna takes any JSON as an attribute. `check_study` and `check_trial` check each attribute before it is
written, and again when a study is loaded. No other code checks records.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from search.primitives.text import readable
from search.study.trial import VOID_KEY
from search.study.trial import TrialState as State

Types = type | tuple[type, ...]

NUMBER = (int, float)
NONE = type(None)
PLAIN = (*NUMBER, str, NONE)
STUDY = {"task": str, "source": str, "digest": str, "seed": int, "metric": str, "direction": str}
VOID_ENTRY = {"action": str, "trials": list, "reason": str, "who": str, "when": str}
TEST_EVALUATION: dict[str, Types] = {"trial": int, "score": NUMBER, "standard_error": NUMBER, "time": str}
TRIAL: dict[str, Types] = {"proposal": str, "config": dict, "weights": (int, NONE)}
TRIAL |= {"fingerprint": dict, "provenance": dict}
OPTIONAL: dict[str, Types] = dict.fromkeys(("draw", "retry_of", "confirms", "repeat"), (int, NONE))
OPTIONAL |= {"request": (str, NONE)}
EPOCH: dict[str, Types] = {"epoch": int, "seconds": NUMBER, "time": NUMBER}
EPOCH |= {"train_loss": NUMBER, "validation_loss": NUMBER}
OUTCOME: dict[str, Types] = {"state": str, "reason": str, "standard_error": (*NUMBER, NONE)}
PROVENANCE = {"commit": str, "machine": dict}
_MISSING = object()


def check(attributes: Mapping[str, Any], trials: Iterable[FrozenTrial]) -> None:
    """Raise ValueError, in one line, if a study or one of its trials does not have this schema.

    Waiting trials are skipped: another program enqueued them, and the next search starts them.
    """
    check_study("about", attributes["about"])
    for name, value in attributes.items():
        check_study(name, value)
    for trial in trials:
        if trial.state != TrialState.WAITING:
            try:
                _check_frozen(trial, attributes["about"]["metric"])
            except ValueError as error:
                raise ValueError(f"trial {trial.number}: {error}") from None


def check_study(name: str, value: Any) -> None:
    """Raise ValueError, in one line, if an attribute of a study is not valid."""
    if name == "about":
        _check_fields(name, value, STUDY | {"space": dict})
        direction = value["direction"]
        _require(direction in ("minimize", "maximize"), f"{direction!r} is no direction")
        for searched, text in value["space"].items():
            _require(_is_range(text), f"the range of {searched} is {text!r}")
    elif name.startswith(VOID_KEY):
        _check_fields("a void entry", value, VOID_ENTRY)
        _check_fields("a void entry", {"request": None} | value, {"request": (str, NONE)})
        _check_all("the trials of a void entry", value["trials"], int)
    elif name == "looks":
        for evaluation in value:
            _check_fields("a test evaluation", evaluation, TEST_EVALUATION)
    elif name == "budget":
        _check_fields(name, value, dict.fromkeys(value, (*NUMBER, NONE)))


def check_trial(name: str, value: Any, metric: str) -> None:
    """Raise ValueError, in one line, if an attribute of a trial is not valid.

    Args:
        metric: the name of the study's scores.
    """
    if name == "about":
        _check_fields(name, value, TRIAL)
        _check_fields("config", value["config"], {"epochs": int})
        _check_all("config", value["config"].values(), PLAIN)
        _check_all("fingerprint", value["fingerprint"].values(), str)
        _check_fields("provenance", value["provenance"], PROVENANCE)
        _check_fields(name, dict.fromkeys(OPTIONAL) | value, OPTIONAL)
    elif name.startswith("epoch "):
        _check_fields(name, value, EPOCH | {f"validation_{metric}": NUMBER})
        _check_all(name, value.values(), (*NUMBER, str))
        if name != f"epoch {value['epoch']}":
            raise ValueError(f"{name} has the number {value['epoch']!r}")
    elif name == "outcome":
        _check_fields(name, value, OUTCOME)
        _require(value["state"] in list(State), f"{value['state']!r} is no state")
    elif name == "paused":
        _check_all(name, [value], (int, NONE))


def _check_frozen(trial: FrozenTrial, metric: str) -> None:
    attributes = trial.user_attrs
    _require(trial.datetime_start is not None, "it has no start")
    _check_all("params", trial.params, str)
    _check_all("params", trial.params.values(), PLAIN)
    for name, value in attributes.items():
        check_trial(name, value, metric)
    for epoch in trial.intermediate_values:
        _require(f"epoch {epoch}" in attributes, f"epoch {epoch} is missing")
    if trial.state.is_finished() and trial.state != TrialState.FAIL:
        _check_ended(trial)


def _check_ended(trial: FrozenTrial) -> None:
    """Check a trial that no killed search left behind."""
    outcome = trial.user_attrs.get("outcome")
    if not (trial.user_attrs.get("about") and outcome and trial.datetime_complete):
        raise ValueError("it ended without an outcome")
    is_completed = trial.state == TrialState.COMPLETE
    _require(
        is_completed == (outcome["state"] == "completed"), f"it is {trial.state.name} and {outcome['state']}"
    )
    if is_completed:
        _require(trial.intermediate_values, "it is completed and has no epochs")
        _check_all("score", [*(trial.values or [None]), outcome["standard_error"]], NUMBER)


def _is_range(text: object) -> bool:
    try:
        return isinstance(text, str) and json_to_distribution(text) is not None
    except (KeyError, TypeError, ValueError):
        return False


# Messages are formatted only for mistakes: a study of 10,000 trials has a million values.


def _check_fields(subject: str, value: Any, types: Mapping[str, Types]) -> None:
    _check_all(subject, [value], dict)
    for name, type_ in types.items():
        if not isinstance(value.get(name, _MISSING), type_):
            raise ValueError(_mistake(f"{subject}: {name}", value.get(name, "missing"), type_))


def _check_all(subject: str, values: Iterable[Any], type_: Types) -> None:
    for value in values:
        if not isinstance(value, type_):
            raise ValueError(_mistake(subject, value, type_))


def _mistake(subject: str, value: Any, types: Types) -> str:
    each = types if isinstance(types, tuple) else (types,)
    names = ["null" if type_ is NONE else type_.__name__ for type_ in each]
    return f"{subject} is {readable(repr(value), 100)}, not {' or '.join(names)}"


def _require(holds: Any, message: str) -> None:
    if not holds:
        raise ValueError(message)
