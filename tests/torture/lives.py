"""One search is killed until it is done, and its best is that of a search that nobody disturbed."""

from random import Random

from tests.torture import homes

TITLE = "a search that is killed until it is done finds the same best"
QUICK, FULL = 3, 20  # searches
TRIALS, LIVES = 24, 200  # of a search; it is left in peace where it needs more
EARLY = 15  # lives that mostly end while trials train
COMMAND = f"search --task bowl --trainers inline --confirm 0 --trials {TRIALS}"


def run(random, count, folder):
    database = homes.fresh(folder)
    lengths = homes.typical(folder, database, COMMAND)
    works = [(folder / f"home-{i}", database, random.getrandbits(31), lengths) for i in range(count)]
    return homes.side_by_side(kill_until_done, works)


def kill_until_done(folder, database, seed, lengths):
    """Kill a search until it is done; compare it with one that is not killed."""
    random, command, moments, (trained, whole) = Random(seed), f"{COMMAND} --seed {seed}", [], lengths
    wrong = homes.Home(folder / "whole", database).wrong(command, TRIALS)
    best, home = homes.best(), homes.Home(folder / "killed", database)
    while len(moments) < LIVES:
        length = trained / 2 if len(moments) < EARLY else whole
        search, moment = home.start(command), random.expovariate(1 / length)
        if search.lives(moment):
            search.kill()
            moments.append(f"{moment:.3f}")
        if search.end() == 0:
            break
    wrong += home.wrong(command, TRIALS)
    if homes.best() != best:
        wrong.append(f"the best is {homes.best()}, not {best}")
    return homes.outcomes(1, wrong, f"{folder}, killed after {', '.join(moments)} s")
