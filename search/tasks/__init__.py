"""Tasks as the search sees them.

registry    finds a task by its name; its ranges, its baseline, the size of its network
values      converts what a task's code hands over to plain values
"""

from search.tasks.registry import baseline, count_weights, describe, find, name_of, ranges

__all__ = ["baseline", "count_weights", "describe", "find", "name_of", "ranges"]
