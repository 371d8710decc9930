"""How long does it take until a gate opens?

Target: none.
Source: these tests. All epochs but the first wait until the file is there that GATE names, if it names any.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from objectives import bowl

METRIC, DIRECTION, TOLERANCE, DATA = bowl.METRIC, bowl.DIRECTION, bowl.TOLERANCE, bowl.DATA


@dataclass(frozen=True, kw_only=True)
class Config(bowl.Config):
    """A point of the bowl."""


def space(trial):
    """The whole bowl."""
    return Config(x=trial.suggest_float("x", 0, 1), y=trial.suggest_int("y", 0, 100))


build, score = bowl.build, bowl.score


def train(config, training, validation, report):
    """As the bowl does, once the gate is open."""

    def behind_the_gate(epoch, metrics):
        report(epoch, metrics)
        while "GATE" in os.environ and not Path(os.environ["GATE"]).exists():
            threading.Event().wait(0.01)

    return bowl.train(config, training, validation, behind_the_gate)
