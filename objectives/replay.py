"""Train one configuration in the open and hold the result against a recorded score.

A frozen script ends with this; a search asks it only what `machine` it runs on.
"""

import argparse
import os
import platform
import re
import sys
from pathlib import Path

import numpy as np
import torch

from data import DataError, digest, read

THREADS = 1  # of torch: so trainings run side by side, and repeat to the last bit


def replay(record, config, load, train, score):
    """Train as recorded, print the curve, compare. Returns 0 as recorded, 1 on a miss, 2 without data."""
    parser = argparse.ArgumentParser(description=f"Train the {record['task']} winner, compare its score.")
    parser.add_argument("--data", type=Path, metavar="FILE", help=f"where {record['data_file']} is")
    try:
        arrays = read(parser.parse_args().data or find_data(record))
        splits = load(arrays, "train"), load(arrays, "validation")
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    def show(epoch, metrics):
        print(f"epoch {epoch:3}", *(f" {name} {value:.4g}" for name, value in metrics.items()), flush=True)

    torch.set_num_threads(THREADS)
    print(config, flush=True)
    value, _ = score(train(config, *splits, show), splits[1])
    here = machine() | {"data": digest(arrays)}
    there = record["machine"] | {"data": record["digest"]}
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
    for folder in (here, data / "cache", Path(os.environ.get("DATA_DIR", data / "course"))):
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
