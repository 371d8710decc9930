"""Train one configuration in the open and hold the result against a recorded score.

A frozen script ends with this; a search asks it only what `machine` it runs on.
"""

import argparse
import os
import platform
import random
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from data import DataError, digest, read

THREADS = 1  # of torch: so trainings run side by side, and repeat to the last bit


def seed_all(seed: int) -> None:
    """Seed every generator that a task may draw from: random's, numpy's and torch's."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def replay(record, config, load, train, score):
    """Train as recorded, print the curve, compare. Returns 0 as recorded, 1 on a miss, 2 without data."""
    parser = argparse.ArgumentParser(description=f"Train the {record['task']} winner, compare its score.")
    parser.add_argument("--data", type=Path, metavar="FILE", help=f"where {record['data_file']} is")
    for name, value in vars(config).items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help="default: %(default)s")
    options = vars(parser.parse_args())
    try:
        arrays = read(options.pop("data") or find_data(record))
        splits = load(arrays, "train"), load(arrays, "validation")
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    def show(epoch, metrics):
        shown = (
            f"{name} {v:.4g}" if isinstance(v, float) else f"{name} {v!r}" for name, v in metrics.items()
        )
        print(f"epoch {epoch:3} ", *shown, flush=True)

    torch.set_num_threads(THREADS)
    chosen = replace(config, **options)
    print(chosen, flush=True)
    value, _ = score(train(chosen, *splits, show), splits[1])
    here = machine() | {"data": digest(arrays), "config": chosen}
    there = record["machine"] | {"data": record["digest"], "config": config}
    return verdict(record, value, [name for name in here if here[name] != there[name]])


def verdict(record, value, differs):
    """Say how a score compares with the recorded one, and by which rule. Returns the exit code."""
    expected, rule = record["score"], "equal to the last bit, as machine, versions and data are the same"
    met = value == expected
    if differs:
        rule = f"within {record['tolerance']:.4g}, as these differ: {', '.join(differs)}"
        worse = expected - value if record["direction"] == "maximize" else value - expected
        met = worse <= record["tolerance"]
    print(f"validation {record['metric']} {value!r}, recorded {expected!r}")
    print(f"{'As recorded' if met else 'MISSED'}: expected {rule}.")
    return 0 if met else 1


def find_data(record):
    """The data file: beside the script, in the project's cache, or with the course's data."""
    here, name = Path(__file__).resolve().parent, record["data_file"]
    data = here.parent.parent / "data"
    course = os.path.expanduser(os.environ.get("DATA_DIR", data / "course"))
    for folder in (here, data / "cache", Path(course)):
        if (folder / name).exists():
            return folder / name
    raise DataError(f"no {name} here: name it with --data, or `make export TASK={record['task']} OUT=folder`")


def machine():
    """What a score depends on to the last bit, besides code and data."""
    cpus = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpus.read_text()) if cpus.exists() else []
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "processor": f"{(models or [platform.machine()])[0]}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": THREADS,
    }
