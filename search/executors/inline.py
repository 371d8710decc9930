"""Train in this process, one trial at a time: for debugging, and for tests."""

from search.trainers.trainer import Trainer


class Inline:
    """One trainer in this process. See `search.trainers.trainer`."""

    def __init__(self, study):
        self._trainer = Trainer(study.task, study.data_path, study.device, study.description.digest)
        self._waiting = []

    @property
    def free(self):
        return 1 - len(self._waiting)

    def start(self, number, config):
        self._waiting.append((number, config))

    jobs = 1
    training = frozenset()  # nothing trains while somebody could ask

    def drop(self, number):
        self._trainer.drop(number)

    def listen(self, ear, seconds):
        for number, config in self._waiting:
            self._waiting = []
            how, content = self._trainer.advance(
                number, config, lambda entry, number=number: ear.reported(number, entry)
            )
            if how == "failed":
                ear.failed(number, content)
            elif how == "finished":
                ear.finished(number, content)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._waiting = []
