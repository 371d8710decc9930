"""Seconds of one training epoch of `langid`: this project's way, next to the course's.

ours                    `objectives.langid.train` as it is, but validated on a single word
the course's            words one-hot encoded one by one in a `Dataset`, padded to 10 letters, in a
                        `DataLoader`; Adam, not fused. Source: course handout, question 4
multiplications alone   by the recurrent weights, for all of our batches: one forward and two
                        backward for each letter after the first

The three take turns, so that what else the machine does meets them alike.

L letters, B batch, H hidden units, K languages.
"""

import argparse
import statistics
import time

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import data
from data import words
from objectives import langid
from objectives.replay import THREADS

CONFIG = langid.Config(hidden_size=300, layers=1, batch_size=64, epochs=1)
LETTERS, LANGUAGES = len(words.LETTERS), len(words.LANGUAGES)


class CourseWords(Dataset):
    """Words as the course hands them out: one-hot, short ones with rows of zeros at their end."""

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return len(self.split.y_N)

    def __getitem__(self, index):
        # Padding is -1: the column that it falls into is cut off.
        x = F.one_hot(self.split.x_NL[index] + 1, LETTERS + 1)[:, 1:].float()
        return {"x": x, "label": F.one_hot(self.split.y_N[index], LANGUAGES).float()}


class CourseModel(nn.Module):
    """The network of `models.langid` with one layer, reading one-hot letters."""

    def __init__(self, hidden_size):
        super().__init__()
        self.inputs = nn.Linear(LETTERS, hidden_size)
        self.hidden = nn.Linear(hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, LANGUAGES)

    def forward(self, xs):
        """Scores (B, K) of one-hot words (L, B, 47)."""
        h_BH = torch.relu(self.inputs(xs[0]))
        for x in xs[1:]:
            h_BH = torch.relu(self.inputs(x) + self.hidden(h_BH))
        return self.output(h_BH)


def ours(training):
    """Seconds of an epoch of `langid`."""
    one_word = words.Words(training.x_NL[:1], training.y_N[:1])
    started = time.perf_counter()
    langid.train(CONFIG, training, one_word, lambda epoch, metrics: None)
    return time.perf_counter() - started


def the_courses(training):
    """Seconds of an epoch as a student of the course would write it."""
    started = time.perf_counter()
    model = CourseModel(CONFIG.hidden_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=CONFIG.learning_rate)
    for batch in DataLoader(CourseWords(training), batch_size=CONFIG.batch_size, shuffle=True):
        loss = F.cross_entropy(model(torch.movedim(batch["x"], 1, 0)), batch["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def multiplications(training):
    """Seconds of the recurrent multiplications of an epoch, into tensors that are there already."""
    shapes = [x_LB.shape for x_LB, _ in langid.shuffled_batches(training, CONFIG.batch_size)]
    H = CONFIG.hidden_size
    W_HH, dW_HH = torch.randn(H, H), torch.empty(H, H)
    states = {B: (torch.randn(B, H), torch.empty(B, H)) for _, B in shapes}
    started = time.perf_counter()
    for L, B in shapes:
        h_BH, out_BH = states[B]
        for _ in range(L - 1):
            torch.mm(h_BH, W_HH.T, out=out_BH)  # forward
            torch.mm(h_BH, W_HH, out=out_BH)  # backward, to the state before
            torch.mm(h_BH.T, h_BH, out=dW_HH)  # backward, to the weights
    return time.perf_counter() - started


WAYS = {"ours": ours, "the course's": the_courses, "multiplications alone": multiplications}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(THREADS)
    training = words.load(data.read(words.prepare("builtin")), "train")
    for way in WAYS.values():
        way(words.Words(training.x_NL[::50], training.y_N[::50]))  # warm up
    rounds = [{name: way(training) for name, way in WAYS.items()} for _ in range(repetitions)]
    Console(highlight=False).print(table(rounds, len(training.y_N)))


def table(rounds, count):
    """The ways side by side; `rounds` holds the seconds of each, by name."""
    title = f"langid: {count:,} words, hidden {CONFIG.hidden_size}, batch {CONFIG.batch_size}"
    shown = Table(title=title, title_justify="left")
    for column in ("one epoch", "median seconds", "min..max", "ratio to ours"):
        shown.add_column(column, justify="left" if column == "one epoch" else "right")
    times = {name: [taken[name] for taken in rounds] for name in WAYS}
    for name, taken in times.items():
        ratio = statistics.median(taken) / statistics.median(times["ours"])
        spread = f"{min(taken):.2f}..{max(taken):.2f}"
        shown.add_row(name, f"{statistics.median(taken):.2f}", spread, f"{ratio:.2f}")
    return shown


if __name__ == "__main__":
    main()
