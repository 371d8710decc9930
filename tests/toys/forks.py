"""Forks of this process: they need none of the seconds in which a new process imports libraries."""

import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from search.cli import app

FORK = multiprocessing.get_context("fork")
STREAMS = {1: "stdout", 2: "stderr"}


class Ended(NamedTuple):
    """How a fork ended, and the text that it wrote."""

    returncode: int
    stdout: str
    stderr: str


def call(function, *arguments):
    """Call a function in a fork. Returns how the fork Ended."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = FORK.Process(target=_call, args=(output.fileno(), errors.fileno(), function, *arguments))
        process.start()
        process.join()
        texts = []
        for file in output, errors:
            file.seek(0)
            texts.append(file.read().decode())
        return Ended(process.exitcode, *texts)


def run(*typed):
    """Run `python -m search` with these arguments. Returns the exit code and all that it printed."""
    code, output, errors = call(_command, typed)
    return code, output + errors


def run_script(script, *arguments):
    """Run a script in its folder. Returns how it Ended."""
    return call(_script, script, arguments)


def start(*typed):
    """Start `python -m search` with these arguments. Returns the process, its output and its errors."""
    pipes = os.pipe(), os.pipe()
    process = FORK.Process(target=_start, args=(typed, pipes))
    process.start()
    for _, writer in pipes:
        os.close(writer)
    output, errors = (open(reader, encoding="utf-8") for reader, _ in pipes)  # noqa: SIM115
    return process, output, errors


def start_into(path, *typed):
    """Start `python -m search` with these arguments; all that it prints goes into a file."""
    process = FORK.Process(target=_start_into, args=(path, typed))
    process.start()
    return process


def _start(typed, pipes):
    for reader, _ in pipes:
        os.close(reader)  # else the reader could never be gone
    _call(*(writer for _, writer in pipes), _command, typed)


def _start_into(path, typed):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    _call(file, file, _command, typed)


def _call(output, errors, function, *arguments):
    """Call a function whose output and errors go to these files, as those of a program do."""
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for number, file in zip(STREAMS, (output, errors)):
        os.dup2(file, number)
    for file in {output, errors} - set(STREAMS):
        os.close(file)
    for number, name in STREAMS.items():
        setattr(sys, name, open(number, "w", buffering=1, encoding="utf-8", closefd=False))  # noqa: SIM115
    function(*arguments)


def _command(typed):
    sys.argv = ["search", *typed]
    app.run()


def _script(path, arguments):
    os.chdir(Path(path).parent)
    sys.argv = [path.name, *arguments]
    runpy.run_path(path.name, run_name="__main__")
