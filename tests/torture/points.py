"""Searches die at named points of their own code: before a call, halfway through it, or after it."""

import contextlib
import itertools
import json
import os
import signal
from collections import Counter
from pathlib import Path

from search.storage import journal
from search.strategy.strategy import Strategy
from search.study.study import Study
from search.tracking.projection import Projection
from search.tracking.writers import SqliteWriter
from tests.torture import homes

TITLE = "a search that dies at a named point is healed by the next one"
QUICK, FULL = 1, 3  # calls of each point at which it dies: of the first, the middle and the last
TRIALS = 8
SEARCH = f"search --task bowl --trainers inline --confirm 2 --trials {TRIALS}"
VOID = "void --task bowl --trials 1 --reason wrong"
EXPORT = "export --task bowl"
AROUND = "before", "after"
# The log's thread writes the latest of each trial, so that how often it calls these is a matter of time.
COALESCED = (
    *("SqliteWriter.begin", "SqliteWriter.add", "SqliteWriter.end", "SqliteWriter.end, half"),
    "Projection.write",
)
POINTS = {  # name -> the owner of a function, the function's name, when to die, and in which command
    "Journal.append_logs": (journal.Journal, "append_logs", AROUND, SEARCH),
    "journal._append": (journal, "_append", ("half",), SEARCH),  # what is written of a record
    "Journal.commit": (journal.Journal, "commit", AROUND, SEARCH),
    "rename of a new study": (Path, "rename", AROUND, SEARCH),
    "Strategy.ask": (Strategy, "ask", AROUND, SEARCH),
    "Strategy.replicate": (Strategy, "replicate", AROUND, SEARCH),
    "Study.report": (Study, "report", AROUND, SEARCH),
    "Study.pause": (Study, "pause", AROUND, SEARCH),
    "Study.resume": (Study, "resume", AROUND, SEARCH),
    "Study.tell": (Study, "tell", AROUND, SEARCH),
    "Study.set_budget": (Study, "set_budget", AROUND, SEARCH),
    "Study.set_projected_revision": (Study, "set_projected_revision", AROUND, SEARCH),
    "Study.void": (Study, "void", AROUND, VOID),
    "SqliteWriter.begin": (SqliteWriter, "begin", AROUND, SEARCH),
    "SqliteWriter.add": (SqliteWriter, "add", AROUND, SEARCH),
    "SqliteWriter.end": (SqliteWriter, "end", AROUND, SEARCH),
    "SqliteWriter.end, half": (SqliteWriter, "_add", ("after",), SEARCH),  # within a transaction
    "Projection.write": (Projection, "write", AROUND, SEARCH),
    "Projection._open": (Projection, "_open", AROUND, SEARCH),
    "Projection._create_parent": (Projection, "_create_parent", AROUND, SEARCH),
    "Projection._mend": (Projection, "_mend", AROUND, SEARCH),
    "Projection._conclude": (Projection, "_conclude", AROUND, SEARCH),
    "Projection._write_files": (Projection, "_write_files", AROUND, SEARCH),
    "text of a script": (Path, "write_text", ("half",), EXPORT),
    "replace of a script": (Path, "replace", AROUND, EXPORT),
}


def run(random, count, folder):
    database = homes.fresh(folder)
    commands = SEARCH, VOID, EXPORT
    whole = homes.side_by_side(
        count_calls, [(folder / f"whole-{i}", database, command) for i, command in enumerate(commands)]
    )
    known = dict(zip(commands, whole))
    works = []
    for name, (_, _, whens, command) in POINTS.items():
        calls, best = known[command]
        for when in whens:
            number = min(calls[name], TRIALS) if name in COALESCED else calls[name]
            for nth in chosen(random, count, number):
                place = folder / f"home-{len(works)}"
                works.append((place, database, name, when, nth, best))
    yield from homes.side_by_side(die_once, works)


def chosen(random, count, calls):
    """So many of the first, the middle and the last call; of a point that is never called, the first."""
    some = sorted({1, max(1, calls // 2), max(1, calls)})
    return random.sample(some, min(count, len(some)))


def count_calls(folder, database, command):
    """How often each point of a command is called where nothing disturbs it, and the best that is found."""
    home, calls = homes.Home(folder, database), folder / "calls.json"
    if command != SEARCH:
        home.run(SEARCH)
    home.run(command, around=counting(calls))
    home.run(SEARCH)
    return [(json.loads(calls.read_text()), homes.best())]


def die_once(folder, database, name, when, nth, best):
    """Die at a point, type the same again, and look what came of it."""
    command, home = POINTS[name][-1], homes.Home(folder, database)
    if command != SEARCH:
        home.run(SEARCH)
    code, died = home.run(command, around=dying(name, when, nth))
    as_meant = code == -signal.SIGKILL or (name in COALESCED and code == 0)  # of so few calls there were less
    wrong = [] if as_meant else [f"it did not die there, but ended with {code}: {died.error}"]
    if command != SEARCH:
        code, healed = home.run(command)
        wrong += [] if code == 0 else [f"the same again ended with {code}: {healed.error}"]
    wrong += home.wrong(SEARCH, TRIALS)
    if homes.best() != best:
        wrong.append(f"the best is {homes.best()}, not {best}")
    return homes.outcomes(1, wrong, f"{folder}, {when} call {nth} of {name}")


@contextlib.contextmanager
def counting(file):
    """Count the calls of all points within, and write the counts to a file."""
    counts = Counter()

    def count(name):
        def called(function, *arguments, **named):
            counts[name] += 1
            return function(*arguments, **named)

        return called

    for name in POINTS:
        wrap(name, count(name))
    yield
    file.write_text(json.dumps({name: counts[name] for name in POINTS}))


@contextlib.contextmanager
def dying(name, when, nth):
    """Within, the process is killed before, after or halfway through the nth call of a point."""
    calls = itertools.count(1)

    def called(function, *arguments, **named):
        if next(calls) != nth:
            return function(*arguments, **named)
        if when == "half":  # of what is written: the second argument
            owner, content, *others = arguments
            function(owner, content[: len(content) // 2], *others, **named)
        elif when == "after":
            function(*arguments, **named)
        return os.kill(os.getpid(), signal.SIGKILL)

    wrap(name, called)
    yield


def wrap(name, called):
    """Have `called(function, *arguments)` called in place of a point, for good."""
    owner, attribute, *_ = POINTS[name]
    function = getattr(owner, attribute)
    setattr(owner, attribute, lambda *arguments, **named: called(function, *arguments, **named))
