"""What the command line makes of what is typed, and what it prints."""

import dataclasses
from types import SimpleNamespace

from search.cli.app import COMMANDS, option_names, parse


def options_of(arguments):
    """The values that a command takes, by name; those that were not typed have their defaults.

    None where help or the version was asked for.
    """
    function, bound = parse(arguments)
    if function not in COMMANDS.values():
        return None
    bound.apply_defaults()
    values = {}
    for name, value in bound.arguments.items():
        values |= dataclasses.asdict(value) if dataclasses.is_dataclass(value) else {name: value}
    return SimpleNamespace(**values)


def all_options():
    """The names of all options of all commands."""
    return {option for command in COMMANDS for option in option_names(command)}


def said(capsys):
    captured = capsys.readouterr()
    return captured.out, captured.err
