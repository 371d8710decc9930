"""Which digit does an image show?

Target: 97% of MNIST's test images, 98% by the course's staff.
Source: course handout, question 3.

N images, B batch, K digits.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from data import mnist
from models.digits import DigitClassificationModel
from objectives.descent import descend

METRIC, DIRECTION = "accuracy", "maximize"
TOLERANCE = 0.015  # twice what seeds differ by on the built-in digits (MNIST: 0.0005)
MEANINGFUL_DIFFERENCE = 0.0005  # 0.05 points
DATA = mnist


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one network is built and trained."""

    hidden_size: int = 300  # units of each hidden layer
    layers: int = 2  # hidden layers
    learning_rate: float = 2e-3  # of Adam, falling to zero
    batch_size: int = 100  # images; divides those that there are to train
    epochs: int = 6  # passes over the training images
    seed: int = 0  # of the initial weights and the order of images


def space(trial):
    """The ranges that the handout recommends.

    Only batch sizes can be drawn that divide MNIST's 60,000 training images, the 50,000 of them that
    remain beside those to validate, and the 1,200 of the built-in digits.
    """
    return Config(
        hidden_size=trial.suggest_int("hidden_size", 100, 500, step=20),
        layers=trial.suggest_int("layers", 1, 3),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        batch_size=trial.suggest_categorical("batch_size", [20, 25, 40, 50, 80, 100]),
    )


def build(config):
    """The untrained network."""
    return DigitClassificationModel(config.hidden_size, config.layers)


def train(config, training, validation, report):
    """Train a network on the images of `training`; after each epoch report how it does."""
    torch.manual_seed(config.seed)
    return fit(build(config), config, training, validation, report)


def fit(model, config, training, validation, report, every=1):
    """Train `model` and return it; after each `every` epochs and at the end report how it does."""
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    for epoch in range(1, config.epochs + 1):
        order = torch.randperm(len(training.y_N)).split(config.batch_size)
        # Indexing by [rows_B] does the same and takes longer.
        batches = ([part.index_select(0, rows_B) for part in training] for rows_B in order)
        done = [epoch - 1 + step / len(order) for step in range(len(order))]  # epochs
        rates = [config.learning_rate * (1 - epochs / config.epochs) for epochs in done]
        train_loss = descend(model, optimizer, F.cross_entropy, batches, rates)
        if epoch % every == 0 or epoch == config.epochs:
            loss, accuracy = evaluate(model, validation)
            metrics = {"train_loss": train_loss, "learning_rate": rates[-1]}
            report(epoch, metrics | {"validation_loss": loss, "validation_accuracy": accuracy})
    return model


def score(model, split):
    """Accuracy (0..1) on the images of a split, and its standard error."""
    _, accuracy = evaluate(model, split)
    return accuracy, math.sqrt(accuracy * (1 - accuracy) / len(split.y_N))


@torch.no_grad()
def evaluate(model, split):
    """Mean cross-entropy (nats an image) and accuracy (0..1)."""
    scores_NK = model(split.x_N784)
    loss = F.cross_entropy(scores_NK, split.y_N).item()
    return loss, (scores_NK.argmax(1) == split.y_N).sum().item() / len(split.y_N)
