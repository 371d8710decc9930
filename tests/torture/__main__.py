"""Torture: Trialbook is killed, started at once, fed and stopped in ways that nobody should try.

    python -m tests.torture --only kills,points --seed 7

Each module of this folder that has a TITLE is a part. It also has

    QUICK, FULL               how many cases it tries; what a case is, it says itself
    run(random, count, folder)   an iterator of what was violated, one line a case, or None where all held;
                              or of a `homes.Skipped`, where a tool is missing

and takes whatever is random from `random`, and whatever it writes into the empty `folder`. All of it runs
in a copy of the checkout.
"""

import argparse
import importlib
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture import checkout

HERE = Path(__file__).parent
TOYS = HERE.parent / "toys"
EVERY = 50  # cases between two lines, where they go into a file


@dataclass
class Tally:
    """What came of a part so far."""

    name: str
    title: str
    began: float = field(default_factory=time.monotonic)
    cases: int = 0
    violations: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    seconds: float = 0.0
    latest: str | None = None  # what the last case yielded

    def count(self, outcome):
        """Count what a part yielded of a case."""
        from tests.torture.homes import Skipped

        self.cases += 1
        self.latest = outcome
        self.seconds = time.monotonic() - self.began
        if isinstance(outcome, Skipped):
            self.skipped.append(outcome)
        elif outcome is not None:
            self.violations.append(outcome)

    def __str__(self):
        counts = f"{self.cases} cases, {len(self.violations)} violations, {len(self.skipped)} skipped"
        return f"{self.name}: {self.title}: {counts}, {self.seconds:.0f} s"


def parts():
    """The names of all parts, sorted."""
    paths = sorted(HERE.glob("*.py"))
    return [path.stem for path in paths if "\nTITLE = " in path.read_text(encoding="utf-8")]


def find(name):
    """The module of a part."""
    return importlib.import_module(f"tests.torture.{name}")


def torture(part, seed, full, folder, show=lambda tally: None):
    """Run one part in an empty folder; show its Tally after each case, and return it."""
    name, count = part.__name__.rpartition(".")[2], part.FULL if full else part.QUICK
    tally = Tally(name, part.TITLE)
    try:
        for outcome in part.run(random.Random(f"{seed} {name}"), count, folder):
            tally.count(outcome)
            show(tally)
    except Exception as error:  # a part that cannot go on has found something
        traceback.print_exc()
        tally.count(f"the part itself failed: {type(error).__name__} {error}")
    return tally


def show(tally):
    """One line a part: redrawn in a terminal, else written once for so many cases. A violation at once."""
    if tally.latest is not None:
        print(tally.latest, flush=True)
    if sys.stdout.isatty():
        print(tally, end="\r", flush=True)
    elif tally.cases % EVERY == 0:
        print(tally, flush=True)


def table(tallies):
    """All that came of it, in lines."""
    yield f"{'part':14}{'cases':>8}{'violations':>12}{'skipped':>9}{'seconds':>9}"
    for tally in tallies:
        violations, skipped = len(tally.violations), len(tally.skipped)
        yield f"{tally.name:14}{tally.cases:8}{violations:12}{skipped:9}{tally.seconds:9.0f}"


def read(arguments):
    """What was typed."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="ten times as many cases: about 75 minutes")
    parser.add_argument("--seed", type=int, help="from which all that is random derives (by default random)")
    parser.add_argument("--only", default=",".join(parts()), help="parts, separated by commas (all)")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if unknown := sorted(set(options.only) - set(parts())):
        parser.error(f"unknown part {unknown[0]!r}: valid are {', '.join(parts())}")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    return options


def main(arguments):
    """Run the parts in a copy of the checkout. Returns the exit code: 1 where anything was violated."""
    options = read(arguments)
    if not checkout.is_copy():
        with tempfile.TemporaryDirectory(prefix="torture-") as folder:
            return checkout.run(arguments, Path(folder) / "checkout")
    at_home()
    again = f"python -m tests.torture --seed {options.seed} --only {','.join(options.only)}"
    again += " --full" if options.full else ""
    print(f"Seed {options.seed}: {again}", flush=True)
    folder, tallies = Path(tempfile.mkdtemp(prefix="torture-")), []
    for name in options.only:
        (folder / name).mkdir()
        tallies.append(torture(find(name), options.seed, options.full, folder / name, show))
        print(tallies[-1], flush=True)
    for said in (each for tally in tallies for each in (*tally.violations, *tally.skipped)):
        print(said)
    print("\n".join(table(tallies)))
    violated = any(tally.violations for tally in tallies)
    if violated:
        print(f"What it was found in lies in {folder}.")
    else:
        shutil.rmtree(folder)
    print(f"Seed {options.seed}: {again}")
    return 1 if violated else 0


def at_home():
    """Tasks of the tests are found, by trainers too; what this machine's environment says is not heard."""
    sys.path.insert(0, str(TOYS))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TOYS), os.environ.get("PYTHONPATH", "")])
    for name in ("MLFLOW_TRACKING_URI", "DATA_DIR", "MOOD", "MOODS"):
        os.environ.pop(name, None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
