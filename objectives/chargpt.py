"""Which character comes next in a text?

Target: 1.75 nats a character on Shakespeare's plays, and samples that read like a play.
Source: course handout, question 7.

B batch, T characters of a window, W windows.
"""

import math
from dataclasses import dataclass

import torch

from data import text
from data.text import decode, encode
from models.chargpt import Character_GPT
from objectives.attention import next_character_loss
from objectives.descent import descend

METRIC, DIRECTION = "nats", "minimize"
TOLERANCE = 0.02  # nats: twice what the scores of three seeds ranged over
WARM_UP = 1  # epoch, during which the rate rises
DATA = text


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one network is built and trained."""

    n_embd: int = 240  # units of a place
    n_layer: int = 3  # transformer blocks
    block_size: int = 64  # characters of context
    learning_rate: float = 2e-3  # of Adam, falling to zero
    batch_size: int = 8  # windows
    epochs: int = 20  # reports, one every 65,536 characters
    seed: int = 0  # of the initial weights and the order of windows
    prompt: str = "Pacman"  # a line's beginning, which the network continues


def space(trial):
    """The ranges that the handout recommends."""
    return Config(
        n_embd=trial.suggest_int("n_embd", 100, 500, step=20),
        n_layer=trial.suggest_int("n_layer", 1, 3),
        block_size=trial.suggest_categorical("block_size", [16, 32, 64]),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        batch_size=trial.suggest_int("batch_size", 8, 128, step=8),
    )


def build(config):
    """The untrained network."""
    return Character_GPT(config.block_size, config.n_embd, config.n_layer)


def train(config, training, validation, report):
    """Train a network on windows of `training`; after each epoch report how it does, with a sample."""
    torch.manual_seed(config.seed)
    model = build(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
    prompt_1T = encode(f"\n{config.prompt}".encode())[None].to(training.device)
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
        generator = torch.Generator(training.device).manual_seed(config.seed)  # training goes on as without
        metrics["sample"] = decode(model.generate(prompt_1T, 150, generator)[0, 1:])
        report(epoch, metrics | {"learning_rate": rates[-1]})
    return model


@torch.no_grad()
def score(model, split):
    """Mean cross-entropy (nats a character) of a third of a split, and its standard error.

    The third is 64 characters of every 192: the same ones for each block size, which divides 64.
    """
    windows_WT = split.unfold(0, 65, 192).unfold(1, model.block_size + 1, model.block_size).flatten(0, 1)
    losses = torch.stack([model.get_loss(x[:, :-1], x[:, 1:]) for x in windows_WT.tensor_split(64)])
    return losses.mean().item(), losses.std().item() / math.sqrt(len(losses))
