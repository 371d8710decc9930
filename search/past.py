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
        # Of those that count:
        self.completed = []  # the best first
        self.diverged = []  # numbers
        self.tries = {}  # draw -> the latest Trial that tried it
        self.done = 0  # ended, and not to be retried

    def add(self, trial):
        """Take in a trial that began, or that ended."""
        if trial.counts and trial.draw is not None:
            self.tries[trial.draw] = trial
        if trial.state == "running":
            self.running.add(trial.number)
            return
        self.running.discard(trial.number)
        self.ended[trial.number] = trial
        if not trial.counts:
            return
        self.done += trial.state != "interrupted"
        if trial.state == "diverged":
            self.diverged.append(trial.number)
        if trial.state == "completed":
            bisect.insort(self.completed, trial, key=self._rank)
