"""Trainers that compute nothing and report in time, and the clocks that they report by.

Their task is `chargpt`, whose trainings have 20 epochs and pause after 1, 2 and 5 of them.
"""

import math
import random
import select
import time

from objectives import chargpt
from search.coordinator import LISTENING, Clock, Coordinator
from search.executors.pool import Pool, RemoteTrainer
from search.executors.worker import VERDICT_TIMEOUT
from search.trainers.messages import GO_ON, PAUSE


class RealTime:
    """The clock on the wall."""

    def now(self):
        return time.perf_counter()

    def wait_until(self, when):
        select.select([], [], [], max(0.0, when - self.now()))


class ProcessorTime(RealTime):
    """The time of a processor that this process takes, whatever else the machine does."""

    def now(self):
        return time.process_time()


class SkippingTime(ProcessorTime):
    """The same, but waiting takes no time: the clock skips it."""

    def __init__(self):
        self._skipped = 0.0

    def now(self):
        return super().now() + self._skipped

    def wait_until(self, when):
        self._skipped += max(0.0, when - self.now())


class PretendedPool(Pool):
    """An Executor of trainers that compute nothing, and report when an epoch would have ended.

    Args:
        seconds: of an epoch; each trial has its own, from half of that to one and a half times.
        clock: one of the clocks above.
    """

    def __init__(self, jobs, seconds, clock):
        self._seconds, self._clock = seconds, clock
        self._pretended = []  # all trainers: none of them ends
        self._computed = []  # (begin, end): when a trainer computed
        super().__init__(jobs)

    def _new_trainer(self):
        self._pretended.append(PretendedTrainer(self._seconds, self._clock, self._computed))
        return self._pretended[-1]

    def _poll(self, seconds):
        due = min(trainer.due for trainer in self._pretended)
        self._clock.wait_until(min(due, self._clock.now() + seconds))
        now = self._clock.now()
        return [trainer for trainer in self._pretended if trainer.due <= now]

    def busy(self, begin, end):
        """The share of this time in which trainers computed."""
        parts = (max(0.0, min(to, end) - max(since, begin)) for since, to in self._computed)
        return sum(parts) / self.jobs / (end - begin)


class PretendedTrainer(RemoteTrainer):
    """One such trainer. `search.executors.worker` describes the messages."""

    def __init__(self, seconds, clock, computed):
        super().__init__()
        self.ready = True
        self.due = math.inf  # when its next message comes
        self._seconds, self._clock, self._computed = seconds, clock, computed
        self._messages = []  # that come next; if there are none, a report comes
        self._epochs = {}  # number of a trial that it holds -> epochs that it trained

    def send(self, kind, number, *content):
        if kind == "drop":
            self._epochs.pop(number, None)
        elif kind == "train":
            self._config, self._late = chargpt.Config(**content[0]), None
            self._train(self._clock.now())
        elif kind == "verdict":
            self._obey(content[1])

    def receive(self):
        if self._messages:
            messages, self._messages, self.due = self._messages, [], math.inf
            return messages
        epoch = self._epochs[self.number] = self._epochs.get(self.number, 0) + 1
        return [["report", self.number, entry(self._config, epoch, self._epoch_seconds)]]

    def kill(self):
        """There is no process."""

    def end(self):
        return "it was closed"

    def was_lost(self):
        return False

    @property
    def _epoch_seconds(self):
        return self._seconds * (0.5 + random.Random(self._config.seed).random())

    def _train(self, begin):
        self._messages, self.due = [], begin + self._epoch_seconds
        self._computed.append((begin, self.due))

    def _obey(self, verdict):
        """Act on a verdict. If it comes late, training has gone on, and the next report obeys it."""
        now, patient = self._clock.now(), self.due + VERDICT_TIMEOUT
        last = self._epochs[self.number] == self._config.epochs
        if last or self._late or (verdict != GO_ON and now <= patient):
            self._stop(self._late or verdict, last)
            return
        self._late = verdict if verdict != GO_ON else None
        self._train(min(now, patient))

    def _stop(self, verdict, last):
        number, result, score = self.number, "paused" if verdict == PAUSE else "stopped", None
        if last:
            result, score = "finished", (loss(self._config, self._config.epochs), 0.01)
        if result != "paused":
            del self._epochs[number]
        self._messages, self.due = [[result, number, score]], self._clock.now()


def loss(config, epoch):
    """A plausible loss: a bowl over the configurations, and noise by the seed."""
    apart = math.log10(config.learning_rate / 2e-3) ** 2 + ((config.n_embd - 340) / 400) ** 2
    return 1.6 + 0.3 * apart + 0.02 * random.Random(config.seed).gauss(0, 1) + 1 / epoch


def entry(config, epoch, seconds):
    """An epoch as a trainer reports it."""
    value = loss(config, epoch)
    metrics = {"train_loss": value, "validation_loss": value, "validation_nats": value}
    took = max(seconds, 1e-6)  # no epoch takes no time at all
    return {"epoch": epoch, **metrics, "learning_rate": 1e-3 / epoch, "seconds": took, "time": time.time()}


class Counts:
    """A watcher that records when trials started, reported and ended."""

    def __init__(self, clock):
        self._clock = clock
        self.started_at, self.reported_at, self.ended_at = [], [], []

    def started(self, trial):
        self.started_at.append(self._clock.now())

    def reported(self, trial):
        self.reported_at.append(self._clock.now())

    def paused(self, trial):
        """Count no end: the trial may resume."""

    def finished(self, trial):
        self.ended_at.append(self._clock.now())


def count_within(times, begin, end):
    """How many of these times are in an interval."""
    return sum(begin <= each < end for each in times)


def train_all(strategy, executor, next_trial, watchers, stopping):
    """Train one trial after the other to its end."""
    clock = Clock(stopping=stopping)
    coordinator = Coordinator(strategy, executor, watchers, clock)
    while clock.why() is None:
        while executor.free:
            coordinator.start(next_trial())
        executor.listen(coordinator, LISTENING)
    coordinator.interrupt(clock.why())
