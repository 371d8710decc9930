"""Trainers that are elsewhere, each driven by messages. `processes` and `ray` say where."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from typing import Any, Generic, Self, TypeVar

from search.errors import TrialbookError
from search.executors.executor import GO_ON, LAST_QUARTER, PAUSE, Listener
from search.executors.worker import Message
from search.trainers.messages import Config, Entry

FALSE_STARTS = 3  # in a row: the fault is not that of one trainer


class RemoteTrainer(ABC):
    """A trainer as its pool sees it."""

    def __init__(self) -> None:
        self.ready = False  # its data is loaded, and it takes trials
        self.spoiled = False  # it asked to be replaced
        self.trials: dict[int, Config] = {}  # that it trains
        self.waiting: list[tuple[int, Config]] = []  # paused trials of its own that are to train next
        self.interrupted: list[tuple[int, Config]] = []  # the one that made way for those

    def forget(self, number: int) -> None:
        """Leave out a trial that has ended."""
        self.waiting = [each for each in self.waiting if each[0] != number]
        self.interrupted = [each for each in self.interrupted if each[0] != number]

    @property
    def is_free(self) -> bool:
        """Whether it could train another trial now."""
        return self.ready and not self.trials

    @abstractmethod
    def send(self, *message: Any) -> None:
        """Send a message; do nothing where the trainer has ended."""

    @abstractmethod
    def receive(self) -> list[Message]:
        """The messages that have come. Raises EOFError where the trainer has ended."""

    @abstractmethod
    def kill(self) -> None:
        """End the trainer: the next `receive` raises EOFError."""

    @abstractmethod
    def end(self) -> str:
        """Wait until the trainer has ended. Returns how it ended, in words."""

    @abstractmethod
    def was_lost(self) -> bool:
        """Whether it ended through the fault of its machine, and not of its trial."""


T = TypeVar("T", bound=RemoteTrainer)


class Pool(ABC, Generic[T]):
    """An Executor of trainers that are elsewhere. A trainer that ends is replaced."""

    def __init__(self, jobs: int) -> None:
        self._trainers = [self._new_trainer() for _ in range(jobs)]
        self._holders: dict[int, T] = {}  # number of a paused trial -> the trainer that holds it
        self._false_starts = 0  # trainers in a row that ended before they were ready

    @abstractmethod
    def _new_trainer(self) -> T:
        """Begin another trainer."""

    @abstractmethod
    def _poll(self, seconds: float) -> list[T]:
        """The trainers that have messages, or have ended, within so many seconds."""

    @property
    def jobs(self) -> int:
        return len(self._trainers)

    @property
    def free(self) -> int:
        return sum(trainer.is_free for trainer in self._trainers)

    @property
    def training(self) -> Set[int]:
        return {number for trainer in self._trainers for number in trainer.trials}

    def start(self, number: int, config: Config) -> None:
        training = (trainer for trainer in self._trainers if number in trainer.trials)  # about to pause
        holder = self._holders.get(number) or next(training, None)
        if holder and not holder.is_free:
            holder.waiting.append((number, config))
        else:
            self._holders.pop(number, None)
            self._train({number: config}, holder)

    def start_together(self, configs: Mapping[int, Config]) -> None:
        self._train(configs)

    def _train(self, configs: Mapping[int, Config], trainer: T | None = None) -> None:
        """Have trials trained, by a certain trainer or by any that is free."""
        trainer = trainer or next(each for each in self._trainers if each.is_free)
        trainer.trials = dict(configs)
        trainer.send("train", [[number, dict(config)] for number, config in configs.items()])

    def drop(self, number: int) -> None:
        if trainer := self._holders.pop(number, None):
            trainer.send("drop", number)

    def end(self, number: int) -> None:
        for trainer in self._trainers:
            if number in trainer.trials:
                trainer.kill()  # `listen` finds that it has ended, and replaces it

    def listen(self, listener: Listener, seconds: float) -> None:
        for trainer in self._poll(seconds):
            try:
                messages = trainer.receive()
            except EOFError:
                self._replace(listener, trainer)
            else:
                for message in messages:
                    self._handle(listener, trainer, message)

    def _handle(self, listener: Listener, trainer: T, message: Message) -> None:
        """Act on a message of a trainer: see `search.executors.worker`."""
        match message:
            case ["ready"]:
                trainer.ready, self._false_starts = True, 0
                self._start_waiting(trainer)
            case ["report", number, entry]:
                verdict = listener.reported(number, entry)
                if verdict == GO_ON and self._makes_way(trainer, entry):
                    trainer.interrupted = [(number, trainer.trials[number])]
                    verdict = PAUSE
                trainer.send("verdict", number, entry["epoch"], verdict)
            case ["gain", number, gain]:
                listener.measured(number, gain)
            case ["paused" | "stopped" | "finished" | "failed" as result, number, content]:
                if result == "paused":
                    self._holders[number] = trainer
                else:  # it may have ended before it heard that it was to pause
                    trainer.forget(number)
                if result == "finished":
                    value, standard_error = content
                    listener.finished(number, (value, standard_error))
                elif result == "failed":
                    listener.failed(number, content)
                trainer.trials.pop(number, None)
                self._start_waiting(trainer)
            case ["spoiled"]:  # what it was given meanwhile is to be tried again
                trainer.ready, trainer.spoiled = False, True
                trainer.kill()
            case ["broken", _, cause]:
                raise TrialbookError(f"trainers do not start: {cause}")

    @staticmethod
    def _makes_way(trainer: T, entry: Entry) -> bool:
        """Whether the trial of a trainer pauses for one that resumes, and that this trainer holds."""
        wanted = bool(trainer.waiting) and not trainer.interrupted and len(trainer.trials) == 1
        epochs = max((config.get("epochs", 0) for config in trainer.trials.values()), default=0)
        return wanted and entry["epoch"] < LAST_QUARTER * epochs

    def _start_waiting(self, trainer: T) -> None:
        """Give a trainer that has ended all its trainings the next of those that wait for it."""
        waiting = trainer.waiting or trainer.interrupted
        if waiting and not trainer.trials:
            self.start(*waiting.pop(0))

    def _replace(self, listener: Listener, trainer: T) -> None:
        """Put a new trainer in the place of one that has ended."""
        end = trainer.end()
        lost = trainer.spoiled or trainer.was_lost() or len(trainer.trials) > 1
        if not trainer.ready and not lost:
            self._false_starts += 1  # one may have been ended by chance, as where memory was full
            if self._false_starts == FALSE_STARTS:
                raise TrialbookError(f"trainers do not start: {end}")
        another = self._new_trainer()
        self._trainers[self._trainers.index(trainer)] = another
        self._holders = {number: holder for number, holder in self._holders.items() if holder is not trainer}
        # It begins those anew, one after the other.
        another.waiting, another.interrupted = trainer.waiting, trainer.interrupted
        self._holders |= {number: another for number, _ in trainer.waiting + trainer.interrupted}
        for number in trainer.trials:
            (listener.lost if lost else listener.failed)(number, end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for trainer in self._trainers:
            trainer.kill()
        for trainer in self._trainers:
            trainer.end()
