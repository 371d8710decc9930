"""Train in this process, one trial at a time: for debugging, and for tests."""

from search.trainers import Stop, Trainer, cause_of


class Inline:
    """One trainer in this process. See `search.trainers`."""

    def __init__(self, study):
        self._trainer = Trainer(study.task, study.data_path, study.device)
        self._waiting = []

    @property
    def free(self):
        return 1 - len(self._waiting)

    def start(self, number, config):
        self._waiting.append((number, config))

    def listen(self, ear, seconds):
        for number, config in self._waiting:
            self._waiting = []
            try:
                score = self._trainer.train(config, lambda entry, number=number: ear.reported(number, entry))
            except Stop:
                return
            except Exception as error:
                ear.failed(number, cause_of(error))
            else:
                ear.finished(number, score)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._waiting = []
