"""Train one configuration in the open and hold the result against a recorded score.

A frozen script ends with this. A search takes three things from it: the machine that it runs on, the
number of torch's threads, and the seeds that are set before a training.
"""

import argparse
import builtins
import functools
import os
import platform
import random
import re
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from data import DataError, digest, read

THREADS = 1  # of torch: so trainings run side by side, and repeat to the last bit
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def seed_all(seed: int) -> None:
    """Seed every generator that a task may draw from: random's, numpy's and torch's."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def replay(record, config, load, train, score):
    """Train as recorded, print the curve, compare. Returns 0 as recorded, 1 on a miss, 2 without data."""
    try:
        path, chosen = (None, config) if in_notebook() else from_command_line(record, config)
        arrays = read(path or find_data(record))
        splits = load(arrays, "train"), load(arrays, "validation")
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    def show(epoch, metrics):
        shown = (
            f"{name} {v:.4g}" if isinstance(v, float) else f"{name} {v!r}" for name, v in metrics.items()
        )
        print(f"epoch {epoch:3} ", *shown, flush=True)

    # Of the data as they were read: a training may change its arrays in place.
    here = machine() | {"data": digest(arrays), "config": chosen}
    there = record["machine"] | {"data": record["digest"], "config": config}
    torch.set_num_threads(THREADS)
    print(chosen, flush=True)
    seed_all(chosen.seed)
    try:
        value, _ = score(train(chosen, *splits, show), splits[1])
    except KeyboardInterrupt:
        return 130
    return verdict(record, value, [name for name in here if here[name] != there.get(name)])


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


def in_notebook():
    """Whether this is pasted into a notebook or a console, whose command line is not ours."""
    return "__file__" not in globals() or hasattr(builtins, "__IPYTHON__")


def from_command_line(record, config):
    """The data file, None where none is named, and the configuration. Ends the script on a wrong option."""
    about, names = f"Train the {record['task']} winner, compare its score.", [f.name for f in fields(config)]
    parser = argparse.ArgumentParser(description=about, add_help=False, allow_abbrev=False)
    parser.error = lambda message: parser.exit(2, f"error: {' '.join(message.split())}\n")
    # No field can have these names: so a field may be called data, data_file or help.
    parser.add_argument("-h", *["--help"][: "help" not in names], action="help", help="show this and end")
    where = f"where {record['data_file']} is"
    parser.add_argument("--data-file", dest="data file", type=Path, metavar="FILE", help=where)
    for field in fields(config):
        value = getattr(config, field.name)
        read_as = functools.partial(parsed, annotation=str(field.type), default=value)
        shown = f"default: {value!r}".replace("%", "%%")
        parser.add_argument(
            f"--{field.name}", type=read_as, metavar="VALUE", default=argparse.SUPPRESS, help=shown
        )
    options = vars(parser.parse_args())
    path = options.pop("data file")
    try:
        return path, replace(config, **options)
    except Exception as error:  # whatever the class refuses
        parser.error(f"these settings do not go together: {type(error).__name__}: {error}")


def parsed(text, annotation, default):
    """An option as the value that its field's annotation or default allows. Raises ArgumentTypeError."""
    kinds = {*re.findall(r"\w+", annotation), type(default).__name__}
    kinds |= {"None"} if kinds & {"NoneType", "Optional"} else set()
    if "None" in kinds and text.lower() == "none":
        return None
    if "bool" in kinds and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if "int" in kinds and re.fullmatch(r"[+-]?[0-9]{1,300}", text):
        return int(text)
    if "float" in kinds and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return float(text)
    if "str" in kinds:
        return text
    valid = {"int": "a whole number", "float": "a number", "bool": "true or false", "None": "None"}
    said = " or ".join(words for kind, words in valid.items() if kind in kinds)
    raise argparse.ArgumentTypeError(f"{text!r} is not valid: {said}")


def find_data(record):
    """The data file: beside the script, in the project's cache, or with the course's data.

    Of a script without a file the working directory stands for both its folder and the project's.
    """
    script, name = globals().get("__file__"), record["data_file"]
    here = Path(script).resolve().parent if script else Path.cwd()
    data = (here.parent.parent if script else here) / "data"
    course = os.path.expanduser(os.environ.get("DATA_DIR") or data / "course")
    for folder in (here, data / "cache", Path(course)):
        if (folder / name).exists():
            return folder / name
    task = record["task"]
    raise DataError(
        f"no {name} here: `make train TASK={task}` prepares it, or name the file with --data-file"
    )


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
