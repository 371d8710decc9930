"""Hostile command lines: every option of every command, in this process and in real ones.

A case is a valid command line for a home with one finished study, changed at random. The command must end
with a documented exit code and name the mistake in one line. It may write into its home and where OUT says.
After wrong usage, it may have written nothing at all.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from random import Random

import objectives
from search import paths
from search.cli.app import COMMANDS
from search.errors import UsageError
from tests.torture import homes
from tests.torture.in_process import PATIENCE, Outcome, at_home, make_finished_study, run_here, violations
from tests.torture.mutations import as_arguments, as_settings, mutated

TITLE = "hostile command lines end in one line, and write nowhere else"
QUICK, FULL = 1_020, 20_200  # of which 20 and 212 are real processes: see `number_of_processes`
ROOMS = 2  # that cases are tried in side by side
ROOT = paths.ROOT


class Room:
    """A home with one finished study, and a working directory that OUT may point into.

    A case that wrote to the home gets it replaced by a new folder: MLflow keeps old ones open.
    """

    def __init__(self, folder):
        self.folder, self.free = folder, folder / "free"
        self.here = self.free / "b" / "c"
        self.here.mkdir(parents=True)
        self.ready, self.zip = folder / "ready", folder / "finished.zip"
        with at_home(self.ready):
            make_finished_study(self.zip)
        self.occupied = socket.create_server(("127.0.0.1", 0))
        self.port = str(self.occupied.getsockname()[1])
        self._n_homes = 0
        self.renew()

    def renew(self):
        """Replace the home by one that no case has touched."""
        if self._n_homes:
            shutil.rmtree(self.home)
        self._n_homes += 1
        self.home = self.folder / f"home-{self._n_homes}"
        shutil.copytree(self.ready, self.home)
        shutil.rmtree(self.free)
        self.here.mkdir(parents=True)

    def may_hold(self, here, out):
        """Whether this value of OUT is harmless: within the room, or no new file."""
        path = Path(os.path.normpath(here / out))
        return path.is_relative_to(self.free) or path.exists() or str(path).startswith(("/dev", "/proc"))

    def may_change(self, path, arguments):
        """Whether a command may write to a path: into its home, and where OUT says.

        A copied log keeps its pages where the first one did.
        """
        has_out = any(argument.lower().startswith("--out") for argument in arguments)
        allowed = [self.home, self.ready / "mlruns" / "artifacts", *([self.free] if has_out else [])]
        return any(Path(path).is_relative_to(folder) for folder in allowed)

    def files(self):
        """All files and folders that a command could have written to: path -> time and size."""
        found = {}
        for top in (self.folder, ROOT):
            for folder, names, files in os.walk(top):
                names[:] = [name for name in names if not name.startswith((".", "__pycache__", "cache"))]
                for path in [folder, *(os.path.join(folder, name) for name in files)]:
                    status = os.lstat(path)
                    found[path] = status.st_mtime_ns, status.st_size * (path != folder)
        return found

    def valid_values(self):
        """Name of an option -> values that are valid in this room."""
        return {
            "task": ["bowl"],
            "study": ["finished"],
            "trials": ["12", "13"],
            "timeout": ["5", "0.5"],
            "jobs": ["1", "256"],
            "seed": ["0"],
            "confirm": ["0", "2"],
            "old": ["supersede", "void"],
            "bar": ["0.5", "-1", "1e9"],
            "test": ["1", "0"],
            "which": ["3", "0-2,5", "0-11"],
            "since": ["2020-01-01", "2020-01-01T10:30:00+02:00"],
            "code": ["0", "a"],
            "reason": ["the mask was wrong", "é"],
            "data": ["builtin"],
            "data-dir": ["."],
            "trainers": ["inline"],
            "device": ["cpu"],
            "zip": [str(self.zip)],
            "run": ["0"],
            "out": [str(self.here / "out")],
            "fix": ["1", "0"],
            "how": ["ray", "join"],
            "storage": ["postgresql://nobody@127.0.0.1:1/none"],
            "to": ["files"],
            "log": ["http://127.0.0.1:1"],
            "join": ["0"],
            "verbose": ["1", "0"],
            "stages": ["1", "0"],
            "host": ["127.0.0.1", "localhost"],
            "address": ["127.0.0.1:1"],
            "cpus": ["1", "0.5"],
            "gpus": ["0", "0.25"],
            "memory": ["1"],
            "a": ["finished"],
            "b": ["finished"],
            "port": [self.port],
            "q": ["q1", "q1,q3"],
            "seeds": ["1"],
            "no-graphics": ["1"],
            "check-dependencies": ["0"],
            "server": ["http://127.0.0.1:1"],
            "id": ["1"],
            "with": ["x=0.5", "x=0.1 y=3"],
            "quota": ["3600"],
            "name": ["ada"],
            "role": ["student", "staff"],
            "revoke": ["0"],
        }


def run(random, count, folder):
    """Yield of each case what it violated, or None."""
    works = [
        (folder / f"room-{number}", random.getrandbits(32), share)
        for number, share in enumerate(homes.shares(count, -(-count // ROOMS)))
    ]
    return homes.side_by_side(try_cases, works)


def try_cases(folder, seed, count):
    """Try so many cases one after the other, in a room of their own."""
    random, room, n_processes = Random(seed), Room(folder), number_of_processes(count)
    outcomes = [case_here(random, room) for _ in range(count - n_processes)]
    outcomes += [case_in_process(random, room) for _ in range(n_processes)]
    room.occupied.close()
    return outcomes


def number_of_processes(count):
    """How many of so many cases run in a process of their own."""
    return 5 + count // 100


def case_here(random, room):
    """Run one command line in this process."""
    command, words = mutated(random, room.valid_values())
    arguments = restrained(random, [command, *as_arguments(random, words)], room, room.here)
    before = room.files()
    with at_home(room.home), contextlib.chdir(room.here):
        outcome = run_here(arguments)
    return judged(room, arguments, before, outcome)


def case_in_process(random, room):
    """Run one command line in a process of its own; half of them through make."""
    command, words = mutated(random, room.valid_values())
    through_make = random.random() < 0.5 and command in COMMANDS
    if through_make:
        if not shutil.which("make") or not (ROOT / ".venv" / "bin" / "python").exists():
            return homes.Skipped("there is no make, or no .venv that it would run")
        settings = [f"--{each}" for each in as_settings(words)]
        arguments = restrained(random, [command, *settings], room, ROOT)
        typed = ["make", "-o", ".venv/ready", "--no-print-directory", command]
        typed += [argument.removeprefix("--") for argument in arguments[1:]]
    else:
        arguments = restrained(random, [command, *as_arguments(random, words)], room, ROOT)
        typed = [sys.executable, "-m", "search", *arguments]
    before = room.files()
    with at_home(room.home):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "toys")}
        try:
            done = subprocess.run(typed, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return f"did not end: {shown(typed)}"
    code, errors = done.returncode, done.stderr.decode(errors="backslashreplace")
    if through_make:
        code, errors = without_make(code, errors)
    return judged(room, arguments, before, Outcome(code, done.stdout.decode(errors="replace"), errors))


def restrained(random, arguments, room, here):
    """A command line that is made wrong if it would train for long, serve, or write outside its room."""
    from typed import options_of  # of tests/toys, which is on the path only once the torture runs

    try:
        with at_home(room.home), contextlib.chdir(here), contextlib.redirect_stdout(io.StringIO()):
            options = options_of(arguments)
    except UsageError:
        return arguments
    if options is None:  # help or the version was asked for
        return arguments
    goes_too_far = {
        "search": lambda: searches_for_long(options),
        "dashboard": lambda: str(options.port) != room.port,
        "ui": lambda: str(options.port) != room.port,
        "serve": lambda: str(options.port) != room.port,
        "try": lambda: options.task != "bowl",
        "check-handin": lambda: options.run and random.random() < 0.9,
        "export": lambda: random.random() < 0.9,
    }
    outside = getattr(options, "out", None) and not room.may_hold(here, options.out)
    return [*arguments, "--NONSENSE=1"] if outside or goes_too_far.get(arguments[0], bool)() else arguments


def searches_for_long(options):
    """Whether a search would train more than a toy, a moment long, in this process."""
    if options.task not in objectives.names() or options.trainers not in ("inline", None, "processes"):
        return False
    short = (options.trials or 99) <= 13 and (options.confirm or 0) <= 5
    return options.task != "bowl" or options.trainers != "inline" or not short


def judged(room, arguments, before, outcome):
    """The violations of a case in one line, or None. Afterwards the room is as it was."""
    after = room.files()
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    elsewhere = [path for path in changed if not room.may_change(path, arguments)]
    found = violations(arguments[0] if arguments else "", outcome)
    if outcome.code == 2 and changed:
        found.append(f"wrong usage, and {changed[0]!r} was written")
    elif elsewhere:
        found.append(f"{elsewhere[0]!r} was written")
    if changed:
        room.renew()
    return f"{'; '.join(found)}: {shown(arguments)}" if found else None


def without_make(code, errors):
    """The exit code that make hides, and the errors without what make adds."""
    if end := re.search(r"^make(?:\[\d+\])?: \*\*\* .* Error (\d+)$", errors, re.M):
        code = int(end[1])
    return code, re.sub(r"^make(\[\d+\])?: .*\n", "", errors, flags=re.M)


def shown(arguments):
    """A command line that can be replayed, if it is not too long."""
    return " ".join(shlex.quote(each if each.isprintable() else ascii(each)) for each in arguments)[:600]
