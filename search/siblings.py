"""What won other tasks: a search begins with that, since networks of a kind want much the same.

They are read from the frozen scripts, never run. A task's own winner is none of them: a search is to
find it without having been told.
"""

import ast

import objectives
from search import places, tasks


def starts(task):
    """Configurations to begin with, each a dict of searched hyperparameters, as near as the ranges allow."""
    ranges, found = tasks.ranges(task), []
    for name in objectives.names():
        path = places.frozen(name)
        if name == tasks.name_of(task) or not path.exists():
            continue
        won = _defaults(path)
        if ranges.keys() <= won.keys():
            start = {each: _nearest(ranges[each], won[each]) for each in ranges}
            if start not in found:
                found.append(start)
    return found


def _defaults(path):
    """The fields of a frozen script's Config."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    config = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config")
    fields = [node for node in config.body if isinstance(node, ast.AnnAssign)]
    return {field.target.id: ast.literal_eval(field.value) for field in fields}


def _nearest(ranges, value):
    """The value of a range that is nearest to this one."""
    if hasattr(ranges, "choices"):
        return min(ranges.choices, key=lambda choice: abs(choice - value))
    value = min(max(value, ranges.low), ranges.high)
    if ranges.step is None:
        return value
    return ranges.low + ranges.step * round((value - ranges.low) / ranges.step)
