"""Which digit does an image show, learned from 200 images through a convolution?

Target: 80% of the course's test images. These are among those it trains on; here others are scored.
Source: course handout, question 5.

N images, B batch, K digits.
"""

from dataclasses import dataclass

import torch

from data import mnist_small
from models.convolution import DigitConvolutionalModel
from objectives.digits import fit, score  # noqa: F401, score for callers

METRIC, DIRECTION = "accuracy", "maximize"
TOLERANCE = 0.02  # three times what seeds differ by
DATA = mnist_small
REPORT_EVERY = 2  # epochs


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one network is built and trained."""

    hidden_size: int = 300  # units of each hidden layer
    layers: int = 1  # hidden layers after the convolution
    learning_rate: float = 1e-3  # of Adam, falling to zero
    batch_size: int = 10  # images; divides the 200 that there are
    epochs: int = 30  # passes over the training images
    seed: int = 0  # of the initial weights and the order of images


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
    return DigitConvolutionalModel(config.hidden_size, config.layers)


def train(config, training, validation, report):
    """Train a network on the images of `training`; report how it does every REPORT_EVERY epochs."""
    torch.manual_seed(config.seed)
    return fit(build(config), config, training, validation, report, every=REPORT_EVERY)
