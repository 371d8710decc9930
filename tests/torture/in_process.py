"""Commands run in this process, and the rules that each of them must keep."""

import contextlib
import io
import os
import shutil
import signal
from typing import NamedTuple

from search import paths
from search.cli.app import main

PATIENCE = 60  # seconds until a command must have ended
EXIT_CODES = {0, 1, 2, 3, 4, 5, 6, 130, 143}
MAY_FAIL = ("check-handin", "grade")  # their answer: exit code 1, and the reason on the screen
MAX_LETTERS = 1_000  # of an error's line: nobody reads a longer one


class Outcome(NamedTuple):
    """How a command ended, and the text that it wrote."""

    code: int | str  # text where the command ended with a fault
    output: str
    errors: str


class Overdue(BaseException):
    """A command did not end. It is no OSError, unlike TimeoutError, so commands do not catch it."""


def run_here(arguments):
    """Run a command line in this process. Returns its Outcome."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace") for _ in range(2))
    before = signal.signal(signal.SIGALRM, _raise_overdue)
    signal.alarm(PATIENCE)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = main(list(arguments))
    except SystemExit as end:
        code = end.code
    except (Exception, Overdue) as error:
        code = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if code in (130, 143):  # the signal was meant for the torture itself
        raise KeyboardInterrupt
    return Outcome(code, _text(output), _text(errors))


def _raise_overdue(*_):
    raise Overdue(f"no end in {PATIENCE} s")


def _text(stream):
    stream.flush()
    return stream.buffer.getvalue().decode(errors="replace")


@contextlib.contextmanager
def at_home(folder):
    """Set the home of all commands. There is no course data and no other log."""
    before = dict(os.environ)
    os.environ.update(TRIALBOOK_HOME=str(folder), DATA_DIR=str(folder / "no-course"))
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def make_finished_study(zip_path=None):
    """Search the bowl in the current home: 12 trials, and the winner confirmed, logged and exported.

    Args:
        zip_path: where the study's hand-in is put, if one is wanted.
    """
    study = ["--task", "bowl", "--study", "finished"]
    budget = ["--trials", "12", "--confirm", "2", "--trainers", "inline"]
    commands = [["search", *study, *budget], ["export", *study]]
    if zip_path:
        commands.append(["handin", *study])
    for arguments in commands:
        outcome = run_here(arguments)
        assert outcome.code == 0, outcome
    if zip_path:
        shutil.move(paths.home() / "finished-handin.zip", zip_path)
    shutil.rmtree(paths.artifacts() / "bowl")  # megabytes of pages, which no case reads


def violations(command, outcome):
    """The rules that the end of a command violates, a line each."""
    found, lines = [], outcome.errors.splitlines()
    if outcome.code not in EXIT_CODES or (outcome.code == 1 and command not in MAY_FAIL):
        found.append(f"exit code {outcome.code}")
    if "Traceback" in outcome.output + outcome.errors or "a fault of this program" in outcome.errors:
        found.append(f"a fault: {outcome.errors[:200]!r}")
    if outcome.code == 1 and command in MAY_FAIL and not lines:
        return found
    if outcome.code != 0 and not _is_one_error(lines):
        found.append(f"no one line: {outcome.errors[:200]!r}")
    if any(len(line) > MAX_LETTERS for line in lines):
        found.append(f"a line of {max(map(len, lines))} letters: {outcome.errors[:80]!r}")
    return found


def _is_one_error(lines):
    return len(lines) == 1 and lines[0].startswith("error: ") and lines[0].isprintable()
