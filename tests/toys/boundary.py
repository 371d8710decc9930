"""The head of a task whose training a test writes: it replaces what it needs."""

TEXT = '''"""Is the boundary tight?"""

import contextlib, decimal, gc, locale, multiprocessing, os, random, signal, sys, threading, warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from data import sine

METRIC, DIRECTION, TOLERANCE, DATA = "err", "minimize", 0.1, sine


@dataclass(frozen=True, kw_only=True)
class Config:
    kind: int = 0
    epochs: int = 3
    seed: int = 0


def space(trial):
    return Config(kind=trial.suggest_int("kind", 0, 9))


def build(config):
    return nn.Linear(1, 1)


class Shared(list):
    """A list that all trainings share, and the test sees: it is not copied for each."""

    def __deepcopy__(self, memo):
        return self


def good(value=0.5):
    return {"train_loss": value, "validation_loss": value, "validation_err": value}


def score(model, split):
    return 0.5, 0.01


def train(config, training, validation, report):
    for epoch in range(1, config.epochs + 1):
        report(epoch, good())
    return build(config)


'''
