"""The loop of a search: ask -> trainer -> report -> pause or go on -> tell.

One process asks, judges and writes; trainers only train. Who wants to see what happens (the log,
the terminal) is a watcher, with `started(trial)`, `reported(trial)`, `paused(trial)` and
`finished(trial)`.
"""

import contextlib
import math
import re
import statistics
import time

from search.errors import Gone, TrialbookError
from search.executors.executor import GO_ON, PAUSE, STOP
from search.strategy import sampler, winner
from search.study.trial import numbers

SAME_FAILURES = 3  # in a row, with one cause: the fault is not in the configuration
NUMBERS = re.compile(r"[\d.]+(e[+-]\d+)?")
INFEASIBLE = 100  # draws in a row that the task rejects: its ranges hold hardly a configuration
HEARING = 0.25  # seconds between two looks at the clock
HANGS = 10  # times what an epoch takes: who is silent for longer hangs
LEAST, FIRST = 60.0, 600.0  # seconds of silence that are always allowed; while no epoch is known at all


def search(study, trainers, *, trials=math.inf, **limits):
    """Search until the study has so many trials in total, those of earlier searches too.

    Where no more begin, some that are paused go on, so that there are FEW to choose a winner from.

    `limits` are those of `train_all`.
    """

    def next_one(running):
        if trial := study.go_on():
            return trial
        if study.begun() < trials:
            return study.ask()
        return study.go_on(anyway=True) if len(study.completed()) + running < winner.FEW else None

    train_all(study, trainers, next_one, **limits)


def confirm(study, trainers, *, repeats, bar=None, **limits):
    """Train the best few configurations again, each on so many fresh seeds at the most: see `search.strategy.winner`.

    With a bar, the cheapest that clear it too.

    `limits` are those of `train_all`.
    """

    def next_one(_):
        chosen = winner.next_repeat(study, repeats, bar)
        return chosen and study.ask_again(*chosen)

    train_all(study, trainers, next_one, **limits)


def train_all(study, trainers, next_one, *, seconds=math.inf, watchers=(), stopping=lambda: False):
    """Train what `next_one(running)` begins, until it begins nothing, the time is over or `stopping()`.

    Args:
        next_one: given how many trials train, it returns another that is to train, or None. It is called
            in a turn: see `Study.in_turn`.

    What then still trains is closed as interrupted, and retried when the study is continued; what is
    paused is closed as pruned. Raises TrialbookError where trial after trial fails with one cause.
    """
    deadline = time.monotonic() + seconds

    def begin():
        return study.in_turn(lambda: next_one(len(coordinator.running)))

    def over():
        if stopping():
            return "the search was stopped"
        return "the time was over" if time.monotonic() >= deadline else None

    coordinator = Coordinator(study, trainers, watchers, over)
    try:
        while not over():
            begun = True
            while begun and trainers.free:
                if begun := begin():
                    coordinator.start(begun)
            if not begun and not coordinator.running:
                coordinator.give_up_paused()  # other coordinators may wait for the end of those
                if not study.trained_elsewhere():
                    break
            trainers.listen(coordinator, min(HEARING, max(0, deadline - time.monotonic())))
            coordinator.end_what_hangs()
            study.beat()
    finally:
        coordinator.interrupt(over() or "the search ended with an error")


class Coordinator:
    """Carries each trial from ask to tell. It is a Listener: see `search.executors.executor`."""

    def __init__(self, study, trainers, watchers, over):
        self.study, self.trainers, self.watchers = study, trainers, watchers
        self.over = over  # () -> why the search is over, or None
        self.running = set()
        self._causes = []  # of the failures in a row
        self._rejected = 0  # draws in a row
        self._silence = {}  # of what trains: number -> seconds since its trainer was heard
        self._looked = time.monotonic()
        self._longest = 0.0  # epoch of all that were heard, in seconds

    def start(self, trial):
        """Have a trial trained, or trained on; one that ended as it was drawn is only told of.

        Raises TrialbookError where draw after draw ends so.
        """
        if trial.ended:
            self._say("finished", trial)
            self._rejected += 1
            if trial.state == "failed":
                self._count_failure(trial.reason)
            if self._rejected >= INFEASIBLE:
                last = f"the last because of {trial.reason}"
                raise TrialbookError(f"{INFEASIBLE} draws in a row gave no configuration, {last}")
            return
        self._rejected = 0
        self.running.add(trial.number)
        self.trainers.start(trial.number, trial.config)
        if not trial.curve:
            self._say("started", trial)

    def reported(self, number, entry):
        """A trainer finished an epoch. Returns GO_ON, PAUSE or STOP."""
        self._silence.pop(number, None)
        self._longest = max(self._longest, entry["seconds"])
        if not self._open(number):
            return STOP
        if reason := self.over():
            self.interrupt(reason)
            return STOP
        if entry["epoch"] <= self.study.trial(number).epochs:
            return GO_ON  # trained again up to where it was, since its trainer had ended
        broken = [name for name, value in numbers(entry).items() if not math.isfinite(value)]
        if broken:
            what = f"{' and '.join(broken)} not finite at epoch {entry['epoch']}"
            self._tell(number, "diverged", what + self._blame(number))
            return STOP
        try:
            pauses = self.study.report(number, entry)
        except Gone:
            self.running.discard(number)
            return STOP
        except ValueError as error:  # what could not be read again is not written
            self.failed(number, f"report: {error}")
            return STOP
        self._say("reported", self.study.trial(number))
        return self._pause(number) if pauses or number not in self.running else GO_ON

    def finished(self, number, score):
        """A trainer finished a trial."""
        if not self._open(number):
            return
        if all(map(math.isfinite, score)):
            self._tell(number, "completed", "trained to the end", score)
        else:
            self._tell(number, "diverged", "score not finite" + self._blame(number))

    def failed(self, number, cause):
        """A trial ended with an error, or its trainer did."""
        if not self._open(number):
            return
        self._tell(number, "failed", cause)
        self._count_failure(cause)

    def _count_failure(self, cause):
        """Raises TrialbookError where trial after trial fails with one cause."""
        alike = NUMBERS.sub("", cause)  # "score returned 0.5" and "score returned 0.25" are one cause
        self._causes.append(alike)
        if self._causes[-SAME_FAILURES:] == [alike] * SAME_FAILURES:
            raise TrialbookError(f"{SAME_FAILURES} trials in a row failed with one cause: {cause}")

    def lost(self, number, cause):
        """A trial's trainer was lost with its machine: the trial is closed as interrupted, and retried."""
        if self._open(number):
            self._tell(number, "interrupted", cause)

    def end_what_hangs(self):
        """Give up what trains in silence for far longer than an epoch takes."""
        # A machine that slept, or a process that was stopped, is no silence of a trainer.
        passed, self._looked = min(time.monotonic() - self._looked, 1.0), time.monotonic()
        training = self.running & self.trainers.training
        self._silence = {number: self._silence.get(number, 0.0) + passed for number in training}
        for number in training:
            silence = self._silence[number]
            if silence > LEAST and silence > self._patience(self.study.trial(number)):
                self.trainers.end(number)
                self.failed(number, f"the trainer hung: no epoch in {HANGS} times as long as one takes")

    def _patience(self, trial):
        """How many seconds a trial may train in silence."""
        took = [entry["seconds"] for entry in trial.curve]
        if trial.epochs == trial.config.get("epochs"):
            expected = sum(took)  # it is being scored, which can take as long as all of that
        else:
            expected = statistics.median(took) if took else self._longest
        return HANGS * expected if expected else FIRST

    def interrupt(self, reason):
        """Close all trials that train or are paused."""
        for number in sorted(self.running):
            self._tell(number, "interrupted", reason)
        self.give_up_paused()

    def give_up_paused(self):
        """Close all trials that are paused."""
        for number in self.study.paused:
            self._give_up(number)

    def _open(self, number):
        """Whether a trial trains or is paused: what a trainer says of others comes too late."""
        return number in self.running or number in self.study.paused

    def _pause(self, number):
        """Let a trial wait until it is its turn; where too many wait, give the worst of them up."""
        self.running.discard(number)
        try:
            self._say("paused", self.study.pause(number))
        except Gone:
            return STOP
        surplus = self.study.surplus()
        if surplus is not None:
            self._give_up(surplus)
        return STOP if surplus == number else PAUSE

    def _give_up(self, number):
        self.trainers.drop(number)
        self._tell(number, "pruned", self.study.why_behind(number))

    def _blame(self, number):
        return sampler.why_diverged(self.study.trial(number).params, self.study.ranges())

    def _tell(self, number, state, reason, score=(None, None)):
        self.running.discard(number)
        if state != "failed":
            self._causes.clear()
        with contextlib.suppress(Gone):
            self._say("finished", self.study.tell(number, state, reason, score))

    def _say(self, what, trial):
        for watcher in self.watchers:
            getattr(watcher, what)(trial)
