"""Searches are killed again and again, at random moments."""

import time
from random import Random

from tests.torture import homes

TITLE = "a search that is killed at a random moment loses nothing that it said"
QUICK, FULL = 144, 1440  # kills
A_HOME, A_LOOK = 18, 6  # kills of one study; between two looks at all that is there


def run(random, count, folder):
    database = homes.fresh(folder)
    works = [
        (folder / f"home-{place}", database, random.getrandbits(32), kills)
        for place, kills in enumerate(homes.shares(count, A_HOME))
    ]
    return homes.side_by_side(kill_often, works)


def kill_often(folder, database, seed, kills):
    """Search one study on and on, under so many kills."""
    random, home, trials, length = Random(seed), homes.Home(folder, database), 4, 1.0
    outcomes = []
    for looked in homes.shares(kills, A_LOOK):
        moments = []
        while len(moments) < looked:
            search, began = home.start(command(trials)), time.monotonic()
            moment = random.uniform(0, length)
            if search.lives(moment):
                search.kill()
                moments.append(f"{moment:.3f}")
            else:  # it was done before
                length, trials = time.monotonic() - began, trials + random.randint(1, 6)
            search.end()
        wrong = home.wrong(command(trials), trials)
        outcomes += homes.outcomes(looked, wrong, f"{folder}, killed after {', '.join(moments)} s")
    return outcomes


def command(trials):
    return f"search --task bowl --trainers inline --confirm 2 --trials {trials}"
