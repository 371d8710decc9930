"""A trainer that is elsewhere: the code that runs in a process, or in an actor on another machine.

It sends ["ready"] or ["broken", None, cause], ["report", number, entry], ["finished", number, score],
["failed", number, cause], ["paused", number, None] and ["stopped", number, None]. It also sends
["gain", number, gain]: see `Trainer.advance_together`. It sends ["spoiled"] where a training that was told to
end still runs, so that another trainer is to take its place. It receives
["train", [[number, config], ...]], trials that train side by side, ["drop", number], and after each report
["verdict", number, epoch, verdict]. All of that is plain data, whatever a task's code does.
"""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from search.primitives.text import one_line
from search.trainers.messages import GO_ON, MAX_CAUSE, Entry, OnReportOf, Verdict

if TYPE_CHECKING:  # importing it imports torch, which the coordinator's process does not need
    from search.trainers.trainer import Arrays, Trainer

VERDICT_TIMEOUT = 0.1  # seconds that a trainer waits for a verdict before it trains on without

Message = list[Any]


class Channel(Protocol):
    """A connection with the coordinator."""

    def send(self, *message: Any) -> None: ...

    def receive(self, seconds: float | None) -> Message | None:
        """The next message; None where no message comes in so many seconds. None waits for ever."""


def work(
    channel: Channel, task_name: str, source: Path | str | Arrays, device: str, digest: str | None
) -> None:
    """Train what comes by a channel, for ever.

    Args:
        task_name: the module of a task.
        source, device, digest: as a Trainer takes them.
    """
    try:
        from search.trainers.trainer import Trainer

        trainer = Trainer(importlib.import_module(task_name), source, device, digest)
    except Exception as error:
        channel.send("broken", None, one_line(error, MAX_CAUSE))
        return
    channel.send("ready")
    while not trainer.is_spoiled:
        match channel.receive(None):  # a verdict that comes now is on a training that has ended
            case ["train", trials]:
                ends = trainer.advance_together(
                    dict(trials), _asking(channel, trainer), partial(channel.send, "gain")
                )
                for number, (result, content) in ends:
                    channel.send(result, number, content)
            case ["drop", number]:
                trainer.drop(number)
    channel.send("spoiled")
    channel.receive(None)  # it is ended meanwhile


def _asking(channel: Channel, trainer: Trainer) -> OnReportOf:
    """A function that reports an epoch of a trial, and returns the coordinator's verdict.

    Where the verdict is late, training goes on, and the next report receives it. That changes nothing for
    the trial: the coordinator ignores reports of a trial that it has given up.
    """
    late: dict[int, Verdict] = {}  # number -> a verdict that came while another trial reported

    def ask(number: int, entry: Entry) -> Verdict:
        channel.send("report", number, entry)
        while number not in late and (message := channel.receive(VERDICT_TIMEOUT)):
            match message:
                case ["verdict", about, epoch, verdict]:
                    if verdict != GO_ON:
                        late[about] = Verdict(verdict)
                    elif about == number and epoch == entry["epoch"]:
                        return GO_ON
                case ["drop", another]:
                    trainer.drop(another)
        return late.pop(number, GO_ON)

    return ask
