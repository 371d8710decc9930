"""Which word is best?

Target: 1, for the longest.
Source: these tests. Its settings are of every type that a setting may have, and its words are hostile.
"""

from dataclasses import dataclass

from torch import nn

from data import sine

METRIC, DIRECTION = "length", "maximize"
TOLERANCE = 0.1
DATA = sine
WORDS = [
    "plain",
    "<canary>",
    "'\"></script><canary>",
    '"""',
    "a\nb # c",
    "[/x]",
    "$name {0} %s \\",
    "é\u2028\u202e\x1b",
]


@dataclass(frozen=True, kw_only=True)
class Config:
    """A word, and what it does not need."""

    word: str = "plain"  # it's said
    share: float = 0.5  # of it
    accent: str = "éé # \u2028"  # on it
    count: int = 3  # of that
    sure: bool = True  # or not
    epochs: int = 2  # of which one is too many
    seed: int = 0  # of nothing


def space(trial):
    """All words."""
    return Config(word=trial.suggest_categorical("word", WORDS), share=trial.suggest_float("share", 0, 1))


def build(config):
    """A network that remembers its settings."""
    model = nn.Linear(1, 1)
    model.config = config
    return model


def train(config, training, validation, report):
    """Say the word, each epoch."""
    for epoch in range(1, config.epochs + 1):
        metrics = {"train_loss": 1 / epoch, "validation_loss": 1 / epoch, "learning_rate": 0.1}
        report(epoch, metrics | {"validation_length": config.share / 2, "sample": config.word})
    return build(config)


def score(model, split):
    """How long the word is, and how much of it is said."""
    return (len(model.config.word) / 30 + model.config.share) / 2, 0.01
