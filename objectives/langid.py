"""Which language is a word from?

Target: 81% of the course's test words, 89% by the course's staff.
Source: course handout, question 4.

L letters, B batch, N words.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from data import words
from models.langid import LanguageIDModel
from objectives.descent import descend

METRIC, DIRECTION = "accuracy", "maximize"
TOLERANCE = 0.015
MEANINGFUL_DIFFERENCE = 0.002  # 0.2 points
DATA = words


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one network is built and trained."""

    hidden_size: int = 200  # units of each layer's state
    layers: int = 1  # recurrent layers
    learning_rate: float = 1e-3  # of Adam, falling to zero
    batch_size: int = 64  # words, all of one length
    epochs: int = 8  # passes over the training words
    seed: int = 0  # of the initial weights and the order of batches


def space(trial):
    """The ranges that the handout recommends."""
    return Config(
        hidden_size=trial.suggest_int("hidden_size", 100, 500, step=20),
        layers=trial.suggest_int("layers", 1, 3),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        batch_size=trial.suggest_int("batch_size", 16, 128, step=16),
    )


def build(config):
    """The untrained network."""
    return LanguageIDModel(config.hidden_size, config.layers)


def train(config, training, validation, report):
    """Train a network on the words of `training`; after each epoch report how it does."""
    torch.manual_seed(config.seed)
    model = build(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    for epoch in range(1, config.epochs + 1):
        batches = shuffled_batches(training, config.batch_size, epoch)
        done = [epoch - 1 + step / len(batches) for step in range(len(batches))]  # epochs
        rates = [config.learning_rate * (1 - epochs / config.epochs) for epochs in done]
        train_loss = descend(model, optimizer, smoothed_loss, batches, rates)
        loss, accuracy = evaluate(model, validation)
        metrics = {"train_loss": train_loss, "learning_rate": rates[-1]}
        report(epoch, metrics | {"validation_loss": loss, "validation_accuracy": accuracy})
    return model


def smoothed_loss(scores_BK, y_B):
    """Mean cross-entropy with smoothed labels, which is worth 0.9 points on unseen words."""
    return F.cross_entropy(scores_BK, y_B, label_smoothing=0.1)


def score(model, split):
    """Accuracy (0..1) on the words of a split, and its standard error."""
    _, accuracy = evaluate(model, split)
    return accuracy, math.sqrt(accuracy * (1 - accuracy) / len(split.y_N))


@torch.no_grad()
def evaluate(model, split):
    """Mean cross-entropy (nats a word) and accuracy (0..1)."""
    loss_sum, correct = 0.0, 0
    for x_LB, y_B in one_length_each(split):
        scores_BK = model(x_LB)
        loss_sum += F.cross_entropy(scores_BK, y_B, reduction="sum").item()
        correct += (scores_BK.argmax(1) == y_B).sum().item()
    return loss_sum / len(split.y_N), correct / len(split.y_N)


def one_length_each(split):
    """The words of a split as one pair (x_LB, y_B) for each length."""
    _, counts = torch.unique_consecutive((split.x_NL >= 0).sum(1), return_counts=True)
    pieces = zip(split.x_NL.split(counts.tolist()), split.y_N.split(counts.tolist()), strict=True)
    return [(x_BL[:, x_BL[0] >= 0].T, y_B) for x_BL, y_B in pieces]


def shuffled_batches(split, batch_size, epoch):
    """All words in random order as pairs (x_LB, y_B) of words of one length.

    The order of the lengths is that of the epoch, whatever the seed. So networks can learn side by side.
    """
    batches = []
    for x_LB, y_B in one_length_each(split):
        order = torch.randperm(len(y_B))
        batches += zip(x_LB[:, order].split(batch_size, 1), y_B[order].split(batch_size), strict=True)
    generator = torch.Generator(split.y_N.device).manual_seed(epoch)
    return [batches[i] for i in torch.randperm(len(batches), generator=generator)]
