"""Studies of any size: a searched one, whose trials are repeated record by record."""

import contextlib
import functools
import os
import re
import shutil
import tempfile

from objectives import chargpt
from search import paths, storage
from search.coordinator import search
from search.study.opening import open_study
from search.tracking import chosen
from tests.bench.scale.trainers import PretendedPool, RealTime

NAME = "scale"
BASE = 1000  # trials of the study that larger ones are made of
OF_TRIALS = re.compile(r'^.*"(?:trial_id|datetime_start)":.*\n', re.MULTILINE)  # a journal's records
NUMBER = re.compile(r'"(trial_id|draw|retry_of)":(\d+)')  # of a trial in them


def open_scale():
    """Open the study of the current home."""
    return open_study(storage.chosen(None), chargpt, NAME, "builtin")


def journal():
    """The file of the study of the current home."""
    return storage.chosen(None).files(NAME)[0]


class Studies:
    """Homes with a study each, made once in a folder and copied for each measurement."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def copy(self, size):
        """A copy of the home of a study of so many trials; deleted at the end."""
        home = self._home(size)
        with tempfile.TemporaryDirectory(dir=self.folder) as copy:  # a new name: MLflow keeps files open
            shutil.copytree(home, copy, dirs_exist_ok=True)
            os.environ["TRIALBOOK_HOME"] = copy
            yield copy

    @contextlib.contextmanager
    def open(self, size):
        """The study of such a copy, open."""
        with self.copy(size), open_scale() as study:
            yield study

    def _home(self, size):
        """The home of a study of so many trials, which nobody may write to."""
        home = self.folder / f"of-{size}"
        if not home.exists():
            records = self._records() if size > BASE else None
            os.environ["TRIALBOOK_HOME"] = str(home)
            chosen(None).connect()  # makes an empty log, which takes seconds
            if records is None:
                with open_scale() as study:
                    search(study, PretendedPool(4, 0.0, RealTime()), trials=size)
            else:
                paths.studies().mkdir(parents=True)
                with open(journal(), "w") as file:
                    file.writelines(repeated(records, size))
        return home

    def _records(self):
        os.environ["TRIALBOOK_HOME"] = str(self._home(BASE))
        return journal().read_text()


def repeated(records, size):
    """The records of a study, then those of its trials again, until there are so many trials."""
    yield records
    of_trials = "".join(OF_TRIALS.findall(records))
    for offset in range(BASE, size, BASE):
        yield NUMBER.sub(functools.partial(renumbered, offset), of_trials)


def renumbered(offset, match):
    """A match of NUMBER, with its number raised by an offset."""
    return f'"{match[1]}":{int(match[2]) + offset}'
