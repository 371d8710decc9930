"""What won other tasks: a search begins with that, since networks of a kind want much the same.

They are read from the frozen scripts, never run. A task's own winner is none of them: a search is to
find it without having been told.
"""

import objectives
from search import freeze, places, tasks


def starts(task):
    """Configurations to begin with, each a dict of searched hyperparameters, as near as the ranges allow."""
    ranges, found = tasks.ranges(task), []
    for name in objectives.names():
        path = places.frozen(name)
        if name == tasks.name_of(task) or not path.exists():
            continue
        start = _start(ranges, path)
        if start is not None and start not in found:
            found.append(start)
    return found


def _start(ranges, path):
    """What a frozen script holds of these ranges; None where that is not all of them, or cannot be read."""
    try:
        won = freeze.values(path)
        return {name: _nearest(ranges[name], won[name]) for name in ranges}
    except freeze.UNREADABLE:
        return None


def _nearest(ranges, value):
    """The value of a range that is nearest to this one."""
    if hasattr(ranges, "choices"):
        if value in ranges.choices:
            return value
        return min(ranges.choices, key=lambda choice: abs(choice - value))
    value = min(max(value, ranges.low), ranges.high)
    if ranges.step is None:
        return value
    return ranges.low + ranges.step * round((value - ranges.low) / ranges.step)
