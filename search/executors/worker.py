"""What a trainer does that is somewhere else: a process, or an actor on another machine.

It sends ["ready"] or ["broken", None, cause], ["report", number, entry], ["finished", number, score],
["failed", number, cause], ["paused", number, None], ["stopped", number, None]; and ["spoiled"] where code of
a training that was to end still runs, so that another trainer is to take its place. It is sent ["train",
number, config], ["drop", number], and after each report ["verdict", number, epoch, verdict]. All of that is
plain data, whatever a task's code does.
"""

import importlib

from search.text import one_line
from search.trainers.trainer import CAUSE, GO_ON, Trainer

PATIENCE = 0.1  # seconds that a trainer waits for a verdict before it trains on without


def work(line, task_name, *what):
    """Train what comes by a line, for ever.

    Args:
        line: has `send(*message)`, and `receive(seconds)`: the next message, or None where none comes in so
            many seconds; None waits for ever.
        task_name: the module of a task.
        what: all else that a Trainer takes.
    """
    try:
        task = importlib.import_module(task_name)
        trainer = Trainer(task, *what)
    except Exception as error:
        line.send("broken", None, one_line(error, CAUSE))
        return
    line.send("ready")
    while not trainer.is_spoiled:
        kind, number, *content = line.receive(None)
        if kind == "drop":
            trainer.drop(number)
        elif kind == "train":  # a verdict that comes now is on a training that has ended
            line.send(*_train(line, task, trainer, number, content[0]))
    line.send("spoiled")
    line.receive(None)  # it is ended meanwhile


def _train(line, task, trainer, number, settings):
    """Train a trial until it ends or is to pause. Returns the message that says how that went."""
    try:
        config = task.Config(**settings)
    except Exception as error:
        return "failed", number, one_line(error, CAUSE)
    how, result = trainer.advance(number, config, _asking(line, trainer, number))
    return how, number, result


def _asking(line, trainer, number):
    """What reports a trial's epochs, and returns what the coordinator says to each.

    Where its verdict is late, training goes on: the next report hears it. What becomes of the trial
    does not depend on that: the coordinator ignores what it hears of a trial after it has given it up.
    """

    def ask(entry):
        line.send("report", number, entry)
        while message := line.receive(PATIENCE):
            kind, about, *content = message
            if kind == "drop":
                trainer.drop(about)
            elif about == number:
                epoch, verdict = content
                if epoch == entry["epoch"] or verdict != GO_ON:
                    return verdict
        return GO_ON

    return ask
