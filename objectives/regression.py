"""How close does a network come to sin(x)?

Target: a mean squared error of 0.02.
Source: course handout, question 2.

N points, B batch.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from data import sine
from models.regression import RegressionModel
from objectives.descent import descend

METRIC, DIRECTION = "mse", "minimize"
TOLERANCE = 1e-3
MEANINGFUL_DIFFERENCE = 1.0  # a factor of two: as much as two seeds differ
DATA = sine
REPORT_EVERY = 20  # epochs


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one network is built and trained."""

    hidden_size: int = 200  # units of each hidden layer
    layers: int = 1  # hidden layers
    learning_rate: float = 1e-3  # of Adam, falling to zero
    batch_size: int = 20  # points; divides the 200 that there are
    epochs: int = 400  # passes over the training points
    seed: int = 0  # of the initial weights and the order of points


def space(trial):
    """The ranges that the handout recommends. Only batch sizes that divide 200 can be drawn."""
    return Config(
        hidden_size=trial.suggest_int("hidden_size", 100, 500, step=20),
        layers=trial.suggest_int("layers", 1, 3),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        batch_size=trial.suggest_categorical("batch_size", [10, 20, 25, 40, 50, 100]),
    )


def build(config):
    """The untrained network."""
    return RegressionModel(config.hidden_size, config.layers)


def train(config, training, validation, report):
    """Train a network on the points of `training`; report how it does every REPORT_EVERY epochs."""
    torch.manual_seed(config.seed)
    model = build(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    batches, rates = [], []
    for epoch in range(1, config.epochs + 1):
        more = shuffled_batches(training, config.batch_size)
        batches += more
        rates += len(more) * [config.learning_rate * (1 - (epoch - 1) / config.epochs)]
        if epoch % REPORT_EVERY == 0 or epoch == config.epochs:
            train_loss = descend(model, optimizer, F.mse_loss, batches, rates)
            mse, _ = score(model, validation)
            metrics = {"train_loss": train_loss, "validation_loss": mse, "learning_rate": rates[-1]}
            report(epoch, metrics | {"validation_mse": mse})
            batches, rates = [], []
    return model


def shuffled_batches(split, batch_size):
    """All points in random order, as pairs (x_B1, y_B1)."""
    order_N = torch.randperm(len(split.x_N1))
    x_NB1, y_NB1 = (part_N1[order_N].split(batch_size) for part_N1 in split)
    return list(zip(x_NB1, y_NB1, strict=True))


@torch.no_grad()
def score(model, split):
    """Mean squared error on the points of a split, and its standard error."""
    squares_N1 = (model(split.x_N1) - split.y_N1) ** 2
    return squares_N1.mean().item(), squares_N1.std().item() / math.sqrt(len(squares_N1))
