"""How long does it take to find the lowest point of a bowl?

Target: none.
Source: these tests. It is the bowl, but each epoch takes a while and no processor.
"""

import threading
from dataclasses import dataclass

from objectives.bowl import DATA, DIRECTION, METRIC, TOLERANCE, build, score

__all__ = ["DATA", "DIRECTION", "METRIC", "TOLERANCE", "build", "score"]
SECONDS = 0.02  # of an epoch


@dataclass(frozen=True, kw_only=True)
class Config:
    """A point of the bowl."""

    x: float = 0.9  # to the right
    y: int = 50  # to the back
    epochs: int = 5  # measurements, each nearer to the truth
    seed: int = 0  # of nothing


def space(trial):
    """The whole bowl."""
    return Config(x=trial.suggest_float("x", 0, 1), y=trial.suggest_int("y", 0, 100))


def train(config, training, validation, report):
    """As the bowl does, and wait in each epoch."""
    point = build(config)
    for epoch in range(1, config.epochs + 1):
        threading.Event().wait(SECONDS)
        height = score(point, validation)[0] + 1 / epoch
        losses = {"train_loss": height, "validation_loss": height, "validation_height": height}
        report(epoch, losses | {"learning_rate": 1 / epoch})
    return point
