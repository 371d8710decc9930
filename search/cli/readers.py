"""The readers of options: what was typed, as a value, or a one-line error.

A reader takes the name of an option, as messages show it, and the typed text. It returns the value, or raises
UsageError.
"""

import math
import os
import re
from collections.abc import Callable
from typing import Any

from search import storage
from search.errors import UsageError
from search.storage import StudyStore

Reader = Callable[[str, str], Any]


def whole(low: int, high: int) -> Reader:
    """A reader of a whole number."""

    def read(name: str, text: str) -> int:
        if not re.fullmatch("[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise UsageError(f"{name} {text!r} is not valid: a whole number from {low} to {high}")
        return int(text)

    return read


def seconds(name: str, text: str) -> float:
    """Read a time."""
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", text) or float(text) == 0:
        raise UsageError(f"{name} {text!r} is not valid: seconds, more than 0 and less than 10000000")
    return float(text)


def share(name: str, text: str) -> float:
    """Read an amount of CPUs, GPUs or memory."""
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text):
        raise UsageError(f"{name} {text!r} is not valid: a number from 0 to 9999, as 2 or 0.25")
    return float(text)


def number(name: str, text: str) -> float:
    """Read any finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{name} {text!r} is not valid: a number")
    return value


def replicates(name: str, text: str) -> int:
    """Read a number of fresh seeds. A single one has no standard error."""
    if text != "0" and not (re.fullmatch("[0-9]{1,3}", text) and 2 <= int(text) <= 100):
        raise UsageError(f"{name} {text!r} is not valid: a whole number from 2 to 100, or 0 for none")
    return int(text)


def sentence(name: str, text: str) -> str:
    """Read a reason."""
    if not text.strip() or len(text) > 300 or not text.isprintable():
        raise UsageError(f"{name} {text[:40]!r} is not valid: one line of 1 to 300 characters")
    return text.strip()


def database(_name: str, text: str) -> str:
    """Read the address of a database."""
    from search.storage import postgres

    postgres.check(text)
    return text


def store(name: str, text: str) -> StudyStore:
    """Read the address of a database as a store of studies."""
    return storage.chosen(database(name, text))


def destination(name: str, text: str) -> str:
    """Read the target of a copy."""
    return text if text == "files" else database(name, text)


def server(name: str, text: str) -> str:
    """Read the address of a tracking server."""
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise UsageError(f"{name} {text!r} is not valid: http://host:port, without a password")
    return text


def path(_name: str, text: str) -> str:
    """Read a path. `~` is the home folder: no shell expands it after NAME=."""
    return os.path.expanduser(text)


def folder(name: str, text: str) -> str:
    """Read the path of an existing folder."""
    if not os.path.isdir(path(name, text)):
        raise UsageError(f"{name} {text!r} is not a folder")
    return path(name, text)


def anything(_name: str, text: str) -> str:
    """Read any text. The command checks it."""
    return text


def flag(name: str, text: str) -> bool:
    """Read a switch. `search.cli.app` turns a lone `--test` into `--test=1`."""
    if text not in ("1", "0"):
        raise UsageError(f"{name} {text!r} is not valid: nothing, 1 or 0")
    return text == "1"
