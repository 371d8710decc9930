"""What goes wrong in training?

Target: that it is written down.
Source: these tests. What the mood is decides how a training ends.
"""

import os
import signal
import threading
from dataclasses import dataclass, field

from torch import nn

from data import sine

METRIC, DIRECTION = "mood", "maximize"
TOLERANCE = 0.1
DATA = sine
MOODS = ["well", "nan", "late nan", "nan score", "no score", "error", "exit", "kill", "hang"]


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
    for epoch in range(1, config.epochs + 1):
        if epoch == 2:
            _end(config.mood)
        loss = (
            float("nan") if config.mood == "nan" or (config.mood == "late nan" and epoch > 1) else 1 / epoch
        )
        metrics = {"train_loss": loss, "validation_loss": 1.0, "validation_mood": 0.5, "learning_rate": 0.1}
        report(epoch, metrics | {"diary": f"I am {config.mood}."})
    return build(config)


def _end(mood):
    if mood == "error":
        raise RuntimeError("out of\nsorts")
    if mood == "exit":
        os._exit(7)
    if mood == "hang":
        threading.Event().wait()
    if mood == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def score(model, split):
    """As the mood says."""
    if model.mood == "no score":
        return None
    return float("nan") if model.mood == "nan score" else 0.5, 0.01
