"""Real runs of the methods of `tests.bench.replay`: how good is what each hands over after a time?

    python -m tests.bench.real --task regression --seconds 120 --repetitions 3 --seeds 5

Each method trains the task on all cores (`methods.py`). What it would hand over after 30, 60, 120 ...
core-seconds is then trained again on fresh seeds. What was done is kept in results.jsonl: stop it when
you like, it goes on where it was. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import math
import os
import statistics
import sys
from pathlib import Path

import optuna
from rich.console import Console
from rich.table import Table

import data
from search import tasks
from search.errors import TrialbookError, unknown
from search.executors.executor import cores
from search.study.opening import source_of
from tests.bench.real import core, methods

RESULTS = Path(__file__).parent / "results.jsonl"
FIRST = 30  # core-seconds, then twice as many again and again
FRESH = 1_000_000  # seeds from here on are no search's


class Results:
    """What was done before, as the file has it: a key -> what came of it."""

    def __init__(self):
        lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
        self._done = {json.dumps(line["key"]): line["value"] for line in map(json.loads, lines)}

    def get(self, key, make):
        """What came of it, or comes of it now."""
        text = json.dumps(key)
        if text not in self._done:
            self._done[text] = make()
            with open(RESULTS, "a") as file:
                file.write(json.dumps({"key": key, "value": self._done[text]}) + "\n")
        return self._done[text]


def moments(seconds):
    """When it is asked what would be handed over."""
    powers = range(max(1, int(math.log2(max(1, seconds / FIRST))) + 1))
    return [FIRST * 2**power for power in powers if FIRST * 2**power <= seconds] or [seconds]


def search_all(options, results, source):
    """All methods, one repetition after the other: method -> a list of what each handed over."""
    handed = {method: [] for method in options.methods}
    for seed in range(options.first_seed, options.first_seed + options.repetitions):
        for method in options.methods:
            work = core.Work(options.task, source, options.seconds, options.cores, seed)
            key = ["search", method, *vars(work).values()]
            print(f"{method}, study seed {seed} ...", file=sys.stderr, flush=True)
            handed[method].append(results.get(key, lambda: methods.METHODS[method](work)))  # noqa: B023
    return handed


def score(options, results, source, params):
    """The mean score of a configuration over fresh seeds."""
    work = core.Work(options.task, source, math.inf, 1, 0)

    def once(seed):
        key = ["score", options.task, source, params, seed]
        return results.get(key, lambda: core.train(work, params, FRESH + seed, lambda *_: True))

    return statistics.fmean(once(seed) for seed in range(options.seeds))


def show(options, results, source, handed):
    """Print what each method hands over at a time: the mean over repetitions, and its standard error."""
    title = f"{options.task} ({source}): mean score over {options.seeds} fresh seeds of what is handed over"
    shown = Table(title=title, caption=f"{options.repetitions} repetitions on {options.cores} cores")
    shown.add_column("method")
    for moment in moments(options.seconds):
        shown.add_column(f"{moment:g} s", justify="right")
    for method, searches in handed.items():
        cells = []
        for moment in moments(options.seconds):
            chosen = [[params for since, params in each if since <= moment][-1] for each in searches]
            scores = [score(options, results, source, params) for params in chosen]
            cells.append(f"{statistics.fmean(scores):.4g}")
            if len(scores) > 1:
                cells[-1] += f" ±{statistics.stdev(scores) / math.sqrt(len(scores)):.2g}"
        shown.add_row(method, *cells)
    Console(highlight=False, width=110).print(shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--task", default="regression")
    parser.add_argument("--seconds", type=float, default=240, help="core-seconds of each search")
    parser.add_argument("--methods", type=names, default=list(methods.METHODS), help="separated by commas")
    parser.add_argument("--repetitions", type=int, default=3, help="searches of each method")
    parser.add_argument("--first-seed", type=int, default=0, help="of the searches (default 0)")
    parser.add_argument("--seeds", type=int, default=5, help="fresh seeds of what is handed over")
    parser.add_argument("--cores", type=int, default=cores())
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data.use_course_folder(os.environ.get("DATA_DIR"))
    try:
        for method in options.methods:
            if method not in methods.METHODS:
                raise unknown("METHODS", method, methods.METHODS)
        source = source_of(tasks.find(options.task), None)
    except TrialbookError as error:
        sys.exit(f"error: {error}")
    results = Results()
    handed = search_all(options, results, source)
    show(options, results, source, handed)


if __name__ == "__main__":
    main()
