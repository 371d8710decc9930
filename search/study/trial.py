"""A trial as all of Trialbook sees it: one configuration and what came of it."""

import math
from dataclasses import dataclass, field
from datetime import datetime

from optuna.trial import TrialState

from search.study.void import Crossing

STATES = ("running", "completed", "pruned", "diverged", "infeasible", "failed", "interrupted")
KINDS = (*STATES[1:], "repeats", "void", "aside")  # what a trial that ended is counted as: see `Trial.kind`


@dataclass(frozen=True)
class Trial:
    """One configuration and what came of it.

    running       being trained, or `paused` until it is its turn to go on
    completed     trained to the end: it has a score
    pruned        given up, since others lead: see `search.strategy.halving`
    diverged      its loss was no longer finite; its curve ends with the last finite values
    infeasible    its task rejects the hyperparameters that were drawn: it was never trained
    failed        an error ended it
    interrupted   its search ended before it did; it does not count, and is retried
    """

    number: int
    draw: int | None  # which of the study's configurations this is; a retry has that of its first try
    retry_of: int | None
    confirms: int | None  # the trial whose configuration this trains again, on a fresh seed: a repeat
    repeat: int | None  # which of those, from 1; repeats of one number share their seed
    proposal: str  # why this configuration was tried
    state: str
    reason: str  # why it ended
    config: dict  # all fields of the task's Config
    params: dict  # those of them that are searched
    score: float | None  # of the trained model on validation data; completed trials only
    standard_error: float | None
    curve: list = field(
        repr=False
    )  # one dict an epoch: epoch, the metrics, seconds (of this epoch), time (Unix seconds)
    started: datetime
    ended: datetime | None
    weights: int | None  # numbers that the network learns; None where they cannot be counted
    fingerprint: dict  # digests of "code", "space" and "data"
    provenance: dict = field(repr=False)
    coordinator: str | None = None  # which of those that share the study trains it
    paused: bool = False  # it runs, but waits
    crossed: Crossing | None = None  # out, and why

    @property
    def epochs(self):
        """How many it was trained."""
        return self.curve[-1]["epoch"] if self.curve else 0

    @property
    def counts(self):
        """Whether the search may learn from it: a trial of its own that is not crossed out."""
        return self.confirms is None and self.crossed is None

    @property
    def kind(self):
        """What it is counted as: its state, unless it is crossed out or repeats another."""
        if self.crossed:
            return self.crossed.action
        return "repeats" if self.confirms is not None else self.state

    @property
    def size(self):
        """Its weights, to be sorted by; infinite where they cannot be counted."""
        return math.inf if self.weights is None else self.weights

    @property
    def seconds(self):
        """How long it trained; where it ended before its first epoch did, how long that took."""
        trained = sum(entry["seconds"] for entry in self.curve)
        passed = (self.ended - self.started).total_seconds() if self.ended else 0.0
        return trained or max(0.0, passed)  # a clock may have been set back


def numbers(entry):
    """The part of an epoch that is numbers; the rest is text."""
    return {name: value for name, value in entry.items() if not isinstance(value, str)}


def view(frozen, crossed=None):
    """The Trial that one of Optuna's frozen trials stands for; `crossed` is the Crossing in force."""
    about = frozen.user_attrs.get("about", {})
    outcome = frozen.user_attrs.get("outcome", {})
    state = _state(frozen.state, outcome.get("state"))
    epochs = sorted(frozen.intermediate_values)
    return Trial(
        number=frozen.number,
        draw=about.get("draw"),
        retry_of=about.get("retry_of"),
        confirms=about.get("confirms"),
        repeat=about.get("repeat"),
        proposal=about.get("proposal", ""),
        state=state,
        reason=outcome.get("reason", "its search was killed" if state == "interrupted" else ""),
        config=about.get("config", {}),
        params=frozen.params,
        score=frozen.value if state == "completed" else None,
        standard_error=outcome.get("standard_error"),
        curve=[frozen.user_attrs[f"epoch {epoch}"] for epoch in epochs],
        started=frozen.datetime_start,
        ended=frozen.datetime_complete,
        weights=about.get("weights"),
        fingerprint=about.get("fingerprint", {}),
        provenance=about.get("provenance", {}),
        coordinator=about.get("coordinator"),
        paused=state == "running" and frozen.user_attrs.get("paused") in epochs[-1:],
        crossed=crossed,
    )


def _state(optuna_state, outcome):
    """A search that was killed leaves a trial with no outcome, or with one that was never told."""
    if optuna_state == TrialState.RUNNING:
        return "running"
    if optuna_state == TrialState.FAIL:
        return "failed" if outcome == "failed" else "interrupted"
    return outcome
