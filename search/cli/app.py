"""Run a command: parse its arguments, choose its stores, and turn errors into exit codes.

Each error is one line on the standard error stream. `make COMMAND NAME=value` passes `--NAME=value`.
"""

import gc
import inspect
import io
import os
import sys
import traceback
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cyclopts import App, CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnknownOptionError, UnusedCliTokensError

import data
from search import __version__, paths, storage
from search.cli import options, readers, terminal
from search.cli.commands import maintenance, sharing, studies
from search.errors import StoreError, TrialbookError, UsageError, unknown
from search.primitives import redact
from search.primitives.text import one_line
from search.tracking import TrackingStore, chosen

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")  # of MLflow's stores
EXIT_CODES = """--debug: any command shows the traceback of a fault of this program

exit codes:
  0 done   1 failed   2 wrong usage, nothing written   3 store unavailable or damaged   4 study conflict
  5 no valid winner   6 audit or doctor found damage   130 stopped by Ctrl-C   143 stopped by SIGTERM
"""
Command = Callable[..., int]
COMMANDS: dict[str, Command] = {
    command.__name__.rstrip("_").replace("_", "-"): command
    for command in (
        *(studies.search, studies.try_, studies.check, studies.status, studies.winner),
        *(studies.report, studies.compare, studies.export, sharing.train, sharing.handin),
        *(sharing.check_handin, maintenance.void, maintenance.unvoid, maintenance.audit, maintenance.doctor),
        *(sharing.bundle, sharing.grade, sharing.ui, sharing.dashboard),
        *(maintenance.copy, sharing.serve, sharing.token, sharing.tokens),
        *(sharing.stack, sharing.slurm),
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
    for position, (name, command) in enumerate(COMMANDS.items()):
        app.command(command, name=name, help_epilogue="", sort_key=position, usage=_usage(name))
    return app


def _usage(name: str) -> str:
    return f"python -m search {name} [--name value ...], or make {name} [NAME=value ...]"


APP = _application()


@dataclass(frozen=True)
class Environment:
    """The stores that the environment names."""

    storage: str | None  # TRIALBOOK_STORAGE: the address of the studies
    tracking: TrackingStore  # MLFLOW_TRACKING_URI: the store of the log
    token: str | None = field(repr=False)  # TRIALBOOK_TOKEN: who asks a service


def option_names(command: str) -> list[str]:
    """The options that a command takes."""
    arguments = APP[command].assemble_argument_collection()
    names = [name for argument in arguments if argument.parse for name in argument.names]
    return list(dict.fromkeys(name.lstrip("-") for name in names if name.startswith("-")))


def parse(arguments: Sequence[str]) -> tuple[Command, inspect.BoundArguments]:
    """The function of a command, and its arguments. Raises UsageError."""
    if not arguments or arguments[0].startswith("-"):
        arguments = arguments if arguments[:1] == ["--version"] else ["--help"]
    elif arguments[0] not in COMMANDS:
        raise unknown("command", arguments[0], COMMANDS)
    else:
        arguments = [arguments[0], *_normalize(arguments[0], arguments[1:])]
    try:
        function, bound, _ = APP.parse_args(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise _usage_error(arguments[0], error) from None
    return function, bound


def _normalize(command: str, arguments: Sequence[str]) -> list[str]:
    """Spell arguments as cyclopts takes them: names in lower case with hyphens, a value after each switch."""
    switches = {
        argument.name
        for argument in APP[command].assemble_argument_collection()
        if argument.hint is options.Switch
    }
    normalized: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if normalized and normalized[-1] in switches:
            if not argument.startswith("-"):
                normalized[-1] += f"={argument}"
                continue
            normalized[-1] += "=1"
        normalized.append(
            name.lower().replace("_", "-") + equals + value if name.startswith("--") else argument
        )
    if normalized and normalized[-1] in switches:
        normalized[-1] += "=1"
    return normalized


def _usage_error(command: str, error: CycloptsError) -> UsageError:
    """The UsageError that replaces an error of cyclopts."""
    match error:
        case UnknownOptionError():
            typed = str(error.token.keyword or error.token.value)
        case UnusedCliTokensError() if error.unused_tokens:
            typed = error.unused_tokens[0]
        case MissingArgumentError() if error.unused_tokens:
            name = error.unused_tokens[0].lstrip("-").upper().replace("-", "_")
            return UsageError(f"{name}: expected one argument; see python -m search {command} --help")
        case _:
            return UsageError(f"{error}; see python -m search {command} --help")
    return unknown("option", typed.lstrip("-").partition("=")[0], option_names(command))


def main(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit code."""
    arguments, debug = _without_debug(arguments)
    try:
        environment = _read_environment()
        command, bound = parse(arguments)
        _fill_in(bound, environment)
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
        code, message = TrialbookError.exit_code, _record_fault(error)
    terminal.complain(message)
    return code


def _read_environment() -> Environment:
    """Read the parameters of all commands that the environment sets. No other module reads them.

    Raises UsageError.
    """
    data.use_course_folder(os.environ.get("DATA_DIR"))
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        _check_tracking_uri(uri)
    return Environment(
        os.environ.get("TRIALBOOK_STORAGE"), chosen(uri), os.environ.get("TRIALBOOK_TOKEN") or None
    )


def _check_tracking_uri(uri: str) -> None:
    """Raise UsageError if MLFLOW_TRACKING_URI names neither a server nor a database that MLflow opens."""
    try:
        parts = urllib.parse.urlsplit(uri)
        valid = parts.scheme.partition("+")[0] in SCHEMES and (parts.port is None or parts.port > 0)
    except ValueError:  # such as a port that is no number
        valid = False
    if not valid and uri != "databricks":
        shown = redact.redacted(uri)
        raise UsageError(
            f"MLFLOW_TRACKING_URI {shown!r} is not valid: http://host:port, or unset it for a log here"
        )


def _fill_in(bound: inspect.BoundArguments, environment: Environment) -> None:
    """Pass the stores of the environment to a command that needs them, unless others were typed.

    Raises UsageError.
    """
    needed = bound.signature.parameters.keys() - bound.arguments.keys()
    if "store" in needed:
        bound.arguments["store"] = storage.chosen(environment.storage)
    if "storage" in needed and environment.storage:
        bound.arguments["storage"] = readers.database("STORAGE", environment.storage)
    if "tracking" in needed:
        bound.arguments["tracking"] = environment.tracking
    if "token" in needed:
        bound.arguments["token"] = environment.token


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments without --debug, which any command takes, and whether it was among them."""
    debug = [argument for argument in arguments if argument.lower() in ("--debug", "--debug=1")]
    return [argument for argument in arguments if argument not in debug], bool(debug)


def _record_fault(error: Exception) -> str:
    """Append a traceback to the file of faults. Returns one line about it."""
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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file may be no valid text
    searching = sys.argv[1:2] == ["search"]
    farewell = "The reader of this output has gone: the search continues in silence." if searching else ""
    sys.stdout = terminal.Output(sys.stdout, farewell)
    sys.stderr = terminal.Output(sys.stderr)
    code = main(sys.argv[1:])
    gc.freeze()  # else Python looks through all libraries for garbage at its end: 2 s of a processor
    sys.exit(code)
