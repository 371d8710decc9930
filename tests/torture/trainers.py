"""Trainers are killed while they train; the search is killed, and its trainers are not."""

import os
import signal
from pathlib import Path
from random import Random

from stores import here

from search.study.stored import StoredStudy
from tests.torture import homes

TITLE = "a trainer that is killed costs its trial alone, and none outlives its search"
QUICK, FULL = 6, 60  # kills
TRIALS = 60
BOWL = f"search --task bowl --jobs 2 --confirm 0 --trials {TRIALS}"
MOODY = f"search --task moody --jobs 2 --confirm 0 --trials {TRIALS}"
SOON = 10.0  # seconds in which all processes of a search must have ended
READY = "trial 0 epoch", "trial 1 epoch"  # both trainers train
PROCESSES = Path("/proc")
KILLED = "the trainer was ended by SIGKILL, as a system does that runs out of memory"


def run(random, count, folder):
    if not (PROCESSES / "self" / "stat").exists():
        yield from [homes.Skipped(f"trainers are found in {PROCESSES}, which is not here")] * count
        return
    database = homes.fresh(folder)
    ways = kill_a_trainer, kill_the_search, kill_both
    works = [(ways[i % 3], folder / f"home-{i}", database, random.getrandbits(32)) for i in range(count)]
    yield from homes.side_by_side(kill_once, works)


def kill_once(way, folder, database, seed):
    wrong = list(way(Random(seed), homes.Home(folder, database)))
    return homes.outcomes(1, wrong, f"{folder}, {way.__name__}, seed {seed}")


def kill_a_trainer(random, home):
    """The search goes on, and but for the trial that it trained nothing failed."""
    search = home.start(BOWL)
    if not search.until(*READY) or not search.lives(random.uniform(0, 0.2)):
        yield f"no trainer could be killed: {search.error}"
        return
    os.kill(random.choice(trainers_of(search.pid)), signal.SIGKILL)
    code = search.end()
    if code != 0:
        yield f"the search ended with {code}: {search.error}"
    yield from home.wrong(BOWL, TRIALS)
    failed = [
        trial.reason for trial in StoredStudy.read(here(), homes.NAME).trials() if trial.state == "failed"
    ]
    if failed not in ([], [KILLED]):
        yield f"these trials failed: {failed}"


def kill_the_search(_, home):
    """Its trainers, which are busy for ever, are to end by themselves."""
    os.environ["MOOD"] = os.environ["MOODS"] = "hang"
    search = home.start(MOODY)
    search.until("trial 0 epoch")
    os.kill(search.pid, signal.SIGKILL)
    soon = SOON * homes.share()
    if search.end(soon) is None:
        yield f"trainers outlived their search by {soon:.0f} s"


def kill_both(random, home):
    """At any moment, that at which trainers start, too."""
    search = home.start(BOWL)
    search.lives(random.uniform(0, 6))
    search.kill()
    if search.end(SOON * homes.share()) is None:
        yield "a process of the search is not of its group"
    yield from home.wrong(BOWL, TRIALS)


def trainers_of(pid):
    """The processes that train for another: the last of those that it started, but for Python's own."""
    parents = dict(filter(None, map(parentage, PROCESSES.glob("[0-9]*"))))
    ours = {pid}
    while more := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= more
    last = ours - set(parents.values()) - {pid}
    return [each for each in sorted(last) if b"resource_tracker" not in typed(each)]


def parentage(process):
    """A process and its parent; None where it has ended."""
    try:
        return int(process.name), int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def typed(pid):
    return (PROCESSES / str(pid) / "cmdline").read_bytes()
