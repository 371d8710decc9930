"""Optuna's journal file, written by one process at a time."""

import contextlib
import fcntl
import itertools
import json
import os

from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from search.errors import StoreError, StudyConflict


class Journal(JournalFileBackend):
    """A journal whose writer holds the study's lock, so that no record needs one of its own.

    Records reach the system at once, and so outlive the process; `commit` waits until the disk
    has them, and so they outlive the machine. Where either fails it is a StoreError, and the journal
    ends with a whole record.
    """

    def __init__(self, path):
        super().__init__(str(path), lock_obj=_NoLock())
        self.path = path
        self._file = None  # once it is written to
        self._own = []  # lines that were written, and not read yet

    def read_logs(self, log_number_from):
        """The records from this one on. A writer reads its own back from memory: it is the only one."""
        if self._file is None:
            return super().read_logs(log_number_from)
        own, self._own = self._own, []
        return map(json.loads, own)

    def append_logs(self, logs):
        lines = [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]
        with _writing(self.path):
            if self._file is None:
                self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            self._append("".join(lines).encode())
        self._own += lines

    def _append(self, content):
        """Write all of it or nothing: a disk may be full in the middle of a record."""
        end, rest = self._file.seek(0, os.SEEK_END), memoryview(content)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(end)
            raise

    def refresh(self):
        """Nobody else writes."""

    def commit(self):
        """Wait for the disk."""
        if self._file is not None:
            with _writing(self.path):
                os.fsync(self._file.fileno())


class Head(BaseJournalBackend):
    """The first two of some records: that there is a study, and what it is about."""

    def __init__(self, records):
        self._records = records

    def read_logs(self, log_number_from):
        return itertools.islice(self._records.read_logs(log_number_from), max(0, 2 - log_number_from))

    def append_logs(self, logs):
        raise NotImplementedError  # it is to look at


class Draft(BaseJournalBackend):
    """Records that are nowhere yet: `kept`."""

    def __init__(self):
        self.kept = []

    def read_logs(self, log_number_from):
        return self.kept[log_number_from:]

    def append_logs(self, logs):
        self.kept += json.loads(json.dumps(logs))


class Hiding:
    """A storage of one study. Trials that are `hidden`, by number, are not in it: no sampler, pruner, plot
    or page learns from them. The others keep their numbers.
    """

    def __init__(self, *arguments):
        self.hidden = set()
        super().__init__(*arguments)

    def get_all_trials(self, study_id, deepcopy=True, states=None):
        trials = super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in trials if trial.number not in self.hidden]

    def get_best_trial(self, study_id):
        return BaseStorage.get_best_trial(self, study_id)  # the best of those that are in it

    def every_trial(self, study_id):
        """The hidden ones too, by number: not copies, to be read only."""
        return super().get_all_trials(study_id, deepcopy=False)


class Storage(Hiding, JournalStorage):
    """Optuna's view of a journal. It holds one study, and so a trial's id is its number."""

    _shown = None

    def get_all_trials(self, study_id, deepcopy=True, states=None):
        if self._shown is None:
            return super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in self._shown if states is None or trial.state in states]

    @contextlib.contextmanager
    def showing(self, trials):
        """Meanwhile these trials are in it, and no others."""
        self._shown = list(trials)
        try:
            yield
        finally:
            self._shown = None

    def since(self, number):
        """The trials from this number on: not copies, to be read only."""
        with contextlib.suppress(KeyError):
            while True:
                yield self.get_trial(number)
                number += 1


class Memory(Hiding, InMemoryStorage):
    """A storage that ends with its process."""


class _NoLock:
    def acquire(self):
        return True

    def release(self):
        pass


def lock(path):
    """Hold a journal for this process, until the file returned is closed or the process ends.

    Raises StudyConflict where another process holds it, and says which; StoreError.
    """
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path.with_suffix(".lock"), "a+")  # noqa: SIM115
        turn = open(path.parent / ".lock", "a")  # noqa: SIM115
    with turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one at a time, so that who holds a journal has said so
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise StudyConflict(
                f"study {path.stem!r} is being searched by process {holder or 'unknown'}"
            ) from None
        with _writing(path.parent):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
    return file


@contextlib.contextmanager
def _writing(path):
    """What fails meanwhile is a StoreError, in one line."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write to {path}: {error.strerror}; what it holds is whole") from None


def holder(path):
    """The process that holds a journal, as text; None where none does. Nothing is written."""
    try:
        with open(path.with_suffix(".lock")) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return path.with_suffix(".lock").read_text().strip() or "unknown"
    return None


def torn_end(path):
    """What follows a journal's last whole record, as bytes: a killed machine may leave half of one.

    Readers pass over it, but not over what comes after it.
    """
    *whole, last = path.read_bytes().split(b"\n")
    if last or not whole:
        return last
    try:
        json.loads(whole[-1])
    except ValueError:
        return whole[-1] + b"\n"
    return b""


def cut_torn_end(path):
    """Cut that off; the rest is whole. Returns how many bytes it was."""
    torn = len(torn_end(path))
    if torn:
        os.truncate(path, path.stat().st_size - torn)
    return torn
