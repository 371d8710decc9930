"""The schema of a study's records: what Trialbook writes, and what it therefore can read.

Optuna takes any JSON as an attribute. Each attribute of a study or of a trial passes `of_study` or `of_trial`
before it is written, and the same functions check it when a study is loaded, so that nothing else need ask.
"""

from typing import Any

from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from search.study.trial import VOID_KEY
from search.study.trial import TrialState as State

NUMBER, NONE = (int, float), type(None)
PLAIN = (*NUMBER, str, NONE)
ABOUT = {"task": str, "source": str, "digest": str, "seed": int, "metric": str, "direction": str}
ABOUT |= {"space": dict}
TRIAL = {"proposal": str, "config": dict, "weights": (int, NONE), "fingerprint": dict, "provenance": dict}
EPOCH = {"epoch": int, "seconds": NUMBER, "time": NUMBER, "train_loss": NUMBER, "validation_loss": NUMBER}
OUTCOME = {"state": str, "reason": str, "standard_error": PLAIN[:2] + PLAIN[3:]}
VOID_ENTRY = {"action": str, "trials": list, "reason": str, "who": str, "when": str}
TEST_EVALUATION = {"trial": int, "score": NUMBER, "standard_error": NUMBER, "time": str}
PROVENANCE = {"commit": str, "machine": dict}


def of_study(name: str, value: Any) -> None:
    """Raises ValueError, in words, where an attribute of a study is not as it should be."""
    if name == "about":
        _has(value, ABOUT, "what the study is about")
        _must(value["direction"] in ("minimize", "maximize"), "the study's direction is none")
        for searched, text in value["space"].items():
            _must(isinstance(text, str) and json_to_distribution(text), f"the range of {searched} is none")
    elif name.startswith(VOID_KEY):
        _has(value, VOID_ENTRY, "a void entry")
        _all(value["trials"], int, "a void entry")
    elif name == "looks":
        for evaluation in value:
            _has(evaluation, TEST_EVALUATION, "a test evaluation")
    elif name == "budget":
        _all(value.values(), (*NUMBER, NONE), "the budget")


def of_trial(name: str, value: Any, metric: str) -> None:
    """Raises ValueError, in words, where an attribute of a trial is not as it should be.

    Args:
        metric: what the study's scores are called.
    """
    if name == "about":
        _has(value, TRIAL, "what it is about")
        _has(value["config"], {"epochs": int}, "its configuration")
        _all(value["config"].values(), PLAIN, "its configuration")
        _all(value["fingerprint"].values(), str, "its fingerprint")
        _has(value["provenance"], PROVENANCE, "its origin")
        for number in ("draw", "retry_of", "confirms", "repeat"):
            _must(isinstance(value.get(number), (int, NONE)), f"its {number} is no number")
    elif name.startswith("epoch "):
        _has(value, EPOCH | {f"validation_{metric}": NUMBER}, name)
        _must(name == f"epoch {value['epoch']}", f"{name} is epoch {value['epoch']}")
        _all(value.values(), PLAIN[:-1], name)
    elif name == "outcome":
        _has(value, OUTCOME, "how it ended")
        _must(value["state"] in list(State), f"it ended as {value['state']!r}")
    elif name == "paused":
        _must(isinstance(value, (int, NONE)), "where it paused is no epoch")


def check(attributes: dict[str, Any], trials: list[FrozenTrial]) -> None:
    """Raises ValueError, in words, where a study or one of its trials is not as it should be.

    Trials that wait are not ours: another program put them there, and the next search takes them up.
    """
    of_study("about", attributes["about"])
    for name, value in attributes.items():
        of_study(name, value)
    for trial in trials:
        if trial.state != TrialState.WAITING:
            try:
                _check_trial(trial, attributes["about"]["metric"])
            except ValueError as error:
                raise ValueError(f"trial {trial.number}: {error}") from None


def _check_trial(trial: FrozenTrial, metric: str) -> None:
    attributes = trial.user_attrs
    _must(trial.datetime_start is not None, "it has no beginning")
    _all(trial.params, str, "what was drawn of it")
    _all(trial.params.values(), PLAIN, "what was drawn of it")
    for name, value in attributes.items():
        of_trial(name, value, metric)
    for epoch in trial.intermediate_values:
        _must(f"epoch {epoch}" in attributes, f"epoch {epoch} is missing")
    if trial.state.is_finished() and trial.state != TrialState.FAIL:
        _check_ended(trial, attributes.get("about"), attributes.get("outcome"))


def _check_ended(trial: FrozenTrial, about: dict[str, Any] | None, outcome: dict[str, Any] | None) -> None:
    """Of a trial that came to an end by itself."""
    if not (about and outcome and trial.datetime_complete):
        raise ValueError("it ended, and nothing says how")
    if trial.state == TrialState.COMPLETE or outcome["state"] == "completed":
        _must(trial.state == TrialState.COMPLETE and outcome["state"] == "completed", "it ended twice")
        _must(trial.intermediate_values, "it is completed and has no epochs")
        _all([*(trial.values or [None]), outcome["standard_error"]], NUMBER, "its score")


def _has(value: Any, types: dict[str, Any], what: str) -> None:
    """Raises ValueError where a dictionary lacks one of these names, or has it with another type."""
    _must(isinstance(value, dict), f"{what} is missing")
    for name, type_ in types.items():
        _must(isinstance(value.get(name, _has), type_), f"{what} has no {name}, or a wrong one")


def _all(values: Any, type_: Any, what: str) -> None:
    _must(all(isinstance(value, type_) for value in values), f"{what} has a value of another type")


def _must(holds: Any, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
