"""Crossing out: trials that a bug or a change made worthless stay written down, but count no longer.

A crossing is one entry in the study: an action on some trials, with who, when and why. The list of
them only grows; what holds for a trial is the latest entry about it.

    void      its result is wrong
    aside     its result was right for other code, ranges or data than those of today
    restore   it counts again
"""

import datetime
import getpass
import re
import socket
from dataclasses import asdict, dataclass

from search.errors import UsageError
from search.tasks.provenance import git

ACTIONS = ("void", "aside", "restore")
KEY = "crossing "  # and a number: an entry's name among the study's attributes


@dataclass(frozen=True)
class Crossing:
    """One entry of the list."""

    action: str
    trials: tuple  # their numbers
    reason: str
    who: str
    when: str  # ISO 8601, with the time zone

    def __str__(self):
        return f"{self.action}: {self.reason} ({', '.join(filter(None, (self.who, self.when)))})"


def entry(action, trials, reason):
    """A new entry, by whoever runs this, now."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        user = "unknown"
    return Crossing(action, tuple(sorted(trials)), reason, f"{user}@{socket.gethostname()}", now())


def now():
    """The time, as text: ISO 8601, with the time zone."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def ranges(numbers):
    """Numbers as people write them: "3-9, 14"."""
    runs = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def entries(attributes):
    """The list, from a study's attributes."""
    numbers = sorted(int(name.removeprefix(KEY)) for name in attributes if name.startswith(KEY))
    found = [attributes[f"{KEY}{number}"] for number in numbers]
    return [Crossing(**item | {"trials": tuple(item["trials"])}) for item in found]


def attribute(number, crossing):
    """An entry as a study's attribute: its name and its value."""
    return f"{KEY}{number}", asdict(crossing) | {"trials": list(crossing.trials)}


def in_force(crossings):
    """What holds now: trial number -> Crossing, for those that are crossed out."""
    holds = {number: crossing for crossing in crossings for number in crossing.trials}
    return {number: crossing for number, crossing in holds.items() if crossing.action != "restore"}


def chosen(trials, numbers=None, since=None, code=None):
    """The numbers of the trials that are meant by one of the three ways to name them. Raises UsageError.

    Args:
        trials: those to choose from.
        numbers: as "3-9,14".
        since: a time (ISO 8601), or a commit: trials of it and of those after it.
        code: the beginning of a fingerprint of the code.
    """
    given = [way for way in (numbers, since, code) if way is not None]
    if len(given) != 1:
        raise UsageError("which trials? Name them by one of TRIALS=3-9,14 or SINCE=time or commit or CODE=")
    if numbers is not None:
        found = _numbered(trials, numbers)
    elif since is not None:
        found = _since(trials, since)
    else:
        found = [
            trial.number for trial in trials if trial.fingerprint.get("code", "").startswith(code or " ")
        ]
    if not found:
        raise UsageError(f"no trial is meant by {given[0]!r}")
    return found


def _numbered(trials, text):
    there, found = {trial.number for trial in trials}, set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})(?:\s*-\s*(\d{1,7}))?\s*", part, re.ASCII)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"TRIALS {text!r} is not valid: numbers and ranges, as 3-9,14")
        wanted = range(int(match[1]), int(match[2] or match[1]) + 1)
        missing = next((number for number in wanted if number not in there), None)  # of millions, the first
        if missing is not None:
            raise UsageError(f"TRIALS {text!r}: there is no trial {missing}, only 0 to {len(there) - 1}")
        found |= set(wanted)
    return sorted(found)


def _since(trials, text):
    try:
        begin = datetime.datetime.fromisoformat(text).astimezone().replace(tzinfo=None)  # as trials have
    except (ValueError, OverflowError):  # the year 1 may be the year 0 here
        return _since_commit(trials, text)
    return [trial.number for trial in trials if trial.started >= begin]


def _since_commit(trials, text):
    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if commit is None:
        raise UsageError(f"SINCE {text!r} is neither a time (2026-11-25 or 2026-11-25T10:30) nor a commit")
    after = {
        trained: git("merge-base", "--is-ancestor", commit, trained) is not None
        for trained in {trial.provenance.get("commit", "none") for trial in trials}
    }
    return [trial.number for trial in trials if after[trial.provenance.get("commit", "none")]]
