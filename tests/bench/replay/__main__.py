"""Time to quality: how soon a search has a truly good configuration, by replay of recorded curves.

    python -m tests.bench.replay --tasks langid --methods trialbook,optuna --seeds 20

Each method searches the table of a task's learning curves (`record.py`) on one core whose clock is
simulated: it counts the recorded seconds of training, and none of the methods' own. What was searched
is kept: stop it when you like, it goes on where it was.

A peer has two rows: what it hands over, and what it would hand over had it confirmed the best three on three
fresh seeds each. This project hands over what it has confirmed, and ends by itself. The strategy's settings
were chosen on some tasks: docs/speed.md says which, and `--first-seed` gives searches that chose nothing.
"""

import argparse
import sys

from search.errors import TrialbookError
from search.executors.executor import cores
from tests.bench.replay import methods, searches, tables

SEEDS = 6  # about five minutes on two cores, most of which SMAC takes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--tasks", type=names, default=list(searches.BUDGETS), help="separated by commas")
    parser.add_argument("--methods", type=names, default=list(methods.MODULES), help="separated by commas")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"searches of each (default {SEEDS})")
    parser.add_argument("--first-seed", type=int, default=0, help="of the searches (default 0)")
    parser.add_argument("--budget", type=float, help="simulated seconds of each (default: by task)")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes (default: one a core)")
    parser.add_argument(
        "--margin",
        type=float,
        help="how much worse than the best is good, in levels (default: twice the error of the task's table)",
    )
    options = parser.parse_args()
    try:
        works = searches.plan(options)
        searches.search_all(works, options.jobs)
    except TrialbookError as error:
        sys.exit(f"error: {error}")
    done = searches.read()
    for name in options.tasks:
        results = {method: [] for method in options.methods}
        for work in works:
            if work["task"] == name:
                results[work["method"]].append(done[searches.key(work)])
        budget = next(work["budget"] for work in works if work["task"] == name)
        tables.show(searches.table_of(name, options.margin), results, budget)


if __name__ == "__main__":
    main()
