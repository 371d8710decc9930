"""One training, which can pause inside `report` and go on later.

A training runs in a thread of its own, and control is handed over: at any time either that thread runs or
the one that called `advance`. The caller's thread answers each report. So the coordinator, the study and the
log run with the process's own settings, and a task's code cannot tell that it ever waited.
"""

import contextlib
import ctypes
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import torch

from objectives.replay import THREADS, seed_all
from search.tasks import Task, isolation
from search.trainers import received
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
Message = tuple[Literal["report"], Entry] | Ended
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
        self._state, self._globals = isolation.State(device), OwnGlobals(all_globals)
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()  # from the training's thread
        self._verdicts: queue.SimpleQueue[Verdict] = queue.SimpleQueue()  # to it
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)
        self._process = os.getpid()
        self._at_report = self._stopped = self._ended = False
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
        with self._state, self._globals:
            try:
                message = self._hand_over(GO_ON)
                while message[0] == "report":
                    with self._state.suspended():
                        verdict = on_report(message[1])
                    if verdict == PAUSE:
                        return PAUSED
                    message = self._end() if verdict == STOP else self._hand_over(verdict)
            except BaseException:  # of `on_report`; or Ctrl-C
                self._end()
                raise
        return message

    def drop(self) -> None:
        """End a training that is paused."""
        with self._state, self._globals:
            self._end()
        self.error = None

    def _hand_over(self, verdict: Verdict) -> Message:
        """Let the training's thread run until it has a message."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._verdicts.put(verdict)
        self._at_report = False
        message = self._messages.get()  # a signal's handler runs meanwhile
        self._at_report = message[0] == "report"
        return message

    def _end(self) -> Stopped:
        """Raise Stop in the task's code: at its report, or else wherever it is.

        Code that goes on all the same is left alone: nobody hears it any more.
        """
        if self._thread.ident is None or self._ended:
            return STOPPED
        self._stopped = True
        self._verdicts.put(STOP)
        for at_report in (self._at_report, False):
            if not at_report:
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
        seconds = time.perf_counter() - self._clock
        self._check_caller()
        try:
            entry = self._reports.entry(epoch, metrics) | {"seconds": seconds, "time": time.time()}
        except BaseException as error:
            self.error = self.error or error
            raise
        self._messages.put(("report", entry))
        threads = torch.get_num_threads()
        if self._verdicts.get() == STOP:
            raise Stop
        torch.set_num_threads(threads)
        self._clock = time.perf_counter()

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
