"""Trainers are killed while they train; the search is killed, and its trainers are not."""

import os
import signal
from pathlib import Path
from random import Random

from search.study import Study
from tests.torture import homes

TITLE = "a trainer that is killed costs its trial alone, and none outlives its search"
QUICK, FULL = 6, 60  # kills
TRIALS = 60
READY = "trial 0 epoch", "trial 1 epoch"  # both trainers train
PROCESSES = Path("/proc")
KILLED = "the trainer was ended by SIGKILL"


def run(random, count, folder):
    if not (PROCESSES / "self" / "stat").exists():
        yield from [homes.Skipped(f"trainers are found in {PROCESSES}, which is not here")] * count
        return
    database = homes.fresh(folder)
    ways = kill_a_trainer, kill_the_search, kill_both
    works = [(ways[i % 3], folder / f"home-{i}", database, random.getrandbits(32)) for i in range(count)]
    yield from homes.side_by_side(kill_once, works)


def kill_once(way, folder, database, seed):
    """Kill in one way, look what came of it, and let the search go on undisturbed."""
    random, home = Random(seed), homes.Home(folder, database)
    wrong = list(way(random, home.start(command(TRIALS))))
    wrong += home.wrong(command(TRIALS + 1), TRIALS + 1)
    return homes.outcomes(1, wrong, f"{folder}, {way.__name__}")


def command(trials):
    return f"search --task bowl --jobs 2 --confirm 0 --trials {trials}"


def kill_a_trainer(random, search):
    if not search.until(*READY) or not search.lives(random.uniform(0, 0.2)):
        yield f"no trainer could be killed: {search.error}"
        return
    os.kill(random.choice(trainers_of(search.pid)), signal.SIGKILL)
    code = search.end()
    if code != 0:
        yield f"the search ended with {code}: {search.error}"
    study = Study.read(homes.NAME)
    failed = [trial.reason for trial in study.trials() if trial.state == "failed"]
    if study.counted() != TRIALS or failed not in ([], [KILLED]):
        yield f"{study.counted()} trials count, and these failed: {failed}"


def kill_the_search(random, search):
    """Its trainers are to end by themselves."""
    search.lives(random.uniform(0, 6))
    os.kill(search.pid, signal.SIGKILL)
    if search.end(10) is None:
        yield "trainers outlived their search by 10 s"


def kill_both(random, search):
    search.lives(random.uniform(0, 6))
    search.kill()
    if search.end(10) is None:
        yield "a process is no member of its search's group"


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
