"""Train in this process, one trial at a time: for debugging, and for tests."""

from collections.abc import Mapping
from typing import Self

from search.executors.executor import Listener, TrainingSource
from search.trainers.messages import Config
from search.trainers.trainer import Trainer


class Inline:
    """An Executor of one trainer in this process: `listen` returns when its trial ends or pauses."""

    jobs = 1
    training: frozenset[int] = frozenset()  # between two calls, nothing trains

    def __init__(self, study: TrainingSource) -> None:
        self._trainer = Trainer(study.task, study.data_path, study.device, study.digest)
        self._started: list[Mapping[int, Config]] = []

    @property
    def free(self) -> int:
        return 1 - len(self._started)

    def start(self, number: int, config: Config) -> None:
        self.start_together({number: config})

    def start_together(self, configs: Mapping[int, Config]) -> None:
        self._started.append(configs)

    def drop(self, number: int) -> None:
        self._trainer.drop(number)

    def end(self, number: int) -> None:
        """Nothing to do: see `training`."""

    def listen(self, listener: Listener, seconds: float) -> None:
        started, self._started = self._started, []
        for configs in started:
            ends = self._trainer.advance_together(configs, listener.reported, listener.measured)
            for number, outcome in ends:
                if outcome[0] == "failed":
                    listener.failed(number, outcome[1])
                elif outcome[0] == "finished":
                    listener.finished(number, outcome[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._started = []
        self._trainer.close()
