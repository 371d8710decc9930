"""Train a frozen script until its first report, and print that as JSON. Run by `search.submission.check`.

It runs by itself in a clean interpreter: `python -I first_epoch.py script.py data-file`. What it runs is
whatever the script says.
"""

import contextlib
import importlib.util
import json
import sys


class Enough(Exception):
    """Raised by `report`: the first is all that is wanted."""


def load(path):
    """The script as a module; its end, which would train to the end, does not run."""
    found = importlib.util.spec_from_file_location("script", path)
    script = importlib.util.module_from_spec(found)
    sys.modules["script"] = script  # where dataclasses look it up
    found.loader.exec_module(script)
    return script


def first_report(script, data_path):
    """What the script reports first; the machine and the data as it sees them."""
    told = {}

    def report(epoch, metrics):
        told.update(epoch=epoch, metrics=metrics)
        raise Enough

    script.torch.set_num_threads(script.THREADS)
    arrays, config = script.read(data_path), script.Config()
    splits = script.load(arrays, "train"), script.load(arrays, "validation")
    seen = {"machine": script.machine(), "digest": script.digest(arrays)}  # a training may change its arrays
    if hasattr(script, "seed_all"):  # scripts of earlier versions leave it to their task
        script.seed_all(config.seed)
    with contextlib.suppress(Enough):
        script.train(config, *splits, report)
    return told | seen


if __name__ == "__main__":
    print("\n" + json.dumps(first_report(load(sys.argv[1]), sys.argv[2])))
