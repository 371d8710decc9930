"""Searches are stopped by signals at random moments."""

import signal
import time
from itertools import cycle, islice
from random import Random

from tests.torture import homes

TITLE = "a signal stops a search cleanly, and a second one at once"
QUICK, FULL = 4, 40  # searches that are stopped
MORE = 40  # trials that a search is asked for, beyond those that there are
SOON, AT_ONCE = 10.0, 2.0  # seconds until a search must have ended after a signal, and after a second one
GAP = 0.3  # seconds between two signals at the most
INLINE, PROCESSES = (
    ("--trainers inline", 1.5),
    ("--jobs 2", 8.0),
)  # and seconds of such a search that are tried
WAYS = (
    (signal.SIGTERM, 1, INLINE),
    (signal.SIGINT, 2, INLINE),
    (signal.SIGINT, 1, PROCESSES),
    (signal.SIGTERM, 2, INLINE),
    (signal.SIGINT, 1, INLINE),
    (signal.SIGTERM, 1, PROCESSES),
)
HEARS = "Task bowl: "  # said once signals are heard
DONE = "make ui", "No winner: "  # said before they no longer are


def run(random, count, folder):
    database = homes.fresh(folder)
    works = [
        (folder / f"home-{place}", database, random.getrandbits(32), *way)
        for place, way in enumerate(islice(cycle(WAYS), count))
    ]
    return homes.side_by_side(stop, works)


def stop(folder, database, seed, number, times, trainers):
    """Stop a search by one signal or two, look at it, and let it go on undisturbed."""
    random, home, trials = Random(seed), homes.Home(folder, database), 0
    typed, seconds = trainers
    lives = False
    while not lives:  # it may be done before the signal comes
        trials, moment = trials + MORE, random.uniform(0, seconds)
        command = f"search --task bowl {typed} --confirm 0 --trials {trials}"
        search = home.start(command)
        lives = search.lives(moment)
    heard = HEARS in search.said
    for gap in [random.uniform(0, GAP) for _ in range(times - 1)]:
        search.kill(number)
        search.lives(gap)
    search.kill(number)
    began, allowed = time.monotonic(), (SOON if times == 1 else AT_ONCE) * homes.share()
    code, took = search.end(), time.monotonic() - began
    wrong = [] if took < allowed else [f"it ended after {took:.1f} s"]
    if code not in expected(number, heard, search.said):
        wrong.append(f"it ended with {code}: {search.error}")
    if heard and times == 1 and homes.INCOMPLETE not in search.said:
        wrong += [f"at once: {said}" for said in home.audited()]
    wrong += home.wrong(command, trials)
    return homes.outcomes(1, wrong, f"{folder}, {times} times {number.name} after {moment:.3f} s")


def expected(number, heard, said):
    """The exit codes that a search may have: those of before and after it hears signals, too."""
    deaf = not heard or any(text in said for text in DONE)
    return {128 + number, -number, 0} if deaf else {128 + number}
