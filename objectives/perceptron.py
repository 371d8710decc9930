"""In how few passes does a perceptron learn to make no mistake?

What is searched is not weights but a way to train, so a split is scored by training on each of its
draws. It shows that from weights of zero the step cannot matter: all weights are multiples of it, and
no prediction depends on their scale. Else what matters is how large the first weights are beside a
step: at some tens of steps a training takes about half the passes that it takes from zero.

Target: 100% of the training points, which every training reaches that ends before LIMIT.
Source: course handout, question 1; Rosenblatt, The Perceptron, 1958.

D draws, N points, K coordinates.
"""

import math
import random
from dataclasses import dataclass
from operator import mul
from statistics import fmean, stdev
from typing import NamedTuple

import torch
from torch import nn

from data import separable
from data.separable import DIMENSIONS
from models.perceptron import PerceptronModel

METRIC, DIRECTION = "passes", "minimize"
TOLERANCE = 1.0  # two standard deviations over seeds, near the best
DATA = separable
REPORT_EVERY = 5  # draws
LIMIT = 1000  # passes; a training that needs more counts as one that took so many


@dataclass(frozen=True, kw_only=True)
class Config:
    """How perceptrons are trained, one for each draw of points."""

    initial_scale: float = 0.0  # standard deviation of the initial weights
    order: str = "each pass"  # when the points are shuffled; also "once" and "never"
    step: float = 1.0  # times label and point, added to the weights on a mistake
    epochs: int = 100  # draws of points that are trained on, of the 100 that there are
    seed: int = 0  # of the initial weights and the order of points


class Training(NamedTuple):
    """How one training went."""

    weight_K: list  # of floats
    passes: int  # over all points, the last one without a mistake
    mistakes: int  # of all passes together
    separated: bool  # whether it ended before LIMIT


def space(trial):
    """Where to start from, the order, and steps from a tenth to ten times the course's."""
    return Config(
        initial_scale=trial.suggest_categorical("initial_scale", [0.0, 0.1, 1.0, 10.0, 100.0]),
        order=trial.suggest_categorical("order", ["each pass", "once", "never"]),
        step=trial.suggest_float("step", 0.1, 10, log=True),
    )


def build(config):
    """One untrained perceptron for each draw, and how they are to be trained."""
    model = nn.ModuleList(PerceptronModel(DIMENSIONS) for _ in range(config.epochs)).double()
    model.config = config
    return model


def train(config, training, validation, report):
    """Train a perceptron on each draw of `training`, and for comparison one on each of `validation`.

    What is reported every REPORT_EVERY draws are the means over all draws so far.
    """
    model, learnt, checked = build(config), [], []
    for draw, perceptron in enumerate(model):
        learnt.append(learn(config, training, draw))
        checked.append(learn(config, validation, draw))
        perceptron.weight.data = torch.tensor([learnt[-1].weight_K], dtype=torch.float64)
        if (draw + 1) % REPORT_EVERY == 0 or draw + 1 == config.epochs:
            metrics = means("train", learnt) | means("validation", checked)
            report(draw + 1, metrics | {"learning_rate": config.step})
    return model


def means(split, trainings):
    """Means over trainings, as metrics; the loss of one is how many mistakes it makes until it ends."""
    return {
        f"{split}_loss": fmean(each.mistakes for each in trainings),
        f"{split}_passes": fmean(each.passes for each in trainings),
        f"{split}_separated": fmean(each.separated for each in trainings),
    }


def score(model, split):
    """Mean passes that this way to train takes on the draws of a split, and the mean's standard error."""
    passes = [learn(model.config, split, draw).passes for draw in range(len(split.y_DN))]
    return fmean(passes), stdev(passes) / math.sqrt(len(passes))


def learn(config, split, draw):
    """Train on one draw, point by point, until a whole pass makes no mistake or LIMIT is reached."""
    chance = random.Random(f"{config.seed} {draw}")  # a draw's own: what else is trained does not matter
    weight_K = [config.initial_scale * chance.gauss(0, 1) for _ in range(DIMENSIONS)]
    points = list(zip(split.x_DNK[draw].tolist(), split.y_DN[draw].tolist()))
    if config.order == "once":
        chance.shuffle(points)
    mistakes = 0
    for passes in range(1, LIMIT + 1):
        if config.order == "each pass":
            chance.shuffle(points)
        before = mistakes
        for x_K, label in points:  # plain numbers: a tenth of the time of tensors
            predicted = 1 if sum(map(mul, weight_K, x_K)) >= 0 else -1
            if predicted != label:
                weight_K = [w + config.step * label * x for w, x in zip(weight_K, x_K)]
                mistakes += 1
        if mistakes == before:
            return Training(weight_K, passes, mistakes, True)
    return Training(weight_K, LIMIT, mistakes, False)
