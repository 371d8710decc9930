"""A process that ends again and again."""

import re
import signal

import pytest

from search import paths
from search.errors import StoreError
from search.services.stack import supervised_process
from search.services.stack.supervised_process import Server, SupervisedProcess


def test_what_ends_again_and_again_is_started_ever_more_rarely(home, monkeypatch, capsys):
    paths.stack().mkdir(parents=True)
    monkeypatch.setattr(supervised_process, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(supervised_process, "LONGEST_DELAY", 0.05)
    flimsy = Server(
        name="Flimsy",
        command=["sh", "-c", "echo dear me; exit 3"],
        answers=lambda: False,
        stop_signals={signal.SIGTERM: 1.0},
    )
    with SupervisedProcess(flimsy) as process:
        with pytest.raises(StoreError, match="Flimsy ended with code 3; last it said: dear me"):
            process.start()
        delays = []
        while len(delays) < 4:
            process.watch()
            delays += re.findall(
                "Flimsy ended with code 3: it is started again in (\\S+) s", capsys.readouterr().out
            )
    assert delays == ["0.02", "0.04", "0.05", "0.05"]
