"""Ctrl-C and SIGTERM, as whatever runs for long takes them."""

import math
import os
import signal
import time
from types import FrameType

GRACE = 5.0  # seconds after a signal in which the log is brought up to date


class Signals:
    """Ctrl-C and SIGTERM: the first one ends the search cleanly, a second one at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._at = math.inf

    def overdue(self) -> bool:
        """Whether a signal came so long ago that what can be done by a later search is left to it."""
        return time.monotonic() > self._at + GRACE

    def __enter__(self) -> "Signals":
        self._before = {
            number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)
        self.received, self._at = number, time.monotonic()

    @property
    def exit_code(self) -> int:
        return 0 if self.received is None else 128 + self.received
