"""Reports and scores as a task hands them over, checked and converted to plain values.

Each function raises TypeError or ValueError in one line, which becomes the reason why a trial failed. It
names the function of the task, the value seen and the valid values.
"""

import math
from collections.abc import Mapping

from search.primitives.text import one_line
from search.primitives.values import number, plain, shown
from search.trainers.messages import Entry, Score

NAME_LETTERS = 1000  # of a metric's name, at the most
TEXT_LETTERS = 100_000  # of a text that are kept
CUT = " ... (cut: the text had {:,} letters)"
OWN_NAMES = ("epoch", "seconds", "time")  # of an entry; a metric of such a name becomes `reported_epoch`


class Reports:
    """The reports of one training.

    Args:
        metric: the task's METRIC.
        epochs: the last epoch, which is to be reported.
    """

    def __init__(self, metric: str, epochs: int) -> None:
        self._needed = ("train_loss", "validation_loss", f"validation_{metric}")
        self._epochs = epochs
        self._last = 0

    def entry(self, epoch: object, metrics: object) -> Entry:
        """A report as an entry of the trial's curve: a copy, in plain values."""
        epoch = self._checked_epoch(epoch)
        entry = {"epoch": epoch, **self._checked_metrics(metrics)}
        self._last = epoch
        return entry

    def check_end(self) -> None:
        """Raise ValueError where the last epoch was not reported."""
        if not self._last:
            raise ValueError(
                f"train reported no epoch: the last report must be of epoch {self._epochs}, `epochs`"
            )
        if self._last != self._epochs:
            seen = f"train ended after the report of epoch {self._last} of {self._epochs}"
            raise ValueError(f"{seen}: the last report must be of epoch {self._epochs}, `epochs`")

    def _checked_epoch(self, epoch: object) -> int:
        valid = f"an int, greater than the one before and at most {self._epochs}"
        try:
            value = plain(epoch)
        except Exception:  # a user's class may raise anything
            value = None
        if type(value) is not int:
            raise TypeError(
                f"report: epoch is {shown(epoch)} of type {type(epoch).__name__}: valid is {valid}"
            )
        if value > self._epochs:
            raise ValueError(f"report: epoch {value} is beyond the last, {self._epochs}, which is `epochs`")
        if value <= self._last:
            raise ValueError(f"report: epoch {value} after epoch {self._last}: valid is {valid}")
        return value

    def _checked_metrics(self, metrics: object) -> Entry:
        if not isinstance(metrics, Mapping):
            seen = f"{shown(metrics)} of type {type(metrics).__name__}"
            raise TypeError(f"report: metrics are {seen}: valid is a dict of names and numbers")
        entry = {}
        for key, value in dict(metrics).items():
            name = _checked_name(key)
            if name in entry:
                raise ValueError(f"report: two metrics are named {shown(name)}: each needs its own name")
            entry[name] = self._checked_value(name, value)
        if missing := [name for name in self._needed if name not in entry]:
            raise ValueError(
                f"report: metrics lack {', '.join(missing)}: valid are {', '.join(self._needed)}, and more"
            )
        return entry

    def _checked_value(self, name: str, value: object) -> int | float | str:
        text_is_valid = name not in self._needed
        if isinstance(value, str) and text_is_valid:
            return _text(value)
        valid = "a number or a text" if text_is_valid else "a number"
        return _number(value, f"report: metric {name!r}", valid)


def score(result: object) -> Score:
    """A score and its standard error. They may be NaN or infinite where the score is: it diverged."""
    valid = "valid is (value, standard_error)"
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise TypeError(f"score returned {shown(result)} of type {type(result).__name__}: {valid}")
    value = float(_number(result[0], "score: the value", "a number"))
    error = float(_number(result[1], "score: the standard error", "a number"))
    if math.isfinite(value) and not 0 <= error < math.inf:
        raise ValueError(
            f"score: the standard error is {error}: valid is a finite number that is not negative"
        )
    return value, error


def cause(error: BaseException, letters: int) -> str:
    """Why a training failed, in one line."""
    if isinstance(error, SystemExit):
        return f"the training called sys.exit({'' if error.code is None else shown(error.code)})"
    return one_line(error, letters)


def _checked_name(name: object) -> str:
    valid = f"a printable text of 1 to {NAME_LETTERS} letters"
    if not isinstance(name, str):
        raise TypeError(
            f"report: a metric's name is {shown(name)} of type {type(name).__name__}: valid is {valid}"
        )
    name = str.__str__(name)
    if not name or len(name) > NAME_LETTERS or not name.isprintable():
        raise ValueError(f"report: a metric's name is {ascii(shown(name))}: valid is {valid}")
    return f"reported_{name}" if name in OWN_NAMES else name


def _number(value: object, what: str, valid: str) -> int | float:
    """A value as a number, which may be NaN or infinite."""
    try:
        return number(value)
    except OverflowError:
        raise ValueError(f"{what} is {shown(value)}, which no float can hold: valid is {valid}") from None
    except Exception:  # a user's class may raise anything
        raise TypeError(
            f"{what} is {shown(value)} of type {type(value).__name__}: valid is {valid}"
        ) from None


def _text(text: str) -> str:
    """A text as it is kept: cut where it is long, and valid in every store."""
    text = str.__str__(text)
    kept = text[:TEXT_LETTERS] + (CUT.format(len(text)) if len(text) > TEXT_LETTERS else "")
    return kept.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
