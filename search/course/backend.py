"""What is wrong with the way that matplotlib is told to draw."""

import os

from search.errors import UsageError


def wrong_backend() -> UsageError:
    """The UsageError for a backend that matplotlib does not know, and so cannot be imported with."""
    seen = os.environ.get("MPLBACKEND")
    return UsageError(f"MPLBACKEND {seen!r} is not valid: agg, or nothing, which chooses one")
