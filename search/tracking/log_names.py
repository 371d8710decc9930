"""The names and texts that the log takes: metrics, hyperparameters, tags.

The study keeps each name as the task reported it. MLflow takes fewer names, and some belong to the log
itself. A local log and a tracking server get the same ones.
"""

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from search.primitives.text import readable
from search.study.trial import Trial

INVALID = re.compile(r"[^/\w.\- :]")  # MLflow's own rule
NO_PART = ("", ".", "..")  # of a name that is a path: it would name another place
MAX_NAME_BYTES = 230  # MLflow takes 250 letters, a file system 255 bytes, and "last_" may come before
OWN = ("epoch", "seconds", "time")  # what each epoch has besides what the task reported
# The log writes metrics of these names itself, and those that begin so.
RESERVED = (
    *(*OWN, "score", "score_standard_error", "weights", "seconds_total", "epochs_trained"),
    *("estimate", "estimate_standard_error"),
)
BEGINNINGS = ("best_", "last_", "confirmed_")


def log_name(name: str) -> str:
    """The name as the log has it: `name` itself where MLflow takes it."""
    valid = "/".join("_" if part in NO_PART else part for part in INVALID.sub("_", name).split("/"))
    if len(valid.encode()) <= MAX_NAME_BYTES:
        return valid
    start = valid.encode()[: MAX_NAME_BYTES - 9].decode(errors="ignore").rstrip("/.")
    return f"{start}_{_digest(name)}"


def log_text(text: str, letters: int) -> str:
    """A text as the log has it: valid Unicode, of so many letters at the most."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")[:letters]


@functools.lru_cache(1000)
def param_names(names: tuple[str, ...]) -> dict[str, str]:
    """The hyperparameters of one trial, each with its name in the log. Not to be changed."""
    return _distinct({name: log_name(name) for name in names})


def metric_names(entry: dict[str, Any]) -> dict[str, str]:
    """What a task reported at one epoch of a curve: each name with the one in the log."""
    return _metric_names(tuple(name for name in entry if name not in OWN))


def renamed(trials: Iterable[Trial]) -> dict[str, str]:
    """All that has another name in the log than in the study: name -> name in the log."""
    found: dict[str, str] = {}
    for trial in trials:
        found |= param_names(tuple(trial.config))
        for entry in trial.curve:
            found |= metric_names(entry)
            found |= {name: f"reported_{name}" for name in OWN if f"reported_{name}" in entry}
    return {name: called for name, called in found.items() if name != called}


def sentence(trials: Iterable[Trial]) -> str:
    """The renamed ones in a sentence; an empty text where all names are the same."""
    pairs = [
        f"{readable(name, 60)!r} is called {readable(called, 60)!r}"
        for name, called in renamed(trials).items()
    ]
    return f"In the log, {', '.join(pairs)}." if pairs else ""


@functools.lru_cache(1000)
def _metric_names(names: tuple[str, ...]) -> dict[str, str]:
    return _distinct({name: log_name(_unreserved(name)) for name in names})


def _unreserved(name: str) -> str:
    return f"reported_{name}" if name in RESERVED or name.startswith(BEGINNINGS) else name


def _distinct(names: dict[str, str]) -> dict[str, str]:
    """Names that differ: where several would share a name in the log, each gets a digest at its end."""
    count = Counter(names.values())
    return {
        name: called if count[called] == 1 or called == name else f"{called}_{_digest(name)}"
        for name, called in names.items()
    }


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
