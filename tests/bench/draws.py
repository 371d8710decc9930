"""From which gain on several learning rates of one shape are worth as much as as many shapes.

The recorded learning curves of a task say what is to be expected of any configuration. Drawn from them: the
best of some configurations that share all but the learning rate in groups, and the best of others that share
nothing. A group pays where training it together saves more than its sameness costs.

    python -m tests.bench.draws
"""

import math

import numpy as np
import optuna
from rich.console import Console
from rich.table import Table as Rows

from search import tasks
from search.strategy.draws.grouping import N_DRAWS, shape
from tests.bench.replay.searches import table_of

TASKS = "langid", "digits", "regression"
SHAPES = 3000  # drawn at random, with rates for the largest group each
SIZES = 2, N_DRAWS, 8
DRAWS = 32  # of a search
REPEATS = 4000  # of a search of so many draws


def qualities(table):
    """What is to be expected of SHAPES configurations (rows), each at max(SIZES) learning rates (columns)."""
    ranges = tasks.ranges(table.task)
    rates = {name: range_ for name, range_ in ranges.items() if name not in shape(ranges)}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rows = []
    for _ in range(SHAPES):
        own = study.ask(ranges).params
        more = [study.ask(rates).params for _ in range(max(SIZES))]
        rows.append([table.quality(own | each) for each in more])
    return np.array(rows)


def best(qualities, draws, size, random):
    """The best quality of so many draws in groups of a size, on average."""
    shapes = random.integers(0, len(qualities), (REPEATS, draws // size))
    return qualities[shapes, :size].max((1, 2)).mean()


def break_even(qualities, size, random):
    """How many times as many draws in groups are worth as much as single ones."""
    wanted = best(qualities, DRAWS, 1, random)
    draws = [DRAWS * step // 4 // size * size for step in range(4, 25)]
    reached = [best(qualities, each, size, random) for each in draws]
    return float(np.interp(wanted, reached, draws)) / DRAWS if max(reached) >= wanted else math.inf


def main():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shown = Rows(title=f"Gain from which on groups of one shape pay, in a search of {DRAWS} draws")
    shown.add_column("task")
    for size in SIZES:
        shown.add_column(f"{size} rates", justify="right")
    for name in TASKS:
        known, random = qualities(table_of(name)), np.random.default_rng(0)
        shown.add_row(name, *(f"{break_even(known, size, random):.1f}" for size in SIZES))
    Console(highlight=False, width=100).print(shown)


if __name__ == "__main__":
    main()
