"""From what was typed to an exit code: find the command, read its options, run it, say what is wrong.

Each error is one line on the standard error stream. `make COMMAND NAME=value` passes `--NAME=value`.
"""

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnknownOptionError, UnusedCliTokensError

import data
from search import __version__, paths, redact, storage
from search.cli import commands, commands_share, options, terminal
from search.errors import StoreError, TrialbookError, UsageError, unknown
from search.text import one_line

EXIT_CODES = """--debug: any command shows the traceback of a fault of this program

exit codes:
  0 done   1 failed   2 wrong usage, nothing written   3 store unavailable or damaged   4 study conflict
  5 no valid winner   6 audit or doctor found damage   130 stopped by Ctrl-C   143 stopped by SIGTERM
"""
Command = Callable[..., int]
COMMANDS: dict[str, Command] = {
    command.__name__.replace("_", "-"): command
    for command in (
        *(commands.search, commands.check, commands.status, commands.winner, commands.report),
        *(commands.compare, commands.export, commands_share.train, commands_share.handin),
        *(commands_share.check_handin, commands.void, commands.unvoid, commands.audit, commands.doctor),
        *(commands_share.bundle, commands_share.grade, commands_share.ui, commands_share.dashboard),
        *(commands.copy, commands_share.stack, commands_share.slurm),
    )
}


def _application() -> App:
    app = App(
        name="python -m search",
        usage="python -m search COMMAND [--name value ...], or make COMMAND [NAME=value ...]",
        help="Systematic hyperparameter search: every trial written down, the winner frozen.\n\n"
        "`python -m search COMMAND --help` shows a command's options, with their defaults.",
        help_epilogue=EXIT_CODES,
        version=f"Trialbook {__version__}",
        help_flags=("--help", "-h"),
        version_flags="--version",
        help_format="plaintext",
        help_formatter="plain",
    )
    for place, (name, command) in enumerate(COMMANDS.items()):
        app.command(command, name=name, help_epilogue="", sort_key=place, usage=_usage(name))
    return app


def _usage(name: str) -> str:
    return f"python -m search {name} [--name value ...], or make {name} [NAME=value ...]"


APP = _application()


def option_names(command: str) -> list[str]:
    """The options that a command takes."""
    arguments = APP[command].assemble_argument_collection()
    names = [name.lstrip("-") for argument in arguments for name in argument.names if name.startswith("-")]
    return list(dict.fromkeys(names))


def parse(arguments: Sequence[str]) -> tuple[Command, inspect.BoundArguments]:
    """The function of the command that was typed, and what it takes. Raises UsageError."""
    if not arguments or arguments[0].startswith("-"):
        arguments = arguments if arguments[:1] == ["--version"] else ["--help"]
    elif arguments[0] not in COMMANDS:
        raise unknown("command", arguments[0], COMMANDS)
    else:
        arguments = [arguments[0], *_spelt(arguments[0], arguments[1:])]
    try:
        function, bound, _ = APP.parse_args(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise _usage_error(arguments[0], error) from None
    return function, bound


def _spelt(command: str, arguments: Sequence[str]) -> list[str]:
    """Arguments as cyclopts takes them: names in lower case with hyphens, and a value after each switch."""
    switches = {
        argument.name
        for argument in APP[command].assemble_argument_collection()
        if argument.hint is options.Switch
    }
    spelt: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if spelt and spelt[-1] in switches:  # it stood alone so far
            if not argument.startswith("-"):
                spelt[-1] += f"={argument}"
                continue
            spelt[-1] += "=1"
        spelt.append(name.lower().replace("_", "-") + equals + value if name.startswith("--") else argument)
    if spelt and spelt[-1] in switches:
        spelt[-1] += "=1"
    return spelt


def _usage_error(command: str, error: CycloptsError) -> UsageError:
    """A UsageError in place of one of cyclopts."""
    match error:
        case UnknownOptionError():
            seen = error.token.keyword or error.token.value
        case UnusedCliTokensError() if error.unused_tokens:
            seen = error.unused_tokens[0]
        case MissingArgumentError() if error.unused_tokens:
            name = error.unused_tokens[0].lstrip("-").upper().replace("-", "_")
            return UsageError(f"{name}: expected one argument; see python -m search {command} --help")
        case _:
            return UsageError(f"{error}; see python -m search {command} --help")
    return unknown("option", seen.lstrip("-").partition("=")[0], option_names(command))


def main(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit code."""
    arguments, debug = _without_debug(arguments)
    try:
        address = _read_environment()
        command, bound = parse(arguments)
        _fill_in(bound, address)
        return command(*bound.args, **bound.kwargs) or 0
    except TrialbookError as error:
        code, message = error.exit_code, str(error)
    except data.DataError as error:
        code, message = UsageError.exit_code, str(error)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        code, message = StoreError.exit_code, f"{error.filename or 'a file'}: {error.strerror or error}"
    except Exception as error:  # a fault of this program
        if debug:
            raise
        code, message = TrialbookError.exit_code, _written_down(error)
    terminal.complain(message)
    return code


def _read_environment() -> str | None:
    """Read what the environment sets, here alone. Returns the address of the studies. Raises UsageError."""
    data.use_course_folder(os.environ.get("DATA_DIR"))
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        options.check_tracking_uri(uri)
    return os.environ.get("TRIALBOOK_STORAGE")


def _fill_in(bound: inspect.BoundArguments, address: str | None) -> None:
    """Take the environment's store where a command needs one, and none was typed. Raises UsageError."""
    needed = bound.signature.parameters.keys() - bound.arguments.keys()
    if "store" in needed:
        bound.arguments["store"] = storage.chosen(address)
    if "storage" in needed and address:
        bound.arguments["storage"] = options.database("STORAGE", address)


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """What was typed but for --debug, which any command takes, and whether that was there."""
    asked = [argument for argument in arguments if argument.lower() in ("--debug", "--debug=1")]
    return [argument for argument in arguments if argument not in asked], bool(asked)


def _written_down(error: Exception) -> str:
    """Add a traceback to the file of them. Returns one line about it."""
    message = f"a fault of this program: {one_line(error)}"
    try:
        paths.faults().parent.mkdir(parents=True, exist_ok=True)
        with open(paths.faults(), "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(redact.redacted("".join(traceback.format_exception(error))))
    except OSError:
        return f"{message} (--debug shows where)"
    return f"{message} (where: {paths.faults()}, or --debug)"


def run() -> None:
    """Run the command that was typed, and exit with its code."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a file's name may be no text
    searching = sys.argv[1:2] == ["search"]
    farewell = "The reader of this output has gone: the search goes on in silence." if searching else ""
    sys.stdout = terminal.Output(sys.stdout, farewell)  # type: ignore[assignment]
    sys.stderr = terminal.Output(sys.stderr)  # type: ignore[assignment]
    sys.exit(main(sys.argv[1:]))
