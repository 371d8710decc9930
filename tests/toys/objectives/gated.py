"""How long does it take until a gate opens?

Target: none.
Source: these tests. All epochs but the first wait until the file is there that GATE names, if it names any.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from objectives.bowl import DATA, DIRECTION, METRIC, TOLERANCE, build, score

__all__ = ["DATA", "DIRECTION", "METRIC", "TOLERANCE", "build", "score"]


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
    """As the bowl does, once the gate is open."""
    point = build(config)
    for epoch in range(1, config.epochs + 1):
        height = score(point, validation)[0] + 1 / epoch
        losses = {"train_loss": height, "validation_loss": height, "validation_height": height}
        report(epoch, losses | {"learning_rate": 1 / epoch})
        while "GATE" in os.environ and not Path(os.environ["GATE"]).exists():
            threading.Event().wait(0.01)
    return point
