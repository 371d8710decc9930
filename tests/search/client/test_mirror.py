"""A copy of a search's study: it follows what another process writes, and tells of each change once."""

import pytest
from proposals import fixed
from stores import here

from search import tasks
from search.client import Client
from search.client.mirror import Mirror
from search.study.opening import open_study


class Diary:
    """A watcher that writes down what it is told."""

    def __init__(self):
        self.lines = []

    def started(self, trial):
        self.lines.append(f"started {trial.number}")

    def reported(self, trial):
        self.lines.append(f"reported {trial.number} epoch {trial.epochs}")

    def paused(self, trial):
        self.lines.append(f"paused {trial.number}")

    def finished(self, trial):
        self.lines.append(f"finished {trial.number} {trial.state}")

    def requested(self, line):
        self.lines.append(line)

    def news(self):
        lines, self.lines = self.lines, []
        return lines


@pytest.fixture
def study(web, bowl):
    """The study of the service's first search, which this process writes as the search's own would."""
    with open_study(here(), bowl, web.add().study) as study:
        yield study


@pytest.fixture
def mirror(web, study):
    mirror = Mirror(Client(web.address).run(1))
    mirror.refresh()
    return mirror


def report(study, number, epoch):
    metrics = {"train_loss": 1.0, "validation_loss": 1.0, "validation_height": 1.0, "learning_rate": 0.1}
    study.report(number, {"epoch": epoch, "seconds": 0.1, "time": 1e9, **metrics})


def test_a_search_without_a_study_has_no_copy(web):
    mirror = Mirror(Client(web.address).run(web.add().id))
    mirror.refresh()
    assert mirror.study is None and mirror.n_records == 0


def test_a_copy_has_the_trials_of_the_study_after_each_refresh(study, mirror, tell):
    for score in (0.5, 0.25):
        tell(study, score)
        mirror.refresh()
        assert list(mirror.study.trials()) == list(study.trials())
    assert mirror.study.best().score == 0.25


def test_a_watcher_is_told_of_each_change_once(study, mirror, tell):
    diary = Diary()
    tell(study, 0.5)
    mirror.refresh()
    mirror.follow(diary)
    assert diary.news() == []  # a trial that has ended is known
    number = study.start(fixed(tasks.baseline(study.task), 1)).number
    mirror.refresh()
    assert diary.news() == ["started 1"]
    report(study, number, 1)
    report(study, number, 2)
    mirror.refresh()
    mirror.refresh()
    assert diary.news() == ["reported 1 epoch 2"]
    study.pause(number)
    mirror.refresh()
    assert diary.news() == ["paused 1"]
    study.resume(number)
    mirror.refresh()
    assert diary.news() == ["reported 1 epoch 2"]
    study.tell(number, "pruned", "told so", (None, None))
    tell(study, 0.25)
    mirror.refresh()
    assert diary.news() == ["finished 1 pruned", "started 2", "finished 2 completed"]


def test_a_running_trial_is_told_to_a_watcher_that_comes_later(study, mirror):
    number = study.start(fixed(tasks.baseline(study.task), 0)).number
    report(study, number, 1)
    mirror.refresh()
    diary = Diary()
    mirror.follow(diary)
    assert diary.news() == ["started 0", "reported 0 epoch 1"]


def test_void_trials_count_no_longer_in_the_copy(study, mirror, tell):
    diary = Diary()
    tell(study, 0.25)
    tell(study, 0.5)
    mirror.refresh()
    mirror.follow(diary)
    study.void("void", [0], "the mask was wrong")
    mirror.refresh()
    assert diary.news() == ["trials 0 are void: the mask was wrong"]
    assert mirror.study.best().number == 1
    study.void("restore", [0], "it was right")
    mirror.refresh()
    assert diary.news() == ["trials 0 count again: it was right"]
    assert mirror.study.best().number == 0
