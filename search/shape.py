"""What the records of a study look like as Trialbook writes them.

Optuna reads any JSON as an attribute. What is missing in it, or of another type, is damage: it is found
when a study is loaded, so that nothing else need ask.
"""

from optuna.distributions import json_to_distribution
from optuna.trial import TrialState

from search import crossing
from search.trial import STATES

NUMBER, PLAIN, NONE = (int, float), (int, float, str, type(None)), type(None)
ABOUT = {"task": str, "source": str, "digest": str, "seed": int, "metric": str, "direction": str}
ABOUT |= {"space": dict}
TRIAL = {"proposal": str, "config": dict, "weights": int, "fingerprint": dict, "provenance": dict}
EPOCH = {"epoch": int, "seconds": NUMBER, "time": NUMBER, "train_loss": NUMBER, "validation_loss": NUMBER}
OUTCOME = {"state": str, "reason": str, "standard_error": (*NUMBER, NONE)}
CROSSING = {"action": str, "trials": list, "reason": str, "who": str, "when": str}
LOOK = {"trial": int, "score": NUMBER, "standard_error": NUMBER, "time": str}
PROVENANCE = {"commit": str, "machine": dict}


def check(attributes, trials):
    """Raises ValueError, in words, where a study or one of its trials is not as it should be."""
    about = attributes["about"]
    _has(about, ABOUT, "what the study is about")
    _must(about["direction"] in ("minimize", "maximize"), "the study's direction is none")
    for name, text in about["space"].items():
        _must(isinstance(text, str) and json_to_distribution(text), f"the range of {name} is none")
    for entry in [value for name, value in attributes.items() if name.startswith(crossing.KEY)]:
        _has(entry, CROSSING, "what is crossed out")
        _all(entry["trials"], int, "what is crossed out")
    for look in attributes.get("looks", []):
        _has(look, LOOK, "a look at the test data")
    _all(attributes.get("budget", {}).values(), (*NUMBER, NONE), "the budget")
    for trial in trials:
        _check_trial(trial, f"validation_{about['metric']}", f"trial {trial.number}")


def _check_trial(trial, metric, name):
    attributes = trial.user_attrs
    _must(trial.datetime_start is not None, f"{name} has no beginning")
    _all(trial.params, str, f"what was drawn of {name}")
    _all(trial.params.values(), PLAIN, f"what was drawn of {name}")
    if about := attributes.get("about", {}):  # a search that was killed may have left none
        _has(about, TRIAL, f"what {name} is about")
        _has(about["config"], {"epochs": int}, f"the configuration of {name}")
        _all(about["config"].values(), PLAIN, f"the configuration of {name}")
        _all(about["fingerprint"].values(), str, f"the fingerprint of {name}")
        _has(about["provenance"], PROVENANCE, f"the origin of {name}")
        for number in ("draw", "retry_of", "confirms", "repeat"):
            _must(isinstance(about.get(number), (int, NONE)), f"{number} of {name} is no number")
    for epoch in trial.intermediate_values:
        entry = attributes.get(f"epoch {epoch}")
        _has(entry, EPOCH | {metric: NUMBER}, f"epoch {epoch} of {name}")
        _must(entry["epoch"] == epoch, f"epoch {epoch} of {name} is epoch {entry['epoch']}")
        _all(entry.values(), PLAIN[:-1], f"epoch {epoch} of {name}")
    if outcome := attributes.get("outcome", {}):
        _has(outcome, OUTCOME, f"how {name} ended")
        _must(outcome["state"] in STATES, f"{name} ended as {outcome['state']!r}")
    if trial.state.is_finished() and trial.state != TrialState.FAIL:
        _check_ended(trial, about, outcome, name)


def _check_ended(trial, about, outcome, name):
    """Of a trial that came to an end by itself."""
    _must(about and outcome and trial.datetime_complete, f"{name} ended, and nothing says how")
    if trial.state == TrialState.COMPLETE or outcome["state"] == "completed":
        _must(trial.state == TrialState.COMPLETE and outcome["state"] == "completed", f"{name} ended twice")
        _must(trial.intermediate_values, f"{name} is completed and has no epochs")
        _all([*(trial.values or [None]), outcome["standard_error"]], NUMBER, f"the score of {name}")


def _has(value, types, what):
    """Raises ValueError where a dictionary lacks one of these names, or has it with another type."""
    _must(isinstance(value, dict), f"{what} is missing")
    for name, type_ in types.items():
        _must(isinstance(value.get(name, _has), type_), f"{what} has no {name}, or a wrong one")


def _all(values, type_, what):
    _must(all(isinstance(value, type_) for value in values), f"{what} has a value of another type")


def _must(holds, otherwise):
    if not holds:
        raise ValueError(otherwise)
