"""The searches that are replayed: which there are to be, and what came of those that are done.

Each is kept in results.jsonl under all that it depends on, so that none is done twice.
"""

import contextlib
import functools
import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import optuna

from search import tasks
from search.errors import UsageError
from tests.bench import record
from tests.bench.replay import methods
from tests.bench.replay.core import Core, Over, Table

RESULTS = Path(__file__).parent / "results.jsonl"
BUDGETS = {
    "regression": 480,
    "digits": 1920,
    "langid": 3840,
    "chargpt": 7680,
}  # seconds: most methods are there by then


@functools.cache
def table_of(name, margin=None):
    """The recorded curves of a task. Raises UsageError."""
    lines = record.read(name)
    if not lines:
        raise UsageError(f"no curves of {name!r} are recorded: python -m tests.bench.record {name} 200")
    return Table(tasks.find(name), lines, margin)


def search(work):
    """Search once. Returns the work with what the method handed over, and when."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    core = Core(table_of(work["task"]), work["seed"], work["budget"])
    with contextlib.suppress(Over):
        methods.find(work["method"])(core)
    return work | {"handed": core.handed, "confirmed": core.confirmed, "ended": min(core.clock, core.budget)}


def read():
    """What was searched before: the work as its key -> what came of it."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {key(result): result for result in map(json.loads, lines)}


def plan(options):
    """The searches that are asked for, one seed of all methods and tasks after another."""
    digests = {name: table_of(name).digest for name in options.tasks}
    versions = {name: methods.version(name) for name in options.methods}
    return [
        {
            "task": task,
            "method": method,
            "seed": seed,
            "budget": options.budget or BUDGETS.get(task, max(BUDGETS.values())),
            "table": digests[task],
            "version": versions[method],
        }
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for task in options.tasks
        for method in options.methods
    ]


def search_all(works, jobs):
    """Search what has not been searched yet, in so many processes."""
    done = read()
    left = [work for work in works if key(work) not in done]
    if not left:
        return
    # The processes begin anew and with this: their libraries calculate in one thread each.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn) as pool, open(RESULTS, "a") as file:
        searches = [pool.submit(search, work) for work in left]
        try:
            for count, result in enumerate(as_completed(searches), 1):
                file.write(json.dumps(result.result()) + "\n")
                file.flush()
                print(f"\r{count} of {len(left)} searches", end="", file=sys.stderr, flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
    print(file=sys.stderr)


def key(work):
    return tuple(work[name] for name in ("task", "method", "seed", "budget", "table", "version"))
