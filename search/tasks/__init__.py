"""Tasks as the search sees them.

    task        the types of a task: Task, TaskConfig, DataSource, Suggester
    registry    finds a task's module by its name
    contract    checks before the first trial that the task's file keeps the contract
    space       draws configurations, and knows the ranges that they are drawn from
    network     counts the weights of a configuration's network
    device      chooses where tensors are: on the processor or on a GPU
    isolation   keeps the state of the process that a task's code may change apart for each training
    provenance  describes where a trial was trained: code, machine, versions

Data flow: `find` imports a task, `check` and `check_data` call each part of it once, and `draw` turns
suggested values into the fields of its Config, as plain values. Nothing here trains a network.
"""

from search.tasks.contract import check, check_data, default_source, prepared
from search.tasks.network import count_weights
from search.tasks.registry import doc_of, find, name_of, question_of
from search.tasks.space import (
    Sample,
    baseline,
    default_values,
    defaults,
    describe,
    draw,
    nearest,
    ranges,
    union,
)
from search.tasks.task import DataSource, Suggester, Task, TaskConfig

__all__ = [
    "DataSource",
    "Sample",
    "Suggester",
    "Task",
    "TaskConfig",
    "baseline",
    "check",
    "check_data",
    "count_weights",
    "default_source",
    "default_values",
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
