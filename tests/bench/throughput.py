"""Milliseconds of one training epoch: ours, the course's way, and the multiplications alone.

ours                    a task's `train` as it is, but validated on two rows
the course's            as a student writes it by the handout: a `Dataset` that gives one example, labels
                        one-hot (letters too, words padded to 10), a shuffling `DataLoader`, plain Adam
multiplications alone   by the weights, for all of our batches: forward, backward to the weights, and
                        backward to the inputs where these are not data; into tensors that are there

Each point is a network of one hidden layer: the corners of the task's ranges, and hidden 300 with the
batch nearest to 128. The three take turns, and their time is the processor's, of one thread, so that
what else the machine does meets them alike; on a busy machine look at the ratios, not at the times.

L letters, B batch, H hidden units, K classes, M inputs, N outputs.
"""

import argparse
import statistics
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import data
from data import words
from objectives import digits, langid, regression
from objectives.replay import THREADS
from search import tasks
from search.study.opening import source_of

LETTERS, LANGUAGES, DIGITS = len(words.LETTERS), len(words.LANGUAGES), 10


def word(x_L, y):
    """A word as the course hands it out: its letters one-hot, a short one with rows of zeros at its end."""
    # Padding is -1: the column that it falls into is cut off.
    return {"x": F.one_hot(x_L + 1, LETTERS + 1)[:, 1:].float(), "label": F.one_hot(y, LANGUAGES).float()}


def image(x_784, y):
    return {"x": x_784, "label": F.one_hot(y, DIGITS).float()}


def point(x_1, y_1):
    return {"x": x_1, "label": y_1}


class Examples(Dataset):
    """A split as the course hands it out, one example at a time."""

    def __init__(self, split, example):
        self.split, self.example = split, example

    def __len__(self):
        return len(self.split[1])

    def __getitem__(self, index):
        return self.example(self.split[0][index], self.split[1][index])


class CourseWords(nn.Module):
    """The network of `models.langid` with one layer, reading one-hot letters."""

    def __init__(self, config):
        super().__init__()
        self.inputs = nn.Linear(LETTERS, config.hidden_size)
        self.hidden = nn.Linear(config.hidden_size, config.hidden_size)
        self.output = nn.Linear(config.hidden_size, LANGUAGES)

    def forward(self, x_BL47):
        """Scores (B, K) of one-hot words (B, L, 47)."""
        x_LB47 = torch.movedim(x_BL47, 1, 0)
        h_BH = torch.relu(self.inputs(x_LB47[0]))
        for x_B47 in x_LB47[1:]:
            h_BH = torch.relu(self.inputs(x_B47) + self.hidden(h_BH))
        return self.output(h_BH)


def of_words(config, split):
    """A Counter of (B, M, N, to_inputs): how often an epoch multiplies (B, M) by weights (N, M)."""
    products, H = Counter(), config.hidden_size
    for x_LB, y_B in langid.shuffled_batches(split, config.batch_size):
        products[len(y_B), H, H, True] += len(x_LB) - 1
        products[len(y_B), H, LANGUAGES, True] += 1
    return products


def of_layers(task, config, split):
    """The same of a task whose network is a row of linear layers."""
    batches, B = len(split[1]) // config.batch_size, config.batch_size
    shapes = [part.weight.shape for part in task.build(config).modules() if isinstance(part, nn.Linear)]
    return Counter({(B, M, N, i > 0): batches for i, (N, M) in enumerate(shapes)})


class Case(NamedTuple):
    """One task, and what the ways need to know of it."""

    task: object
    example: object  # of the course: (x, y) -> a dict of "x" and "label"
    network: object  # of the course: config -> module
    loss: object
    products: object  # (config, split) -> a Counter
    every: int  # so many rows one is trained on, where a whole epoch would take too long
    epochs: int  # that are trained at a time, where one is too short to time


CASES = (
    Case(langid, word, CourseWords, F.cross_entropy, of_words, every=4, epochs=1),
    Case(digits, image, digits.build, F.cross_entropy, partial(of_layers, digits), every=2, epochs=1),
    Case(regression, point, regression.build, F.mse_loss, partial(of_layers, regression), every=1, epochs=40),
)


def ours(case, config, split):
    two = type(split)(*(part[:2] for part in split))
    case.task.train(config, split, two, lambda epoch, metrics: None)


def the_courses(case, config, split):
    model = case.network(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    for _ in range(config.epochs):
        for batch in DataLoader(Examples(split, case.example), batch_size=config.batch_size, shuffle=True):
            loss = case.loss(model(batch["x"]), batch["label"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def multiplications(case, config, split):
    for (B, M, N, to_inputs), count in case.products(config, split).items():
        x_BM, dx_BM, W_NM, dW_NM = (torch.zeros(size) for size in ((B, M), (B, M), (N, M), (N, M)))
        z_BN = torch.zeros(B, N)
        for _ in range(count * config.epochs):
            torch.mm(x_BM, W_NM.T, out=z_BN)  # forward
            torch.mm(z_BN.T, x_BM, out=dW_NM)  # backward, to the weights
            if to_inputs:
                torch.mm(z_BN, W_NM, out=dx_BM)  # backward, to the inputs


WAYS = {"ours": ours, "the course's": the_courses, "multiplications alone": multiplications}


def points(case):
    """The configurations that are timed."""
    batches = tasks.ranges(case.task)["batch_size"]
    choices = getattr(batches, "choices", None) or (batches.low, batches.high)
    pairs = [(H, B) for H in (100, 500) for B in (min(choices), max(choices))] + [(300, max(choices))]
    config = replace(case.task.Config(), layers=1, epochs=case.epochs)
    return [replace(config, hidden_size=H, batch_size=B) for H, B in pairs]


def seconds(way, *what):
    started = time.process_time()
    way(*what)
    return time.process_time() - started


def ms(time):
    """A time in figures that mean something."""
    return f"{time:.2f}" if time < 1 else f"{time:.1f}" if time < 10 else f"{time:,.0f}"


def table(case, repetitions):
    """The ways side by side at each point."""
    source = source_of(case.task, None)
    training = case.task.DATA.load(data.read(case.task.DATA.prepare(source)), "train")
    split = type(training)(*(part[:: case.every].contiguous() for part in training))
    scale = 1000 * len(training[1]) / len(split[1]) / case.epochs
    title = f"{tasks.name_of(case.task)}: ms an epoch of {len(training[1]):,} rows ({source})"
    if case.every > 1:
        title += f", timed on one in {case.every}"
    shown = Table(title=f"{title}; median, min..max", title_justify="left")
    for column in ("hidden, batch", *WAYS, "the course's / ours", "ours / alone"):
        shown.add_column(column, justify="right", overflow="fold")
    for way in WAYS.values():
        way(case, points(case)[0], type(split)(*(part[::50] for part in split)))  # warm up
    for config in points(case):
        rounds = [[seconds(way, case, config, split) for way in WAYS.values()] for _ in range(repetitions)]
        times = [[scale * taken for taken in way] for way in zip(*rounds)]
        slower = statistics.median(course / mine for mine, course, _ in rounds)
        factor = statistics.median(mine / alone for mine, _, alone in rounds)
        cells = [f"{ms(statistics.median(way))}, {ms(min(way))}..{ms(max(way))}" for way in times]
        point = f"{config.hidden_size}, {config.batch_size}"
        shown.add_row(point, *cells, f"{slower:.2f}", f"{factor:.2f}")
    return shown


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--tasks", default="langid,digits,regression")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    for case in CASES:
        if tasks.name_of(case.task) in options.tasks.split(","):
            Console(highlight=False).print(table(case, options.repetitions))


if __name__ == "__main__":
    main()
