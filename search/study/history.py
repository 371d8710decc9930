"""What a study has tried so far, kept in the orders in which it is asked for.

To add a trial takes as long in a study of ten thousand as in one of ten, or nearly so.
"""

import bisect


class Past:
    """The trials of a study, from those that ended; each is added once when it begins and once when it ended.

    Args:
        rank: by which completed trials sort, the best first.
    """

    def __init__(self, rank):
        self._rank = rank
        self.ended = {}  # number -> Trial: all that ended
        self.running = set()  # numbers
        self.waiting = set()  # numbers of those that another program enqueued, and that have not begun
        # Of those that count:
        self.completed = []  # the best first
        self.hopeless = []  # numbers of those that diverged or were infeasible
        self.tries = {}  # draw -> the latest Trial that tried it
        self.done = 0  # ended, and not to be retried
        self._draw = 0  # all draws before this one are done, or being done

    @property
    def known(self):
        """How many trials there are: they are numbered from 0."""
        return len(self.ended) + len(self.running) + len(self.waiting)

    def next_draw(self):
        """The first draw that no trial has done or is doing, and its latest try, if it had one.

        What is crossed out has not been done: its draw is drawn again, from what counts now.
        """
        while (tried := self.tries.get(self._draw)) and tried.state != "interrupted":
            self._draw += 1
        return self._draw, tried

    def add(self, trial):
        """Take in a trial that began, or that ended."""
        self.waiting.discard(trial.number)
        if trial.counts and trial.draw is not None:
            self.tries[trial.draw] = trial
            if trial.state == "interrupted":
                self._draw = min(self._draw, trial.draw)
        if trial.state == "running":
            self.running.add(trial.number)
            return
        self.running.discard(trial.number)
        self.ended[trial.number] = trial
        if not trial.counts:
            return
        self.done += trial.state != "interrupted"
        if trial.state in ("diverged", "infeasible"):
            self.hopeless.append(trial.number)
        if trial.state == "completed":
            bisect.insort(self.completed, trial, key=self._rank)
