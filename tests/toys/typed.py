"""What the command line makes of what is typed, as one flat list of options."""

import dataclasses
from types import SimpleNamespace

from search.cli.app import COMMANDS, option_names, parse


def options_of(arguments):
    """The values that a command takes, by name; those that were not typed have their defaults."""
    _, bound = parse(arguments)
    bound.apply_defaults()
    values = {}
    for name, value in bound.arguments.items():
        values |= dataclasses.asdict(value) if dataclasses.is_dataclass(value) else {name: value}
    return SimpleNamespace(**values)


def all_options():
    """The names of all options of all commands."""
    return {option for command in COMMANDS for option in option_names(command)}
