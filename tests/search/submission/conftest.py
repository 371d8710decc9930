"""A study that can be handed in, and the files of its hand-in."""

import pytest
from stores import here

from search import paths
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.frozen_script import files
from search.strategy import winner
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.submission import pack
from search.winners import freezing


def made(bowl):
    """A study with repeats, and with two trials that are crossed out, of which one has failed."""
    study = open_study(here(), bowl, "searched")
    search(study, Inline(study), trials=12)
    confirm(study, Inline(study), replicates=2)
    study.tell(Strategy(study).ask().number, "failed", "FileNotFoundError: no '/home/ann/words/x.npz' here")
    last = len(list(study.trials())) - 1
    study.void(
        "void", [next(t.number for t in study.history() if t.state == "pruned"), last], "the mask was wrong"
    )
    # What is in the project counts as proved: no test needs to train it once more.
    files.write(paths.frozen("bowl"), freezing.freeze(study, winner.choose(study), "run"))
    return study


@pytest.fixture
def study(bowl):
    with made(bowl) as study:
        yield study


@pytest.fixture(scope="session")
def members(tmp_path_factory):
    """The files of its hand-in, which no test changes: made once."""
    from objectives import bowl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("home")))
        with made(bowl) as study:
            return pack.members_of(study, lambda _: "run")
