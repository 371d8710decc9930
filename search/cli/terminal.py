"""What is printed for a person: names, paths and commands stay whole, so that they can be copied."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from search.errors import TrialbookError
from search.primitives.text import readable
from search.storage import StudyStore

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDEST = 10_000  # columns, more than any table needs


def console(soft_wrap: bool = True, width: int | None = None) -> "Console":
    """A console that changes no text and, with `soft_wrap`, breaks no line; without, it can be drawn on.

    `width` is that of the terminal, unless it is given.
    """
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=soft_wrap, width=width)


def show(renderable: "RenderableType", unwrapped: bool = False) -> None:
    """Print tables and texts, wider than the terminal where a word, or an `unwrapped` cell, does not fit."""
    from rich.measure import Measurement

    terminal = console(soft_wrap=False)
    measured = Measurement.get(terminal, terminal.options.update(width=WIDEST), renderable)
    needed = measured.maximum if unwrapped else measured.minimum
    console(soft_wrap=False, width=max(terminal.width, needed)).print(renderable)


def complain(error: object) -> None:
    """Print an error in one line."""
    print(f"error: {readable(error)}", file=sys.stderr)


def complain_of(unreadable: Mapping[str, TrialbookError], store: StudyStore) -> int:
    """Print the error of each unreadable study, then each stray file. Returns the exit code."""
    for name, error in unreadable.items():
        complain(error if name in str(error) else f"study {name!r}: {error}")
    for stray in store.strays():
        complain(stray)
    return max((error.exit_code for error in unreadable.values()), default=0)


class Output:
    """A stream that falls silent where its reader has gone, as `head` does: what is at work goes on.

    Args:
        stream: the stream to write to.
        farewell: a line for the standard error stream when that happens.
    """

    def __init__(self, stream: TextIO, farewell: str = "") -> None:
        self._stream, self._farewell = stream, farewell

    def write(self, text: str) -> int:
        self._attempt(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _attempt(self, write: Callable[..., Any], *arguments: str) -> None:
        try:
            write(*arguments)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if self._farewell:
                print(self._farewell, file=sys.stderr, flush=True)
