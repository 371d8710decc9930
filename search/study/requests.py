"""Requests to a study: train a configuration of one's own, or make trials void or valid again.

Any program may ask, also while a search holds the study. The search carries a request out, and removes it.
What it writes names the request, so a request that it meets again after a kill is not carried out twice.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search import tasks
from search.errors import UsageError, unknown
from search.primitives.text import readable, settings
from search.primitives.values import Plain, shown
from search.storage import StudyStore
from search.storage.base import Record
from search.study.stored import StoredStudy
from search.study.study import Study
from search.study.trial import Trial, number_ranges
from search.study.view import StudyView
from search.tasks import Task, isolation

VoidAction = Literal["void", "restore"]
ACTIONS = ("void", "restore")
LONGEST_REASON, LONGEST_NAME = 300, 100  # letters of a reason, and of the name of a person
RETRY = " (retry of trial "  # and its number: the end of why a trial is tried again
LOOK_SECONDS = 1.0  # between two looks at what was asked


@dataclass(frozen=True)
class TrialRequest:
    """Train this configuration now, and to its end."""

    params: Mapping[str, Plain]  # all searched hyperparameters
    who: str

    def as_record(self) -> Record:
        """The request as a store keeps it."""
        return {"ask": "trial", "params": dict(self.params), "who": self.who}

    def __str__(self) -> str:
        return f"the configuration {settings(self.params)}, asked for by {self.who}"


@dataclass(frozen=True)
class VoidRequest:
    """Make trials void, or let them count again."""

    action: VoidAction
    numbers: tuple[int, ...]
    reason: str
    who: str

    def as_record(self) -> Record:
        """The request as a store keeps it."""
        return {"ask": self.action, "numbers": list(self.numbers), "reason": self.reason, "who": self.who}

    def __str__(self) -> str:
        result = "are void" if self.action == "void" else "count again"
        return f"trials {number_ranges(self.numbers)} {result}, asked for by {self.who}: {self.reason}"


@dataclass(frozen=True)
class OwnTrial:
    """A trial of a person's own configuration that is to start."""

    params: Mapping[str, Plain]
    why: str
    request: str | None  # its id
    earlier: Trial | None = None  # the trial of it that was interrupted


def read(record: Record) -> TrialRequest | VoidRequest:
    """The request that a store kept. Raises UsageError if it is not valid."""
    params, numbers, who = record.get("params"), record.get("numbers"), record.get("who")
    if isinstance(who, str) and record.get("ask") == "trial" and isinstance(params, dict):
        return TrialRequest(params, who)
    if isinstance(who, str) and isinstance(numbers, list) and all(type(each) is int for each in numbers):
        action = _action(record.get("ask"))
        return VoidRequest(action, tuple(numbers), _line("reason", record.get("reason"), LONGEST_REASON), who)
    raise UsageError(f"a request is not valid: {readable(repr(record), 100)}")


# Ask


def ask_for_trial(store: StudyStore, study: StudyView, params: Mapping[str, Any], who: str) -> str:
    """Ask for a training of a configuration of one's own. Returns the request's id.

    Args:
        params: some of the hyperparameters; the others take the task's defaults.
        who: the person who asks.

    Raises UsageError, and then asks nothing; StoreError.
    """
    request = TrialRequest(check_params(study.task, params), _line("who", who, LONGEST_NAME))
    return store.requests(study.name).put(request.as_record())


def ask_to_void(
    store: StudyStore, study: StudyView, action: str, numbers: Sequence[int], reason: str, who: str
) -> str:
    """Ask that trials become void, or with the action "restore" count again. Returns the request's id.

    Raises UsageError, and then asks nothing; StoreError.
    """
    request = VoidRequest(
        _action(action),
        check_numbers(study, numbers),
        _line("reason", reason, LONGEST_REASON),
        _line("who", who, LONGEST_NAME),
    )
    return store.requests(study.name).put(request.as_record())


def is_asked(study: StoredStudy) -> bool:
    """Whether requests wait, or a person's own configuration is to be retried."""
    waits = bool(study.store.requests(study.name).pending())
    return waits or study.tried().interrupted_own() is not None


# Check


def check_params(task: Task, given: Mapping[str, Any]) -> dict[str, Plain]:
    """All searched hyperparameters of a configuration. Those that are not given take the task's defaults.

    Raises UsageError if a name is unknown, or a value lies outside its range; TaskError.
    """
    known = tasks.ranges(task)
    for name in given:
        if name not in known:
            raise unknown("hyperparameter", name, known)
    default, wrong = tasks.default_values(task), []

    def pick(name: str, range_: BaseDistribution) -> Any:
        try:
            return _value(range_, given[name]) if name in given else default(name, range_)
        except ValueError as error:
            wrong.append(f"{name}={shown(given[name])} is not valid: {error}")
            return default(name, range_)

    sample = tasks.Sample(pick)
    with isolation.State("cpu"):  # the task's code runs here
        drawn = tasks.draw(task, sample, 0)
    if wrong:
        raise UsageError(wrong[0])
    if drawn.state:
        raise UsageError(f"task {tasks.name_of(task)!r} rejects {settings(sample.params)}: {drawn.reason}")
    if unused := [name for name in given if name not in sample.params]:
        others = settings(sample.params) or "no hyperparameters"
        raise UsageError(f"{unused[0]}={shown(given[unused[0]])} is not valid: not searched beside {others}")
    return sample.params


def check_numbers(study: StudyView, numbers: Sequence[int]) -> tuple[int, ...]:
    """The numbers of trials of a study, sorted, each once. Raises UsageError if there is no such trial."""
    existing = {trial.number for trial in study.trials()}
    for number in numbers:
        if type(number) is not int or number not in existing:
            valid = number_ranges(existing) or "none yet"
            raise UsageError(f"trial {shown(number)} is not in study {study.name!r}: valid are {valid}")
    if not numbers:
        raise UsageError("no trials are named")
    return tuple(sorted(set(numbers)))


def _value(range_: BaseDistribution, value: Any) -> Plain:
    """A value as a range has it. Raises ValueError, which says what is valid."""
    if isinstance(range_, CategoricalDistribution):
        is_truth = isinstance(value, bool)  # which equals 1 or 0
        for choice in range_.choices:
            if choice == value and isinstance(choice, bool) == is_truth:
                return choice
        raise ValueError("one of " + ", ".join(map(repr, range_.choices)))
    assert isinstance(range_, IntDistribution | FloatDistribution)
    is_whole = isinstance(range_, IntDistribution)
    valid = f"a {'whole ' if is_whole else ''}number, {tasks.describe(range_)}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not range_.low <= value <= range_.high or (is_whole and value != int(value)):
        raise ValueError(valid)
    steps = 0.0 if range_.step is None else (value - range_.low) / range_.step
    if not math.isclose(steps, round(steps), abs_tol=1e-8):
        raise ValueError(valid)
    return int(value) if is_whole else float(value)


def _action(action: object) -> VoidAction:
    if action not in ACTIONS:
        raise unknown("action", action, ACTIONS)
    return action  # type: ignore[return-value]  # mypy does not see that it is one of them


def _line(name: str, text: object, letters: int) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > letters or not text.isprintable():
        raise UsageError(f"{name} {shown(text, 40)} is not valid: one line of 1 to {letters} characters")
    return text.strip()


# Carry out


class Inbox:
    """The requests to a study that this process holds.

    Args:
        say: takes a line about each request that was carried out or dropped, but for trials that start.
    """

    def __init__(self, study: Study, say: Callable[[str], object]) -> None:
        self._study, self._say = study, say
        self._requests = study.store.requests(study.name)
        self._asked: dict[str, TrialRequest] = {}  # the trials that are to start, the oldest first
        self._next_look = -math.inf

    def look(self, at_once: bool = False) -> bool:
        """Make trials void as asked; once a second, unless `at_once`. Returns whether trials are to start."""
        if at_once or time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            if pending := self._requests.pending():
                self._study.exclusive(lambda: self._take(pending))
        return bool(self._asked)

    def next_trial(self, start: Callable[[OwnTrial], Trial]) -> Trial | None:
        """Start the own configuration whose turn it is, first those to be retried; None if there is none.

        Call it in an exclusive section of the study.
        """
        if earlier := self._study.tried().interrupted_own():
            why = f"{earlier.proposal.partition(RETRY)[0]}{RETRY}{earlier.number})"
            return start(OwnTrial(earlier.params, why, earlier.request, earlier))
        while self._asked:
            request, asked = next(iter(self._asked.items()))
            trial = self._start(request, asked, start)
            self._finish(request)
            if trial is not None:
                return trial
        return None

    def _start(self, request: str, asked: TrialRequest, start: Callable[[OwnTrial], Trial]) -> Trial | None:
        """Start a trial, unless it was started before, or its configuration is no longer valid."""
        if self._study.trial_of(request):
            return None
        try:
            params = check_params(self._study.task, asked.params)
        except UsageError as error:  # the ranges are not those of the program that asked
            self._drop(asked, error)
            return None
        return start(OwnTrial(params, f"own configuration, asked for by {asked.who}", request))

    def _take(self, pending: Sequence[tuple[str, Record]]) -> None:
        """Sort out the requests that wait, and carry out those that need no training."""
        self._asked = {}
        for request, record in pending:
            try:
                asked = read(record)
            except UsageError as error:
                self._drop("A request", error)
                self._finish(request)
                continue
            if isinstance(asked, TrialRequest):
                self._asked[request] = asked
            else:
                self._void(request, asked)
                self._finish(request)

    def _void(self, request: str, asked: VoidRequest) -> None:
        if any(entry.request == request for entry in self._study.void_entries()):
            return
        try:
            numbers = check_numbers(self._study, asked.numbers)
        except UsageError as error:
            self._drop(asked, error)
            return
        self._study.void(asked.action, numbers, asked.reason, asked.who, request)
        self._say(_sentence(asked))

    def _drop(self, asked: object, error: UsageError) -> None:
        self._say(f"{_sentence(asked)} (dropped: {error})")

    def _finish(self, request: str) -> None:
        self._requests.remove(request)
        self._asked.pop(request, None)


def _sentence(asked: object) -> str:
    text = str(asked)
    return text[:1].upper() + text[1:]
