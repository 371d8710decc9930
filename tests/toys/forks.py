"""Commands in forks of this process: they need none of the seconds in which a new one imports libraries."""

import contextlib
import multiprocessing
import sys
import tempfile

from search.cli.app import main

FORK = multiprocessing.get_context("fork")


def run(*typed):
    """Do what `python -m search` does with these arguments. Returns the exit code and all that it printed."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as printed:
        process = FORK.Process(target=_run, args=(typed, printed.name))
        process.start()
        process.join()
        return process.exitcode, printed.read()


def _run(typed, path):
    with (
        open(path, "w", encoding="utf-8") as printed,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        code = main(list(typed))
    sys.exit(code)
