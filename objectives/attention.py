"""Which character comes next in a text, as far as one attention tells?

Target: 2.4 nats a character on Shakespeare's plays, where the last character alone allows 2.5.
Source: course handout, question 6: its attention, at work on the text of question 7.

B batch, T characters of a window, W windows.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from data import text
from models.attention import AttentionModel
from objectives.descent import descend

METRIC, DIRECTION = "nats", "minimize"
TOLERANCE = 0.02  # nats: twice what the scores of three seeds ranged over
WARM_UP = 1  # epoch, during which the rate rises
DATA = text


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one network is built and trained."""

    n_embd: int = 160  # units of a place
    block_size: int = 32  # characters of context
    learning_rate: float = 2e-3  # of Adam, falling to zero
    batch_size: int = 32  # windows
    epochs: int = 10  # reports, one every 65,536 characters
    seed: int = 0  # of the initial weights and the choice of windows


def space(trial):
    """The ranges that the handout recommends."""
    return Config(
        n_embd=trial.suggest_int("n_embd", 100, 500, step=20),
        block_size=trial.suggest_categorical("block_size", [16, 32, 64]),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        batch_size=trial.suggest_int("batch_size", 8, 128, step=8),
    )


def build(config):
    """The untrained network."""
    return AttentionModel(config.block_size, config.n_embd)


def train(config, training, validation, report):
    """Train a network on windows of `training`; after each epoch report how it does."""
    torch.manual_seed(config.seed)
    model = build(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
    windows_WT = training.unfold(0, config.block_size + 1, 1)
    steps = 2**16 // (config.batch_size * config.block_size)  # of an epoch
    for epoch in range(1, config.epochs + 1):
        done = [epoch - 1 + step / steps for step in range(steps)]  # epochs; during the first the rate rises
        rates = [config.learning_rate * min(each + 1 / steps, 1 - each / config.epochs) for each in done]
        places = torch.randint(len(windows_WT), (steps, config.batch_size))
        windows = (windows_WT[places_B] for places_B in places)
        batches = ((window_BT[:, :-1], window_BT[:, 1:]) for window_BT in windows)
        train_loss = descend(model, optimizer, next_character_loss, batches, rates)
        nats, _ = score(model, validation)
        metrics = {"train_loss": train_loss, "validation_loss": nats, "validation_nats": nats}
        report(epoch, metrics | {"learning_rate": rates[-1]})
    return model


def next_character_loss(scores_BTV, y_BT):
    """Mean cross-entropy (nats a character) of scores (B, T, V), where the codes y_BT should follow."""
    return F.cross_entropy(scores_BTV.flatten(0, 1), y_BT.flatten())


@torch.no_grad()
def score(model, split):
    """Mean cross-entropy (nats a character) of a third of a split, and its standard error.

    The third is 64 characters of every 192: the same ones for each block size, which divides 64.
    """
    windows_WT = split.unfold(0, 65, 192).unfold(1, model.block_size + 1, model.block_size).flatten(0, 1)
    losses = torch.stack([model.get_loss(x[:, :-1], x[:, 1:]) for x in windows_WT.tensor_split(64)])
    return losses.mean().item(), losses.std().item() / math.sqrt(len(losses))
