"""A trial: one configuration and its result."""

import datetime
import getpass
import math
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial

Action = Literal["void", "superseded", "restore"]
Curve = list[dict[str, Any]]
VOID_KEY = "crossing "  # and a number: a void entry's name among the study's attributes
STORED_ACTIONS: dict[Action, str] = {"void": "void", "superseded": "aside", "restore": "restore"}


class TrialState(StrEnum):
    """How far a trial is, or how it ended."""

    RUNNING = "running"  # being trained, or `paused` until it is its turn to resume
    COMPLETED = "completed"  # trained to the end: it has a score
    PRUNED = "pruned"  # given up, since others lead: see `search.strategy.halving`
    DIVERGED = "diverged"  # its loss was no longer finite; its curve ends with the last finite values
    INFEASIBLE = "infeasible"  # its task rejects the hyperparameters that were drawn: it was never trained
    FAILED = "failed"  # an error ended it
    INTERRUPTED = "interrupted"  # its search ended before it did; it does not count, and is retried


KINDS = (
    *(str(state) for state in TrialState if state != TrialState.RUNNING),
    "replicates",
    "void",
    "superseded",
)


@dataclass(frozen=True)
class VoidEntry:
    """One entry of the list of void trials. The list only grows; a trial's latest entry is the active one.

    void          the result is wrong
    superseded    the result is right for other code, ranges or data than today's
    restore       the trial counts again
    """

    action: Action
    trials: tuple[int, ...]  # their numbers
    reason: str
    who: str
    when: str  # ISO 8601, with the time zone
    request: str | None = None  # the id of the request that asked for it: see `search.study.requests`

    def __str__(self) -> str:
        return f"{self.action}: {self.reason} ({', '.join(filter(None, (self.who, self.when)))})"

    @classmethod
    def now(
        cls,
        action: Action,
        trials: Iterable[int],
        reason: str,
        who: str | None = None,
        request: str | None = None,
    ) -> "VoidEntry":
        """A new entry, by default by the user who runs this process."""
        return cls(action, tuple(sorted(trials)), reason, who or this_user(), now(), request)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "VoidEntry":
        """An entry from its stored values."""
        actions = {stored: action for action, stored in STORED_ACTIONS.items()}
        changed = {"action": actions.get(record["action"], record["action"])}
        return cls(**{**record, **changed, "trials": tuple(record["trials"])})

    def as_record(self) -> dict[str, Any]:
        """The values as a study stores them."""
        record = asdict(self) | {"action": STORED_ACTIONS[self.action], "trials": list(self.trials)}
        if self.request is None:  # earlier versions read such an entry too
            del record["request"]
        return record


def this_user() -> str:
    """The user who runs this process, and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def now() -> str:
    """The time, as text: ISO 8601, with the time zone."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def void_entries(attributes: Mapping[str, Any]) -> list[VoidEntry]:
    """The list of void entries, from a study's attributes."""
    numbers = sorted(int(name.removeprefix(VOID_KEY)) for name in attributes if name.startswith(VOID_KEY))
    return [VoidEntry.from_record(attributes[f"{VOID_KEY}{number}"]) for number in numbers]


def active(entries: Iterable[VoidEntry]) -> dict[int, VoidEntry]:
    """The entry that holds for each trial that does not count, by the trial's number."""
    latest = {number: entry for entry in entries for number in entry.trials}
    return {number: entry for number, entry in latest.items() if entry.action != "restore"}


def number_ranges(numbers: Iterable[int]) -> str:
    """Numbers as people write them: "3-9, 14"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


@dataclass(frozen=True)
class Trial:
    """One configuration and its result."""

    number: int
    draw: int | None  # which of the study's configurations; a retry has that of its first try: see `is_own`
    retry_of: int | None
    replicate_of: int | None  # the trial whose configuration this one trains again, on a fresh seed
    replicate: int | None  # which of those, from 1; replicates of one number share their seed
    proposal: str  # why this configuration was tried
    state: TrialState
    reason: str  # why it ended
    config: dict[str, Any]  # all fields of the task's Config
    params: dict[str, Any]  # those of them that are searched
    score: float | None  # of the trained model on validation data; completed trials only
    standard_error: float | None
    curve: Curve = field(repr=False)  # a dict an epoch: epoch, metrics, seconds (of it), time (Unix seconds)
    started: datetime.datetime
    ended: datetime.datetime | None
    weights: int | None  # numbers that the network learns; None if they cannot be counted
    fingerprint: dict[str, str]  # digests of "code", "space" and "data"
    provenance: dict[str, Any] = field(repr=False)
    coordinator: str | None = None  # which of several coordinators trains it
    paused: bool = False  # it runs, but waits
    void: VoidEntry | None = None  # why it does not count
    request: str | None = None  # the id of the request that asked for it: see `search.study.requests`

    @property
    def epochs(self) -> int:
        """The number of epochs that it was trained."""
        return int(self.curve[-1]["epoch"]) if self.curve else 0

    @property
    def counts(self) -> bool:
        """Whether the search may learn from it: it is neither void nor a replicate."""
        return self.replicate_of is None and self.void is None

    @property
    def is_own(self) -> bool:
        """Whether a person chose its configuration. The draws of such trials are -1, -2 and so on."""
        return self.draw is not None and self.draw < 0

    @property
    def kind(self) -> str:
        """One of KINDS, or "running": its state, unless it is void or a replicate."""
        if self.void:
            return self.void.action
        return "replicates" if self.replicate_of is not None else str(self.state)

    @property
    def size(self) -> float:
        """The number of weights, as a sort key; infinite if they cannot be counted."""
        return math.inf if self.weights is None else self.weights

    @property
    def seconds(self) -> float:
        """The time it trained; before its first epoch ended, the time from start to end."""
        trained = sum(entry["seconds"] for entry in self.curve)
        passed = (self.ended - self.started).total_seconds() if self.ended else 0.0
        return float(trained) or max(0.0, passed)  # a clock may have been set back


def numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an epoch. The rest of it is text."""
    return {name: value for name, value in entry.items() if not isinstance(value, str)}


def from_optuna(frozen: FrozenTrial, void: VoidEntry | None = None) -> Trial:
    """The Trial that one of Optuna's frozen trials stands for."""
    about = frozen.user_attrs.get("about", {})
    outcome = frozen.user_attrs.get("outcome", {})
    state = _state(frozen.state, outcome.get("state", ""))
    epochs = sorted(frozen.intermediate_values)
    killed = "its search was killed" if state == TrialState.INTERRUPTED else ""
    assert frozen.datetime_start is not None
    return Trial(
        number=frozen.number,
        draw=about.get("draw"),
        retry_of=about.get("retry_of"),
        replicate_of=about.get("confirms"),
        replicate=about.get("repeat"),
        proposal=about.get("proposal", ""),
        state=state,
        reason=outcome.get("reason", killed),
        config=about.get("config", {}),
        params=frozen.params,
        score=frozen.value if state == TrialState.COMPLETED else None,
        standard_error=outcome.get("standard_error"),
        curve=[frozen.user_attrs[f"epoch {epoch}"] for epoch in epochs],
        started=frozen.datetime_start,
        ended=frozen.datetime_complete,
        weights=about.get("weights"),
        fingerprint=about.get("fingerprint", {}),
        provenance=about.get("provenance", {}),
        coordinator=about.get("coordinator"),
        paused=state == TrialState.RUNNING and frozen.user_attrs.get("paused") in epochs[-1:],
        void=void,
        request=about.get("request"),
    )


def _state(optuna_state: optuna.trial.TrialState, outcome: str) -> TrialState:
    """A killed search leaves a trial without an outcome, or with one that was never committed."""
    if optuna_state == optuna.trial.TrialState.RUNNING:
        return TrialState.RUNNING
    if optuna_state == optuna.trial.TrialState.FAIL:
        return TrialState.FAILED if outcome == "failed" else TrialState.INTERRUPTED
    return TrialState(outcome)
