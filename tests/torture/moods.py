"""Trainings go wrong in all ways that there are, in real trainers."""

import contextlib
import os
from random import Random

from stores import here

from search.executors import silence
from search.study.stored import StoredStudy
from tests.torture import homes

TITLE = "what goes wrong in a training is recorded, and the search goes on"
QUICK, FULL = 30, 300  # trials
A_HOME = 15  # trials of one study: the sampler soon avoids what diverges
ROUNDS = 20  # in which a study is done, where failures in a row end each
NAME = "moody-builtin"
IN_A_ROW = "error: 3 trials in a row failed with one cause: "
ENDS = {  # mood -> how its trial ends, where it comes to that
    "well": "completed: trained to the end",
    "nan": "diverged: train_loss not finite at epoch 1",
    "late nan": "diverged: train_loss not finite at epoch 2",
    "inf": "diverged: train_loss not finite at epoch 2",
    "nan score": "diverged: score not finite",
    "no score": "failed: TypeError: score returned None of type NoneType: valid is",
    "text": "failed: TypeError: score: the value is 'good' of type str: valid is a number",
    "overflow": "failed: ValueError: score: the value is 1000",
    "error": "failed: RuntimeError: out of sorts",
    "memory": "failed: MemoryError",
    "exit": "failed: the trainer exited with code 7",
    "kill": "failed: the trainer was ended by SIGKILL",
    "segfault": "failed: the trainer was ended by SIGSEGV",
    "hang": "failed: the trainer hung",
}
OTHERS = "pruned: at epoch ", "interrupted: the search ended with an error"


def run(random, count, folder):
    database = homes.fresh(folder)
    works = [
        (folder / f"home-{place}", database, random.getrandbits(31), trials)
        for place, trials in enumerate(homes.shares(count, A_HOME))
    ]
    return homes.side_by_side(search_moody, works)


def search_moody(folder, database, seed, trials):
    """Search until so many trials are done; look at each."""
    home = homes.Home(folder, database)
    os.environ["MOOD"] = Random(seed).choice(list(ENDS))  # of the first trial, which is never pruned
    command = f"search --task moody --jobs 2 --confirm 0 --seed {seed} --trials {trials}"
    for _ in range(ROUNDS):
        code, search = home.run(command, around=impatience())
        if code != 1 or not search.error.startswith(IN_A_ROW):
            break
    wrong = [] if code == 0 else [f"the search ended with {code}: {search.error}"]
    wrong += home.wrong(command, trials, NAME)
    wrong += [said for trial in StoredStudy.read(here(), NAME).trials() for said in untold(trial)]
    return homes.outcomes(trials, wrong, f"{folder}, `{command}`")


def untold(trial):
    """What is wrong with how a trial is recorded."""
    mood, told = trial.config["mood"], f"{trial.state}: {trial.reason}"
    if not told.startswith((ENDS[mood], *OTHERS)):
        yield f"trial {trial.number} in the mood {mood!r} is {told}"


@contextlib.contextmanager
def impatience():
    """A trainer hangs after seconds, not minutes."""
    silence.MIN_SILENCE, silence.FIRST_SILENCE = 4.0, 10.0
    yield
