"""Train one configuration in the open and hold the result against a recorded score.

A frozen script ends with this; a search asks it only what `machine` it runs on.
"""

import argparse
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from data import DataError, digest, read


def replay(record, config, load, train, score):
    """Train as recorded, print the curve, compare. Returns the exit code: 0 equal or near, 1 a miss.

    On the machine, the versions and the data of the record the score must be equal to the last
    bit; elsewhere rounding differs, and it may be worse by no more than the tolerance.
    """
    parser = argparse.ArgumentParser(description=f"Train the {record['task']} winner and compare its score.")
    parser.add_argument("--data", type=Path, help=f"the data file, {record['data_file']}", metavar="FILE")
    try:
        arrays = read(parser.parse_args().data or find_data(record))
        splits = load(arrays, "train"), load(arrays, "validation")
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    started = time.perf_counter()

    def report(epoch, metrics):
        shown = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        print(f"epoch {epoch:3}  {shown}  {time.perf_counter() - started:.0f} s", flush=True)

    print(config, flush=True)
    value = score(train(config, *splits, report), splits[1]).value
    differs = [name for name, here in machine().items() if record["machine"].get(name) != here]
    if digest(arrays) != record["digest"]:
        differs.append("data")
    return verdict(record, value, differs)


def verdict(record, value, differs):
    """Say how a score compares with the recorded one, and by which rule. Returns the exit code."""
    worse = record["score"] - value if record["direction"] == "maximize" else value - record["score"]
    if differs:
        rule = f"within the tolerance of {record['tolerance']:.4g}, since this differs: {', '.join(differs)}"
        met = worse <= record["tolerance"]
    else:
        rule = "equal to the last bit, as on the same machine with the same versions and data it must be"
        met = value == record["score"]
    print(f"validation {record['metric']} {value!r}, recorded {record['score']!r}")
    print(f"{'as recorded' if met else 'MISSED'}: expected {rule}")
    return 0 if met else 1


def find_data(record):
    """The data file: beside the script, in a project's cache, or with the course's data."""
    here, name = Path(__file__).resolve().parent, record["data_file"]
    project = here.parent.parent
    course = os.environ.get("DATA_DIR") or project / "data" / "course"
    for path in (here / name, project / "data" / "cache" / name, Path(course) / name):
        if path.exists():
            return path
    how = f"`make export TASK={record['task']} OUT=folder` in the project writes it beside the script"
    raise DataError(f"{name} is not here: {how}; or name it with --data FILE")


def machine():
    """What a score depends on to the last bit, besides code and data."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "processor": processor(),
        "threads": 1,
    }


def processor():
    """The processor's model and the instructions that torch uses of it."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {torch.backends.cpu.get_cpu_capability()}"
