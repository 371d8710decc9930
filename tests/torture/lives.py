"""One search is killed until it is done, and its best is that of a search that nobody disturbed."""

import time
from random import Random

from tests.torture import homes

TITLE = "a search that is killed until it is done finds the same best"
QUICK, FULL = 3, 20  # searches
TRIALS, LIVES = 24, 200  # of a search; it is left in peace where it needs more
SHORT = 0.3  # of the time that an undisturbed search takes, a life lasts on average
COMMAND = f"search --task bowl --trainers inline --confirm 0 --trials {TRIALS}"


def run(random, count, folder):
    database = homes.fresh(folder)
    works = [(folder / f"home-{i}", database, random.getrandbits(32)) for i in range(count)]
    return homes.side_by_side(kill_until_done, works)


def kill_until_done(folder, database, seed):
    """Kill a search until it is done; compare it with one that is not killed."""
    random, began = Random(seed), time.monotonic()
    wrong = homes.Home(folder / "whole", database).wrong(f"{COMMAND} --seed {seed % 1000}", TRIALS)
    length, whole = time.monotonic() - began, homes.best()
    home, moments = homes.Home(folder / "killed", database), []
    while len(moments) < LIVES:
        search, moment = home.start(f"{COMMAND} --seed {seed % 1000}"), random.expovariate(1 / length / SHORT)
        if not search.lives(moment):
            search.end()
            break
        search.kill()
        search.end()
        moments.append(f"{moment:.3f}")
    wrong += home.wrong(f"{COMMAND} --seed {seed % 1000}", TRIALS)
    if homes.best() != whole:
        wrong.append(f"the best is {homes.best()}, not {whole}")
    return homes.outcomes(1, wrong, f"{folder}, killed after {', '.join(moments)} s")
