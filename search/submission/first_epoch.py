"""Train a frozen script until its first report, and print that as JSON. Run by `search.submission.check`.

A clean interpreter runs this file by itself: `python -I first_epoch.py script.py data-file`. The script is a
stranger's code, and may do anything.
"""

import contextlib
import importlib.util
import json
import sys
from types import ModuleType
from typing import Any


class FirstReport(Exception):
    """Ends the training: the first report is enough."""


def load(path: str) -> ModuleType:
    """The script as a module. Its last lines, which train to the end, do not run."""
    spec = importlib.util.spec_from_file_location("script", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules["script"] = script  # dataclasses look for it there
    spec.loader.exec_module(script)
    return script


def first_report(script: ModuleType, data_path: str) -> dict[str, Any]:
    """The first report of a script's training, with the machine and the digest of the data."""
    reported: dict[str, Any] = {}

    def report(epoch: int, metrics: dict[str, Any]) -> None:
        reported.update(epoch=epoch, metrics=metrics)
        raise FirstReport

    script.torch.set_num_threads(script.THREADS)
    arrays, config = script.read(data_path), script.Config()
    splits = script.load(arrays, "train"), script.load(arrays, "validation")
    seen = {"machine": script.machine(), "digest": script.digest(arrays)}  # a training may change its arrays
    if hasattr(script, "seed_all"):  # the scripts of version 0.1 leave it to their task
        script.seed_all(config.seed)
    with contextlib.suppress(FirstReport):
        script.train(config, *splits, report)
    return reported | seen


if __name__ == "__main__":
    print("\n" + json.dumps(first_report(load(sys.argv[1]), sys.argv[2])))
