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


def readable(text, letters=1000):
    """A text in one line: what cannot be printed as its escape, and without its middle where it is long."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))
    return shown if len(shown) <= letters else f"{shown[: letters // 2]} ... {shown[-letters // 3 :]}"


class TrialLost(Exception):
    """Another coordinator presumed this one dead and closed its trial."""


def one_line(error, letters=200):
    """An exception in one line of so many letters at the most."""
    try:
        message = " ".join(str(error).split())[:letters]
    except BaseException as another:  # the exception is of a user's class, which may fail to show itself
        message = f"(its message cannot be shown: {type(another).__name__})"
    name = type(error).__name__
    return readable(f"{name}: {message}"[:letters] if message else name)[:letters]


def unknown(what, seen, valid):
    """A UsageError that names the valid choices, and the one that was probably meant."""
    valid = sorted(valid)
    near = difflib.get_close_matches(str(seen), valid, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(f"unknown {what} {seen!r}: valid are {', '.join(valid) or 'none yet'}.{hint}")
