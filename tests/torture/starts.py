"""Eight searches start at once, where nothing is yet."""

import os
import re
from collections import Counter
from random import Random

from tests.torture import homes

TITLE = "of eight searches that start at once one searches, and the others name it"
QUICK, FULL = 5, 50  # times
CROWD, TRIALS = 8, 24
SEARCH = f"search --trainers inline --confirm 0 --trials {TRIALS}"
SLOW = "Preparing the data (once) ...\n"  # what eight searches on few cores may say first
BUSY = re.compile(r"error: study 'bowl-builtin' is being searched by process (\d+)\n")


def run(random, count, folder):
    ways = one_study, many_studies, one_study
    works = [(ways[i % 3], folder / f"home-{i}", random.getrandbits(32)) for i in range(count)]
    return homes.side_by_side(start_at_once, works)


def start_at_once(way, folder, seed):
    """Let a crowd of searches begin at one moment, and look what came of it."""
    home, (gate, ours) = homes.Home(folder), os.pipe()
    commands, judge = way(Random(seed))
    searches = [home.start(command, gate=gate) for command in commands]
    os.write(ours, b"!" * CROWD)
    codes = [search.end() for search in searches]
    os.close(gate)
    os.close(ours)
    wrong = [*home.tracebacks(), *judge(searches, codes), *home.audited()]
    return homes.outcomes(1, wrong, f"{folder}, {way.__name__}")


def one_study(_):
    """All search the same study."""
    return [f"{SEARCH} --task bowl"] * CROWD, one_searches


def many_studies(random):
    """Each searches its own, of two tasks."""
    os.environ["MOODS"] = "well"
    commands = [f"{SEARCH} --task {random.choice(('bowl', 'moody'))} --study s{i}" for i in range(CROWD)]
    return commands, all_search


def one_searches(searches, codes):
    if Counter(codes) != {0: 1, 4: CROWD - 1}:
        yield f"they ended with {codes}: {' '.join(sorted({search.error for search in searches}))}"
        return
    holder = str(searches[codes.index(0)].pid)
    for search, code in zip(searches, codes):
        named = BUSY.fullmatch(search.said.removeprefix(SLOW))
        if code == 4 and (not named or named[1] != holder):
            yield f"process {holder} searches, and another was told: {search.said.strip()}"


def all_search(searches, codes):
    for search, code in zip(searches, codes):
        if code != 0:
            yield f"a search of its own study ended with {code}: {search.error}"
        if homes.INCOMPLETE in search.said:
            yield next(line for line in search.said.splitlines() if homes.INCOMPLETE in line)
