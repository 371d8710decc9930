"""The errors of Trialbook, and the exit code of each.

    TrialbookError          1   the search itself failed
    |-- UsageError          2   an argument is wrong; nothing was written
    |   `-- TaskError       2   a task's file breaks the contract that `objectives/__init__.py` states
    |-- StoreError          3   a store cannot be read or written
    |-- StudyConflict       4   the study is busy, or belongs to another task or other data
    |-- NoWinner            5   there is no valid winner yet
    `-- IntegrityError      6   the audit found a violation, or the doctor something to repair

Each message is one line for a person: the value, the rule, the valid values.
"""

import difflib
from collections.abc import Iterable


class TrialbookError(Exception):
    exit_code = 1


class UsageError(TrialbookError):
    exit_code = 2


class TaskError(UsageError):
    pass


class StoreError(TrialbookError):
    exit_code = 3


class StudyConflict(TrialbookError):
    exit_code = 4


class NoWinner(TrialbookError):
    exit_code = 5


class IntegrityError(TrialbookError):
    exit_code = 6


class TrialLost(Exception):
    """Another coordinator presumed this one dead and closed its trial."""


def unknown(what: str, seen: object, valid: Iterable[str]) -> UsageError:
    """A UsageError that names the valid choices, and the one that is closest to the value."""
    valid = sorted(valid)
    near = difflib.get_close_matches(str(seen), valid, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(f"unknown {what} {seen!r}: valid are {', '.join(valid) or 'none yet'}.{hint}")
