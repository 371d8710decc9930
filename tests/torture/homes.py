"""What the parts share: homes to search in, and processes in them that can be killed.

Such a process is a fork of this one, which has imported all that a search needs, so that its start takes no
seconds. It is a session of its own, so that all its processes can be killed at once, and it does what
`python -m search` does. What it says comes through a pipe, which ends when the last of them has ended.
"""

import contextlib
import importlib
import multiprocessing
import os
import re
import select
import shutil
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver

import torch
from logs import log_store
from stores import here

from objectives.replay import THREADS
from search.cli import display
from search.cli.app import main
from search.executors.executor import cores
from search.study.stored import StoredStudy
from search.study.trial import TrialState

FORK = multiprocessing.get_context("fork")
PATIENCE = 120.0  # seconds that a process that nobody disturbs may take
BEGINS = "begins\n"  # what each process says first
TRAINED = "Writing the table of trials"  # what a search says when all is trained
INCOMPLETE = "The log is incomplete ("  # what it says where the log could not be completed
NAME = "bowl-builtin"  # what the study of the bowl is called
BY_ITSELF = "stopped by itself", "more time promises too little"  # said of fewer trials than were asked for
FOUND = re.compile(r"^  \d+: .*|.*: not audited$", re.MULTILINE)  # a violation, as the audit says it
ENDED = re.compile(
    r"^\[[^]]*\] trial (\d+) "
    rf"((?:completed (?:on a fresh seed of trial \d+ )?in|(?:{'|'.join(TrialState)}) after) .*?)"
    r"(?:; trial \d+ leads with .*)?\n",
    re.MULTILINE,
)

# A search imports these on its way, for seconds: here that is done once.
for library in (
    "torch._dynamo",
    "mlflow.store.tracking.sqlalchemy_store",
    "matplotlib.pyplot",
    "pandas",
    "plotly.graph_objects",
    "search.reports.trials_table",
    "search.reports.page",
    "search.reports.report",
    "search.executors.inline",
    "search.executors.processes",
    "sklearn.ensemble",
    "sqlalchemy.dialects.sqlite",
):
    importlib.import_module(library)
torch.set_num_threads(THREADS)  # as trainers do


class Skipped(str):
    """Why a case could not be tried: a part yields it in place of a violation."""


class Started:
    """A process that does what `python -m search` does with these arguments.

    Args:
        arguments: as they are typed.
        diary: a file for what it says, to be read by whoever looks for a cause.
        around: a context manager that it does so within.
        gate: a pipe's end; it begins when it has read a byte from it.
    """

    def __init__(self, arguments, diary, around=None, gate=None):
        self._output, theirs = os.pipe()
        self._heard, self._diary = b"", diary
        self._process = FORK.Process(target=_live, args=(arguments.split(), around, theirs, gate))
        self._process.start()
        os.close(theirs)
        self.pid = self._process.pid  # of its group, too
        self.until(BEGINS)

    @property
    def said(self):
        """What it has said so far."""
        return self._heard.decode(errors="replace").removeprefix(BEGINS)

    @property
    def error(self):
        """The last line that it said."""
        return (self.said.strip().splitlines() or ["nothing"])[-1]

    def until(self, *texts, seconds=PATIENCE):
        """Listen until it has said all of these. Returns whether it has."""
        self._listen(seconds, lambda: all(text.encode() in self._heard for text in texts))
        return all(text.encode() in self._heard for text in texts)

    def lives(self, seconds):
        """Listen for so long. Returns whether it then has not ended."""
        return self._listen(seconds, lambda: False)

    def end(self, seconds=PATIENCE):
        """Wait for the end of all its processes. Returns the exit code; None where they did not end."""
        ended = not self.lives(seconds)
        if not ended:
            self.kill()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        os.close(self._output)
        return code if ended else None

    def kill(self, number=signal.SIGKILL):
        """Send all its processes a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _listen(self, seconds, enough):
        """Returns False where it ended, else True when there is enough or the time is over."""
        deadline = time.monotonic() + seconds
        while not enough() and select.select([self._output], [], [], max(0, deadline - time.monotonic()))[0]:
            if not (heard := os.read(self._output, 65536)):
                return False
            self._heard += heard
            self._diary.write_bytes(self._heard)
        return True


class Home:
    """A folder of studies and their log: that of this process from now on, and of all that it starts.

    Args:
        folder: where; it is not there yet.
        database: an MLflow database that is new, to be copied; None where the home is to have none.
    """

    def __init__(self, folder, database=None):
        folder.mkdir(parents=True)
        if database:
            shutil.copyfile(database, folder / "mlflow.db")
        os.environ["TRIALBOOK_HOME"] = str(folder)
        self.folder = folder
        self._started = []

    def start(self, arguments, **how):
        """Start a process: see `Started`. A search tells each event. What is said is kept in a file here."""
        if arguments.startswith("search "):
            arguments += " --verbose"
        diary = self.folder / f"said-{len(self._started)}"
        self._started.append(Started(arguments, diary, **how))
        return self._started[-1]

    def run(self, arguments, **how):
        """The same, and wait for its end. Returns its exit code, and the process."""
        started = self.start(arguments, **how)
        return started.end(), started

    def wrong(self, arguments, trials, name=NAME):
        """Search undisturbed, then look at all that is there. Returns what is wrong, in lines."""
        code, started = self.run(arguments)
        if code != 0:
            return [f"`{arguments}` ended with {code}: {started.error}"]
        study = StoredStudy.read(here(), name)
        wrong = [*self.tracebacks(), *self.audited(), *self.lost(study)]
        enough = any(text in started.said for text in BY_ITSELF) and study.n_finished() < trials
        if study.n_finished() != trials and not enough:
            wrong.append(f"{study.n_finished()} trials count, and {trials} were asked for")
        return wrong

    def audited(self):
        """What the audit finds, in lines."""
        code, started = self.run("audit")
        found = [line.strip() for line in FOUND.findall(started.said)]
        return found if code in (0, 6) else [f"the audit ended with {code}: {started.error}"]

    def tracebacks(self):
        """The processes that showed one or wrote one down."""
        for started in self._started:
            if "Traceback" in started.said or "a fault of this program" in started.said:
                yield f"a process ended with: {started.error}"

    def lost(self, study):
        """What processes said of the ends of trials, and the study has not."""
        for started in self._started:
            for number, said in ENDED.findall(started.said):
                try:
                    kept = display.ending(study.trial(int(number)))
                except KeyError:
                    kept = "not in the study"
                if kept != said:
                    yield f"trial {number} was said to be {said}, and is {kept}"


def best(name=NAME):
    """The best trial of a study: its score and its draw."""
    found = StoredStudy.read(here(), name).best()
    return found.score, found.draw


def fresh(folder):
    """The path of an MLflow database that is new: to be made once, and copied."""
    making = FORK.Process(target=_make, args=(folder / "fresh",))
    making.start()
    making.join()
    return folder / "fresh" / "mlflow.db"


def side_by_side(try_one, works):
    """Yield what `try_one(*work)` has in its lists, in order; as many at once as there are cores."""
    with ProcessPoolExecutor(cores(), mp_context=FORK) as pool:
        for found in pool.map(try_one, *zip(*works)):
            yield from found


def typical(folder, database, arguments):
    """How many seconds a search takes that nothing disturbs: until all is trained, and until its end."""
    return next(side_by_side(_time, [(folder / "typical", database, arguments)]))


def share():
    """How many processes there are for each core; 1 where there are fewer than cores.

    What must be over in so many seconds may take as many times as long.
    """
    return max(1.0, os.getloadavg()[0] / cores())


def outcomes(count, wrong, where):
    """What a part yields of so many cases that were looked at together: what was wrong, and None."""
    if not wrong:
        return [None] * count
    more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return [f"{where}: {'; '.join(wrong[:3])}{more}"] + [None] * (count - 1)


def shares(count, size):
    """A count in parts of this size; the last may be smaller."""
    return [min(size, count - first) for first in range(0, count, size)]


def _make(folder):
    os.environ["TRIALBOOK_HOME"] = str(folder)
    log_store().connect()


def _time(folder, database, arguments):
    began, search = time.monotonic(), Home(folder, database).start(arguments)
    search.until(TRAINED)
    trained = time.monotonic() - began
    search.end()
    return [(trained, time.monotonic() - began)]


def _live(arguments, around, output, gate):
    os.setsid()
    forkserver._forkserver._forkserver_pid = None  # one that serves who forked this serves no child of it
    os.environ["COLUMNS"] = "400"  # what is said in one line stays in one
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in (1, "stdout"), (2, "stderr"):
        os.dup2(output, number)
        setattr(sys, stream, open(number, "w", buffering=1))  # noqa: SIM115
    os.close(output)
    sys.stdout.write(BEGINS)
    if gate is not None:
        os.read(gate, 1)
    with around or contextlib.nullcontext():
        code = main(arguments)
    sys.exit(code)
