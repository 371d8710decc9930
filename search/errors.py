"""What can go wrong, and the exit code of each.

    TrialbookError          1   the search itself failed
    |-- UsageError          2   what was typed is wrong; nothing was written
    |   `-- TaskError       2   a task's file breaks the contract that `objectives/__init__.py` states
    |-- StoreError          3   a store cannot be read or written
    |-- StudyConflict       4   the study is busy, or belongs to another task or other data
    |-- NoWinner            5   there is no valid winner yet
    `-- Damage              6   an audit or a doctor found what should not be

Each message is one line for a person: what was wrong, what was seen, what is valid.
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


class Damage(TrialbookError):
    exit_code = 6


class TrialLost(Exception):
    """Another coordinator presumed this one dead and closed its trial."""


def unknown(what: str, seen: object, valid: Iterable[str]) -> UsageError:
    """A UsageError that names the valid choices, and the one that was probably meant."""
    valid = sorted(valid)
    near = difflib.get_close_matches(str(seen), valid, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(f"unknown {what} {seen!r}: valid are {', '.join(valid) or 'none yet'}.{hint}")
