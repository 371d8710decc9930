"""Several trainers that are somewhere else. Where that is, a subclass says: see `processes` and `ray`.

A trainer as it is seen from here has

    ready           its data is loaded
    number          of the trial that it trains; None where it trains none
    waiting         trials that it holds and is to go on with after that one
    send(*message)  tell it something; nothing happens where it has ended
    receive()       what it has said, a list of messages; raises EOFError where it has ended
    kill()          end it; `receive` then finds out
    end()           wait for its end, and say in words what that was
    spoiled         it asked to be replaced
    was_lost()      whether that is the fault of its machine, and not of what it trained
"""

from dataclasses import asdict

from search.errors import TrialbookError

FALSE_STARTS = 3  # in a row: the fault is not that of one trainer


class Pool:
    """A plug: see `search.trainers.trainer`. A subclass has `_begin()`, a new trainer, and `_heard(seconds)`, those
    that have something to say, or have ended, within so many seconds.
    """

    def __init__(self, jobs):
        self._trainers = [self._begin() for _ in range(jobs)]
        self._holders = {}  # number of a trial that is paused -> its trainer
        self._false_starts = 0  # trainers in a row that ended before they were ready

    @property
    def jobs(self):
        return len(self._trainers)

    @property
    def free(self):
        return sum(trainer.ready and trainer.number is None for trainer in self._trainers)

    def start(self, number, config):
        training = (trainer for trainer in self._trainers if trainer.number == number)  # about to pause
        holder = self._holders.get(number) or next(training, None)
        trainer = holder or next(each for each in self._trainers if each.ready and each.number is None)
        if trainer.ready and trainer.number is None:
            self._holders.pop(number, None)
            trainer.number = number
            trainer.send("train", number, asdict(config))
        else:
            trainer.waiting.append((number, config))

    def drop(self, number):
        if trainer := self._holders.pop(number, None):
            trainer.send("drop", number)

    @property
    def training(self):
        return {trainer.number for trainer in self._trainers if trainer.number is not None}

    def end(self, number):
        for trainer in self._trainers:
            if trainer.number == number:
                trainer.kill()  # `listen` hears that it has ended, and replaces it

    def listen(self, ear, seconds):
        for trainer in self._heard(seconds):
            try:
                messages = trainer.receive()
            except EOFError:
                self._replace(ear, trainer)
            else:
                for message in messages:
                    self._hear(ear, trainer, *message)

    def _hear(self, ear, trainer, kind, number=None, content=None):
        if kind == "broken":
            raise TrialbookError(f"trainers do not start: {content}")
        if kind == "report":
            trainer.send("verdict", number, content["epoch"], ear.reported(number, content))
            return
        if kind == "spoiled":  # what it was given meanwhile is to be tried again
            trainer.spoiled = True
            trainer.kill()
            return
        if kind == "ready":
            trainer.ready, self._false_starts = True, 0
        elif kind == "paused":
            self._holders[number] = trainer
        elif kind == "finished":
            ear.finished(number, content)
        elif kind == "failed":
            ear.failed(number, content)
        trainer.number = None
        if trainer.waiting:
            self.start(*trainer.waiting.pop(0))

    def _replace(self, ear, trainer):
        """Put a new trainer in the place of one that has ended."""
        end, lost = trainer.end(), trainer.spoiled or trainer.was_lost()
        if not trainer.ready and not lost:
            self._false_starts += 1  # one may have been ended by chance, as where memory was full
            if self._false_starts == FALSE_STARTS:
                raise TrialbookError(f"trainers do not start: {end}")
        another = self._begin()
        self._trainers[self._trainers.index(trainer)] = another
        self._holders = {number: holder for number, holder in self._holders.items() if holder is not trainer}
        another.waiting = trainer.waiting  # which it begins anew, one after the other
        self._holders |= {number: another for number, _ in trainer.waiting}
        if trainer.number is not None:
            (ear.lost if lost else ear.failed)(trainer.number, end)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for trainer in self._trainers:
            trainer.kill()
        for trainer in self._trainers:
            trainer.end()
