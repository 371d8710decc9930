"""A study that several coordinators search: who is alive, whose turn it is, what the others did.

Trials are claimed in turns, in which all that others wrote is known; so none is drawn twice, and their number
is exact. What a coordinator trained whose lease has run out is closed by another, and tried again.
"""

import contextlib
import math
import time
import uuid

from optuna.exceptions import UpdateFinishedTrialError

from search.errors import Gone
from search.study import catalog

BEAT = 10.0  # seconds between two signs of life to other coordinators


class Shared:
    """What a `search.study.study.Study` has for that. One that is not `_joined` has none and takes no turns."""

    _coordinator = None  # what this process is called where others search the study too
    _beaten = -math.inf  # when this one was last said to be alive
    _in_turn = False

    @property
    def is_shared(self):
        """Whether others may search it too."""
        return self._coordinator is not None

    def in_turn(self, do):
        """Return `do()`. Meanwhile no other coordinator asks for a trial, and all is known that they wrote.

        Where the connection is lost, `do` is called again, in a new turn: what it had half done must do no
        harm. A trial that it had begun is closed then.
        """
        if self._coordinator is None:
            return do()

        before = set(self._asked)

        def hear_and_do():
            for number in self._asked.keys() - before:  # begun in a turn that was lost: for `_hear` to close
                del self._asked[number]
            try:
                self._hear()
                return do()
            finally:
                self._in_turn = False

        return catalog.database().in_turn(self.name, hear_and_do, self._renew_lease)

    def beat(self):
        """Be alive to the other coordinators, and close what trials dead ones trained; once in a while."""
        if self._coordinator is None or time.monotonic() < self._beaten + BEAT:
            return
        self._beaten = time.monotonic()
        self._renew_lease()
        self.in_turn(self._close_those_of_dead)

    def trained_elsewhere(self):
        """Whether another coordinator has a trial that has not ended: should it die, that is to be ended."""
        return bool(self._of_others())

    # Inside

    @classmethod
    def _joined(cls, name, lock):
        """A study under a lock that others share."""
        study = cls(name, lock)
        study._coordinator = str(uuid.uuid4())
        study._renew_lease()
        study.in_turn(study._cross_out)  # what was seen at first, another may have been beginning just then
        return study

    def _renew_lease(self):
        catalog.database().renew(self._coordinator, self.name)

    def _close_those_of_dead(self):
        """Close the trials of coordinators whose lease has run out."""
        alive = catalog.database().alive(self.name)
        for trial in self._of_others():
            if trial.coordinator not in alive:
                self._take_in(self._closed(trial))

    def _of_others(self):
        """The trials that other coordinators train or let wait."""
        if self._coordinator is None:
            return []
        return [self.trial(number) for number in sorted(self._look_back().running - self._asked.keys())]

    def _hear(self):
        """Take in what other coordinators wrote."""
        past = self._look_back()
        known, _ = past.known, self._rungs
        self._journal.refresh()
        self._in_turn = True
        self.about = self.about | {"space": self._optuna.user_attrs["about"]["space"]}  # others add to it
        self._look_back()
        new = (number for number in range(known, past.known) if number not in past.waiting)
        for number in past.ended.keys() & self._asked.keys():
            self._let_go(number)
        # Among those that run may be some of its own, begun in a turn that was lost.
        others = dict.fromkeys([*self._others, *new, *sorted(past.running)])
        trials = [self.trial(number) for number in others if number not in self._asked]
        for trial in trials:
            self._take_in(trial)
        for trial in trials:  # only then is anything written: where that fails, all is known that was heard
            if not trial.ended and trial.coordinator in (None, self._coordinator):
                self._take_in(self._closed(trial))  # nobody trains it: the turn in which it began was lost

    def _closed(self, trial):
        """A trial, after it was closed in a turn."""
        with contextlib.suppress(UpdateFinishedTrialError):  # its coordinator ended it just now
            self._close(trial)
        return self.trial(trial.number)

    def _take_in(self, trial):
        """Take in how far a trial of another coordinator is."""
        known = self._others.pop(trial.number, 0)
        if not trial.counts:
            self._storage.hidden.add(trial.number)
        for entry in trial.curve if trial.counts else ():
            if entry["epoch"] > known:
                level = self._level(entry[self._scored])
                self._rungs.report(trial.number, known, entry["epoch"], level)
                known = entry["epoch"]
        if trial.ended:
            self._settle(trial)
        else:
            self._others[trial.number] = known

    def _is_beginning(self, frozen):
        """Whether another coordinator has just created a trial, and has yet to say what it is."""
        if self._coordinator is None or self._in_turn:
            return False  # nobody is beginning any, and one that says nothing is of a dead one
        return not frozen.state.is_finished() and "about" not in frozen.user_attrs

    @contextlib.contextmanager
    def _own(self, number):
        """A trial that this coordinator trains, as Optuna has it. Raises Gone where another has ended it."""
        if number not in self._asked:
            raise Gone
        try:
            yield self._asked[number]
        except UpdateFinishedTrialError:
            self._let_go(number)
            raise Gone from None

    def _let_go(self, number):
        """Another coordinator has ended a trial of this one, which it held for dead."""
        del self._asked[number]
        self._settle(self.trial(number))
