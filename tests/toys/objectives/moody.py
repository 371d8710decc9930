"""What goes wrong in training?

Target: that it is written down.
Source: these tests. The mood decides how a training ends. Two moods are not among MOODS, for tests that ask
for them: "talkative", which reports strange values, and "stubborn", which no verdict ends.
"""

import contextlib
import ctypes
import os
import resource
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from data import sine

METRIC, DIRECTION = "mood", "maximize"
TOLERANCE = 0.1
DATA = sine
MOODS = ["well", "nan", "late nan", "inf", "nan score", "no score", "text", "overflow"]
MOODS += ["error", "memory", "exit", "kill", "segfault", "hang"]
SCORES = {"nan score": float("nan"), "text": "good", "overflow": 10**400}
MEMORY = 256 * 2**20  # bytes beyond those that a process has, which it may not get


@dataclass(frozen=True, kw_only=True)
class Config:
    """A mood."""

    mood: str = field(default_factory=lambda: os.environ.get("MOOD", "well"))  # how it ends
    epochs: int = 3  # of which the second is when it does
    seed: int = 0  # of nothing


def space(trial):
    """All moods, or those that MOODS names."""
    return Config(mood=trial.suggest_categorical("mood", os.environ.get("MOODS", ",".join(MOODS)).split(",")))


def build(config):
    """A network that remembers the mood."""
    model = nn.Linear(1, 1)
    model.mood = config.mood
    return model


def train(config, training, validation, report):
    """End as the mood says."""
    while config.mood == "stubborn":
        with contextlib.suppress(BaseException):
            report(1, {"train_loss": 1, "validation_loss": 1, "validation_mood": 1} | _diary(config.mood, 1))
        with contextlib.suppress(BaseException):
            threading.Event().wait(0.01)
    for epoch in range(1, config.epochs + 1):
        if epoch == 2:
            _end(config.mood)
        metrics = {
            "train_loss": _loss(config.mood, epoch),
            "validation_loss": 1.0,
            "validation_mood": 0.5,
            "learning_rate": 0.1,
        }
        report(epoch, metrics | _diary(config.mood, epoch))
    if config.mood == "talkative":
        raise RuntimeError("\ud800\0\n" * 10**5)
    model = build(config)
    model.trained = True
    return model


def _diary(mood, epoch):
    if mood == "talkative":
        return {"diary": ('\ud800\0\u2028"}\n', "x" * 10**6, "done")[epoch - 1], "count": 2**1000}
    if mood in ("hang", "stubborn"):
        return {"process": os.getpid()}
    return {"diary": f"I am {mood}."}


def _loss(mood, epoch):
    if mood in ("nan", "talkative") or (mood == "late nan" and epoch > 1):
        return float("nan")
    return float("inf") if mood == "inf" and epoch > 1 else 1 / epoch


def _end(mood):
    if mood == "error":
        raise RuntimeError("out of\nsorts")
    if mood == "memory":
        _use_up_memory()
    if mood == "exit":
        os._exit(7)
    if mood == "hang":
        threading.Event().wait()
    if mood == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if mood == "segfault":
        ctypes.string_at(0)


def _use_up_memory():
    """Ask for more than there is: of what this process may have, so that the machine keeps its own."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + MEMORY, before[1]))
    try:
        bytearray(2 * MEMORY)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def score(model, split):
    """As the mood says."""
    if not hasattr(model, "trained"):
        return 0.5, 0.01
    if model.mood == "no score":
        return None
    return SCORES.get(model.mood, 0.5), 0.01
