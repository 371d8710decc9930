"""One training, which can pause inside `report` and go on later.

A training runs in a thread of its own, and control is handed over: at any time either that thread runs or
the one that called `advance`. The caller's thread answers each report. So the coordinator, the study and the
log run with the process's own settings, and a task's code cannot tell that it ever waited. It cannot tell
either who takes the steps of its `descend`: the training itself, or its group.
"""

import contextlib
import ctypes
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sized
from dataclasses import replace
from typing import Any, Literal

import torch

from objectives.descent import descend
from objectives.replay import THREADS, seed_all
from search.tasks import Task, isolation
from search.trainers import received
from search.trainers.groups.descent import Batch, Descent, Taken
from search.trainers.messages import (
    GO_ON,
    MAX_CAUSE,
    PAUSE,
    STOP,
    Entry,
    Failed,
    OnReport,
    Paused,
    Score,
    Stopped,
    Verdict,
)
from search.trainers.module_globals import Globals, OwnGlobals
from search.trainers.splits import Splits

GRACE = 5.0  # seconds in which a task's code is to end once Stop was raised in it

Ended = tuple[Literal["finished"], tuple[Score, ...]] | Failed | Stopped  # scores: one for each split
Descends = tuple[Literal["descent"], Descent]
Message = tuple[Literal["report"], Entry] | Descends | Ended
PAUSED: Paused = ("paused", None)
STOPPED: Stopped = ("stopped", None)


class Stop(BaseException):
    """End a training: `report` raises it, and `except Exception` in a task does not catch it."""


class Training:
    """A training of one configuration.

    Args:
        task: the module of a task.
        make_config: builds a Config of that task, once, in the training's thread.
        device: where its tensors are.
        splits: the training and the validation data.
        all_globals: the globals of its modules, before any training.
        more: other splits that the network is scored on at the end.
    """

    def __init__(
        self,
        task: Task,
        make_config: Callable[[], Any],
        device: str,
        splits: Splits,
        all_globals: Globals,
        more: tuple[Splits, ...] = (),
    ) -> None:
        self._task, self._make_config, self._device = task, make_config, device
        self._splits, self._more = splits, more
        self._state = isolation.State(device)
        self._globals = OwnGlobals(all_globals, (descend, self.descend))
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()  # from the training's thread
        self._answers: queue.SimpleQueue[Verdict | Taken] = queue.SimpleQueue()  # to it
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)
        self._process = os.getpid()
        self._waits = self._stopped = self._ended = False
        self._draws: bool | None = None  # whether its batches are drawn at random as they are taken
        self._seconds = 0.0  # since the last report, but for those since the clock was set
        self.sample: tuple[Descent, Batch] | None = None  # the first steps, and the batch of the very first
        self.error: BaseException | None = None  # the first that made it fail: a task may swallow it

    @property
    def hangs(self) -> bool:
        """Whether the training was told to end, and did not."""
        return self._stopped and not self._ended

    def advance(self, on_report: OnReport) -> Ended | Paused:
        """Train until the end or a pause, and ask `on_report(entry)` after each epoch whether to go on.

        Returns ("finished", scores), ("failed", cause), PAUSED or STOPPED. The first score is that on the
        validation data; those on `more` follow.
        """
        outcome = self.advance_to_descent(on_report)
        while outcome[0] == "descent":
            outcome = self.advance_to_descent(on_report)
        return outcome

    def advance_to_descent(
        self, on_report: OnReport, taken: Taken | None = None
    ) -> Ended | Paused | Descends:
        """Train as `advance` does, but at most until the training is to take steps.

        The steps that the last call returned have been `taken`; if not, the training takes them itself.
        """
        with self.active():
            try:
                message = self._hand_over(taken or GO_ON)
                while message[0] == "report":
                    with self._state.suspended():
                        verdict = on_report(message[1])
                    if verdict == PAUSE:
                        return PAUSED
                    message = self._end() if verdict == STOP else self._hand_over(verdict)
            except BaseException:  # of `on_report`; or Ctrl-C
                self._end()
                raise
        if message[0] != "descent":
            self._globals.forget()
        return message

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Within it, the code of the task finds the process as it is for this training."""
        with self._state, self._globals:
            yield

    def drop(self) -> None:
        """End a training that is paused."""
        with self.active():
            self._end()
        self._globals.forget()
        self.error = None

    def _hand_over(self, answer: Verdict | Taken) -> Message:
        """Let the training's thread run until it has a message."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._answers.put(answer)
        self._waits = False
        message = self._messages.get()  # a signal's handler runs meanwhile
        self._waits = message[0] in ("report", "descent")
        return message

    def _end(self) -> Stopped:
        """Raise Stop in the task's code: at its report or descent, or else wherever it is.

        Code that goes on all the same is left alone: nobody hears it any more.
        """
        if self._thread.ident is None or self._ended:
            return STOPPED
        self._stopped = True
        self._answers.put(STOP)
        for waits in (self._waits, False):
            if not waits:
                thread = ctypes.c_ulong(self._thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Stop))
            with contextlib.suppress(queue.Empty):
                self._messages.get(timeout=GRACE)
                break
        return STOPPED

    # All that follows runs in the training's thread.

    def _run(self) -> None:
        with contextlib.suppress(Stop):  # it may come at any line
            torch.set_num_threads(THREADS)
            scores: tuple[Score, ...] = ()
            try:
                # Within the device, what a task makes is on it too. "cpu" would cost time at each call.
                with contextlib.nullcontext() if self._device == "cpu" else torch.device(self._device):
                    scores = self._trained()
            except BaseException as error:
                self.error = self.error or error
            self._ended = True
            self._messages.put(self._outcome(scores))

    def _trained(self) -> tuple[Score, ...]:
        task, config = self._task, self._make_config()
        seed_all(config.seed)
        self._reports = received.Reports(task.METRIC, config.epochs)
        training, validation = self._splits.private()
        self._clock = time.perf_counter()
        model = task.train(config, training, validation, self.report)
        if model is None:
            raise TypeError("train returned None: it must return the trained network")
        self._reports.check_end()
        splits = [validation, *(split for splits in self._more for split in splits.private())]
        return tuple(received.score(task.score(model, split)) for split in splits)

    def _outcome(self, scores: tuple[Score, ...]) -> Ended:
        if self._stopped:
            return STOPPED
        if self.error is not None:
            return "failed", received.cause(self.error, MAX_CAUSE)
        return "finished", scores

    def report(self, epoch: object, metrics: object) -> None:
        """Hand an epoch over and wait for the verdict: the task's `report`."""
        seconds = self._seconds + time.perf_counter() - self._clock
        self._check_caller()
        try:
            entry = self._reports.entry(epoch, metrics) | {"seconds": seconds, "time": time.time()}
        except BaseException as error:
            self.error = self.error or error
            raise
        self._messages.put(("report", entry))
        self._answer()
        self._seconds, self._clock = 0.0, time.perf_counter()

    def descend(self, *steps: Any, **named_steps: Any) -> float:
        """Have the steps taken, or take them here: the task's `descend`. Returns the mean loss."""
        try:
            descent = Descent(*steps, **named_steps)
        except TypeError:
            return float(descend(*steps, **named_steps))  # whose own message names the task's call
        if not isinstance(descent.rates, Sized) or self._is_elsewhere() or self._draws_batches(descent):
            return descent.alone()
        if torch.is_autocast_enabled(self._device):
            return descent.alone()
        descent.rates = list(descent.rates)
        self._seconds += time.perf_counter() - self._clock
        self._messages.put(("descent", descent))
        answer = self._answer()
        self._clock = time.perf_counter()
        if not isinstance(answer, Taken):
            return descent.alone()
        self._seconds += answer.seconds
        return self._with_rest(descent, answer)

    def _is_elsewhere(self) -> bool:
        """Whether other code calls: a module may keep the `descend` of a training, and call it later."""
        is_here = os.getpid() == self._process and threading.current_thread() is self._thread
        return not is_here or self._ended or self._stopped

    def _draws_batches(self, descent: Descent) -> bool:
        """Whether batches are drawn at random as they are taken: only in this thread is that repeatable."""
        if self._draws is None:
            before, first = isolation.drawn(), descent.first_batch()
            self._draws = isolation.drawn() != before
            self.sample = None if self._draws else (descent, first)
        return self._draws

    def _answer(self) -> Verdict | Taken:
        """Wait for an answer to a message. Raises Stop where it is to end."""
        threads = torch.get_num_threads()
        answer = self._answers.get()
        if answer == STOP:
            raise Stop
        torch.set_num_threads(threads)
        return answer

    @staticmethod
    def _with_rest(descent: Descent, taken: Taken) -> float:
        """Take the steps that the group did not take. Returns the mean loss of an example, about."""
        n_steps = len(descent.rates)
        if taken.steps == n_steps:
            return taken.loss
        rest = replace(descent, rates=descent.rates[taken.steps :]).alone()
        return (taken.steps * taken.loss + (n_steps - taken.steps) * rest) / n_steps

    def _check_caller(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError("report was called in another process: valid is a call by train itself")
        if self._ended:
            raise RuntimeError("report was called after the training had ended")
        if threading.get_ident() != self._thread.ident:
            message = "report was called in another thread: valid is a call by train itself"
            self.error = self.error or RuntimeError(message)
            raise SystemExit(message)  # which ends a thread without a traceback on the screen
        if self._stopped:
            raise Stop
        if self.error is not None:
            raise self.error
