"""The text of a small task, of which tests write variants: see the fixture `write_task`."""

TEXT = '''"""Where does a line meet a number?

Target: none.
Source: these tests.
"""

from dataclasses import dataclass

import torch
from torch import nn

from data import sine

METRIC, DIRECTION = "err", "minimize"
TOLERANCE = 1e-6
DATA = sine


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings."""

    x: float = 0.5  # the number
    epochs: int = 4  # steps
    seed: int = 0  # of the weights


def space(trial):
    """Ranges."""
    return Config(x=trial.suggest_float("x", 0, 1))


def build(config):
    """A line."""
    return nn.Linear(1, 1)


def train(config, training, validation, report):
    """Fit the line to the number."""
    torch.manual_seed(config.seed)
    model = build(config)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for epoch in range(1, config.epochs + 1):
        loss = ((model(training.x_N1) - config.x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value, _ = score(model, validation)
        metrics = {"train_loss": loss.item(), "validation_loss": value, "learning_rate": 0.01}
        report(epoch, metrics | {"validation_err": value})
    return model


@torch.no_grad()
def score(model, split):
    """The mean squared error, and its standard error."""
    squares_N1 = (model(split.x_N1) - split.y_N1) ** 2
    return squares_N1.mean().item(), squares_N1.std().item() / len(squares_N1) ** 0.5
'''
