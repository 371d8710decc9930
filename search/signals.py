"""Ctrl-C and SIGTERM, as whatever runs for long takes them."""

import math
import os
import signal
import time

GRACE = 5.0  # seconds after a signal in which the log is brought up to date


class Signals:
    """Ctrl-C and SIGTERM: the first one ends the search cleanly, a second one at once."""

    def __init__(self):
        self.received = None
        self._at = math.inf

    def overdue(self):
        """Whether a signal came so long ago that what can be done by a later search is left to it."""
        return time.monotonic() > self._at + GRACE

    def __enter__(self):
        self._before = {
            number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number, _frame):
        if self.received is not None:
            os._exit(128 + number)
        self.received, self._at = number, time.monotonic()

    @property
    def exit_code(self):
        return 0 if self.received is None else 128 + self.received
