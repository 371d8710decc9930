"""The text of a task as some user might write it: drawn at random, right, wrong or strange in each part.

A `Task` says what is certain of it: whether it `must_run`, and whether its script `must_repeat`.
"""

from dataclasses import dataclass, field

FIELD_KINDS = {  # what a field is suggested from, its default, and a choice for it
    "int": ('trial.suggest_int("{name}", 1, {high})', "{inside}"),
    "step": ('trial.suggest_int("{name}", 0, {high}, step=2)', "2"),
    "float": ('trial.suggest_float("{name}", 0, 1)', "0.25"),
    "float, an integer as default": ('trial.suggest_float("{name}", 0, 1)', "0"),
    "log": ('trial.suggest_float("{name}", 1e-4, 1e-1, log=True)', "0.01"),
    "outside": ('trial.suggest_float("{name}", 1e-4, 1e-1, log=True)', "0.0"),
    "texts": ('trial.suggest_categorical("{name}", ["a", "é # b", "c\\\\n"])', '"a"'),
    "truth": ('trial.suggest_categorical("{name}", [True, False])', "True"),
    "none": ('trial.suggest_categorical("{name}", [None, 0.5])', "None"),
    "numpy": ('trial.suggest_categorical("{name}", 2 ** numpy.arange(4))', "4"),
    "conditional": ('(trial.suggest_int("{name}", 1, 9) if number > 4 else 1)', "1"),
    "dynamic": ('trial.suggest_int("{name}", 1, number)', "1"),
    "mixed": ('trial.suggest_categorical("{name}", ["auto", 3, None])', '"auto"'),
}
ODD_FIELDS = [
    "data: str = 'mine'",
    "help: int = 3",
    "flag: bool = False",
    "maybe: str = None",
    "rate: float = (\n        0.1\n    )  # over lines",
    "größe: int = 3",
    'long: str = "x" * 7000',
]
WRONG_SPACES = [
    'trial.suggest_float("number", 0.0, 1, log=True)',
    'trial.suggest_int("number", 9, 1)',
    'trial.suggest_categorical("number", [(1,), (2,)])',
    'trial.suggest_int("nothing", 1, 9)',
    "trial.number",
    "1 / 0",
]
REPORTS = {  # extra metrics that are right
    "nothing": "{}",
    "numpy": '{"extra": numpy.float32(0.5), "more": torch.tensor(2)}',
    "odd names": '{"MAP@5": 0.1, "loss[delta=1]": 1.0, "time(s)/gen": 0.2, "F1 % (macro)": 1}',
    "reserved names": '{"epoch": 0.5, "score": 0.1, "weights": 3, "seconds": 1, "time": 2}',
    "texts": '{"sample/../../x": "hi", "confusion: %": "long " * 3}',
    "many": '{f"m{i}": i for i in range(120)}',
}
WRONG_REPORTS = [
    '{"extra": None}',
    '{"extra": [1, 2]}',
    '{"extra": 1j}',
    "{3: 1.0}",
    '{"validation_loss": "low"}',
    '{"extra": 10**400}',
]
ENDS = {  # what happens at the second epoch of some configurations
    "nothing": "pass",
    "raises": 'raise RuntimeError("out of\\nsorts")',
    "exits": "sys.exit(0)",
    "no number": 'loss = loss * float("nan")',
    "reports from a thread": "in_a_thread(report, epoch, {})",
    "reports twice": "report(epoch - 1, {})",
    "returns early": "return model",
    "raises what cannot be said": "raise Unsayable()",
}
MUTATIONS = {  # what a training changes in its process
    "nothing": "pass",
    "its data": "training.x_N1.div_(3)",
    "the default type": "torch.set_default_dtype(torch.float64)",
    "whether gradients are kept": "torch.set_grad_enabled(True)",
    "all generators": "torch.manual_seed(5); numpy.random.seed(5); random.seed(5)",
    "its environment": 'os.environ["MARK"] = "x"; os.chdir("/")',
    "how many threads": "torch.set_num_threads(2)",
    "determinism": "torch.use_deterministic_algorithms(True)",
}
SCORES = {
    "a pair": "value, error",
    "a list": "[value, error]",
    "numpy": "numpy.float64(value), numpy.float32(error)",
    "torch": "torch.tensor(value), torch.tensor(error)",
}
WRONG_SCORES = [
    "value",
    "None",
    "(value, -1.0)",
    "(value, float('nan'))",
    "('good', 0.1)",
    "(value, error, 1)",
]
TEXT = '''"""{doc}

Target: none.
Source: drawn at random.
"""

import os
import random
import sys
import threading
from dataclasses import dataclass

import numpy
import torch
from torch import nn

from data import sine

METRIC, DIRECTION = {metric!r}, "{direction}"
TOLERANCE = 1e-6
DATA = sine
SCALE: float = 1.0
if SCALE:
    SHIFT = 0.5


class Unsayable(Exception):
    """Cannot be shown."""

    def __str__(self):
        raise RuntimeError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings."""

    number: int = 5
{fields}    epochs: int = {epochs}
    seed: int = 0


def space(trial):
    """Ranges."""
    number = {number}
    {reject}
    return Config(number=number, {arguments})


def build(config):
    """A line."""
    return {network}


def in_a_thread(function, *arguments):
    """Call it in a thread of its own."""
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


def train(config, training, validation, report):
    """Fit a line to a number."""
    {seeded}
    model = build(config)
    {mutation}
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for epoch in range(1, config.epochs + 1):
        guess = model(training.x_N1.float()).float()
        loss = ((guess - config.number * SCALE - SHIFT) ** 2).mean()
        if epoch == 2 and {when}:
            {end}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            value = ((model(validation.x_N1) - validation.y_N1) ** 2).mean().item()
            metrics = {{"train_loss": loss.item(), "validation_loss": value, "learning_rate": 0.01}}
            metrics["validation_" + METRIC] = value + random.random() * 1e-3
            report(epoch, metrics | {metrics})
        metrics.clear()
    return model


@torch.no_grad()
def score(model, split):
    """An error."""
    squares = (model(split.x_N1) - split.y_N1) ** 2
    value, error = squares.mean().item(), squares.std().item() / len(squares) ** 0.5
    return {score}
'''


@dataclass
class Task:
    """A task's text, and what is certain of it."""

    text: str
    parts: dict = field(default_factory=dict)  # which of each kind was drawn
    must_run: bool = True  # a search must end with a winner
    wrong: bool = False  # it breaks the contract before any training


def draw(random):
    """A Task drawn at random."""
    count = random.choice([0, 1, 2, 3, 3, 5, 8, 30, 150])
    names = [f"p{place}" for place in range(count)]
    kinds = [random.choice(list(FIELD_KINDS)) for _ in names]
    odd = random.sample(ODD_FIELDS, random.choice([0, 0, 1, 2]))
    task = Task("", {"fields": sorted(set(kinds)), "count": count})
    fields, arguments = [], []
    for name, kind in zip(names, kinds):
        suggested, default = (text.format(name=name, high=20, inside=7) for text in FIELD_KINDS[kind])
        fields.append(f"    {name}: object = {default}\n")
        arguments.append(f"{name}={suggested}")
    fields += [f"    {line}\n" for line in odd]
    slots = {
        "doc": random.choice(["Does it work?", "What does \\\\ do?", "Is 'é' \"quoted\"?"]),
        "metric": random.choice(["err", "err", "F1 % (macro)", "a/b"]),
        "direction": random.choice(["minimize", "maximize"]),
        "epochs": random.choice([1, 2, 4, 6]),
        "fields": "".join(fields),
        "arguments": ", ".join(arguments),
        "number": 'trial.suggest_int("number", 1, 9)',
        "reject": random.choice(["", "", "assert number != 3, number"]),
        "network": random.choice(["nn.Linear(1, 1)"] * 3 + ["nn.LazyLinear(1)"]),
        "seeded": random.choice(["torch.manual_seed(config.seed)", "pass"]),
        "when": random.choice(["config.number > 6", "config.number > 3", "True"]),
    }
    for slot, table in (("metrics", REPORTS), ("end", ENDS), ("mutation", MUTATIONS), ("score", SCORES)):
        task.parts[slot] = random.choice(list(table)) if random.random() < 0.6 else next(iter(table))
        slots[slot] = table[task.parts[slot]]
    for slot, wrong in (("number", WRONG_SPACES), ("score", WRONG_SCORES), ("metrics", WRONG_REPORTS)):
        if random.random() < 0.07:
            slots[slot] = task.parts[slot] = random.choice(wrong)
            task.must_run = False
            task.wrong |= slot == "number"
    task.must_run &= task.parts["end"] == "nothing" or slots["epochs"] < 2
    task.parts |= {name: slots[name] for name in ("metric", "epochs", "reject", "network", "when", "seeded")}
    task.text = TEXT.format(**slots)
    return task
