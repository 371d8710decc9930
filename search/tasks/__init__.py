"""Tasks as the search sees them.

    registry    finds a task's module by its name
    space       the ranges that it searches, and the configurations drawn from them
    values      converts what a task's code hands over to plain values
    network     how large its network is
    contract    whether the task's file keeps the contract, before the first trial

Nothing here trains: see `search.trainers`.
"""

from search.tasks.contract import check, check_data, default_source, prepared
from search.tasks.network import count_weights
from search.tasks.registry import doc_of, find, name_of, question_of
from search.tasks.space import baseline, defaults, describe, draw, nearest, ranges, union

__all__ = [
    "baseline",
    "check",
    "check_data",
    "count_weights",
    "default_source",
    "defaults",
    "describe",
    "doc_of",
    "draw",
    "find",
    "name_of",
    "nearest",
    "prepared",
    "question_of",
    "ranges",
    "union",
]
