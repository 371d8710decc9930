"""Command lines that are valid once, then changed at random.

A command line is a command and its options: a list of [name, value] pairs. A value is None where an option
stands alone, and a name is None where a word is no option.
"""

import re

from search.cli.app import COMMANDS, option_names
from tests.torture.hostile import hostile, misspelt

REQUIRED = ("task", "study", "trainers", "reason", "zip", "port")


def mutated(random, valid):
    """Draw a command and its options, then change some of them.

    Args:
        valid: name of an option -> values that are valid for it.
    """
    command = random.choice(list(COMMANDS))
    if command in ("void", "unvoid"):
        valid = valid | {"trials": valid["which"]}
    words = [[name, random.choice(valid[name])] for name in option_names(command)]
    random.shuffle(words)
    required = [word for word in words if word[0] in REQUIRED]
    others = [word for word in words if word not in required]
    words = required + others[: random.randrange(len(others) + 1)]
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3))):
        words = random.choice(CHANGES)(random, words)
    if random.random() < 0.05:
        command = random.choice((misspelt(random, command), hostile(random)))
    return command, words


def spoil(random, words):
    """Give one option a hostile value."""
    if words:
        random.choice(words)[1] = hostile(random)
    return words


def bend(random, words):
    """Misspell one value."""
    if words:
        word = random.choice(words)
        word[1] = misspelt(random, word[1] or "")
    return words


def drop(random, words):
    """Leave out one option."""
    return random.sample(words, max(0, len(words) - 1))


def double(random, words):
    """Repeat one option with a hostile value."""
    return words + [[name, hostile(random)] for name, _ in random.sample(words, min(1, len(words)))]


def swap(random, words):
    """Give the options each other's values."""
    values = [value for _, value in words]
    random.shuffle(values)
    return [[name, value] for (name, _), value in zip(words, values, strict=True)]


def rename(random, words):
    """Misspell the name of one option."""
    if words:
        word = random.choice(words)
        word[0] = misspelt(random, word[0] or "")
    return words


def bare(random, words):
    """Take the value of one option away."""
    if words:
        random.choice(words)[1] = None
    return words


def stray(random, words):
    """Add a word that is no option."""
    return [*words, [None, hostile(random)]]


CHANGES = (spoil, spoil, spoil, spoil, bend, drop, double, swap, rename, bare, stray)


def as_arguments(random, words):
    """Spell options in one of the ways that the command line takes."""
    arguments = []
    for name, value in words:
        option = f"--{name}" if random.random() < 0.7 else f"--{name}".upper().replace("-", "_")
        option = f"--{option.lstrip('-_')}"
        if name is None:
            arguments.append(value or "")
        elif value is None:
            arguments.append(option)
        else:
            arguments += [f"{option}={value}"] if random.random() < 0.5 else [option, value]
    return arguments


def as_settings(words):
    """Spell options as make takes them; leave out those that it cannot take."""
    names = [(name, value) for name, value in words if name and value is not None]
    return [
        f"{name.upper().replace('-', '_')}={value}" for name, value in names if re.fullmatch("[a-z-]+", name)
    ]
