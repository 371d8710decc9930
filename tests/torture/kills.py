"""Searches are killed again and again, at random moments."""

from random import Random

from tests.torture import homes

TITLE = "a search that is killed at a random moment loses nothing that it said"
QUICK, FULL = 144, 1440  # kills
A_HOME, A_LOOK = 18, 6  # kills of one study; between two looks at all that is there
MORE = 2, 12  # trials that are asked for beyond those that there are


def run(random, count, folder):
    database = homes.fresh(folder)
    lengths = homes.typical(folder, database, command(12))
    works = [
        (folder / f"home-{place}", database, random.getrandbits(32), kills, lengths)
        for place, kills in enumerate(homes.shares(count, A_HOME))
    ]
    return homes.side_by_side(kill_often, works)


def kill_often(folder, database, seed, kills, lengths):
    """Search one study on and on, under so many kills: while it trains, or in all of its time."""
    random, home, trials, outcomes = Random(seed), homes.Home(folder, database), 0, []
    for looked in homes.shares(kills, A_LOOK):
        trials, moments = trials + random.randint(*MORE), []
        while len(moments) < looked:
            search, moment = home.start(command(trials)), random.uniform(0, random.choice(lengths))
            if search.lives(moment):
                search.kill()
                moments.append(f"{moment:.3f}")
            else:  # it was done before
                trials += random.randint(*MORE)
            search.end()
        wrong = home.wrong(command(trials), trials)
        outcomes += homes.outcomes(looked, wrong, f"{folder}, killed after {', '.join(moments)} s")
    return outcomes


def command(trials):
    return f"search --task bowl --trainers inline --confirm 2 --trials {trials}"
