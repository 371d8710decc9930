"""One search as a person sees it: what is done, how it goes, what was found, what to type next."""

import functools
import math
import os
import shlex
import signal
import threading
import time

from search import coordinator, log_names, paths, tasks
from search.cli import display, terminal
from search.errors import NoWinner, UsageError, unknown
from search.reports import tables
from search.strategy import winner
from search.study.opening import default_name, open_study
from search.tasks.device import usable

TRAINERS = ("processes", "inline", "ray")
GRACE = 5.0  # seconds after a signal in which the log is brought up to date


def run(
    task,
    store,
    *,
    trials=None,
    timeout=None,
    jobs=None,
    study=None,
    seed=None,
    data=None,
    trainers=None,
    cluster=None,
    device="cpu",
    confirm=winner.REPLICATES,
    bar=None,
    old=None,
    join=False,
):
    """Search a task, or go on with a study of it; then train the best few again.

    Args:
        task: the module of a task.
        store: where the study lives.
        trials: how many in total; None for no limit.
        timeout: seconds to search; None for no limit.
        jobs: trainers at once; by default one a core, of this machine or of the cluster.
        study, seed, data, old, join: see `open_study`.
        trainers: "processes" (default), "inline" or "ray".
        cluster: for "ray": address, cpus, gpus and memory by name, see `search.executors.ray`.
        device: "cpu", or "cuda"; where torch can use no GPU the CPU is taken, and that is said.
        confirm: on how many fresh seeds the best few are trained again at the most; 0 for none.
        bar: a score; the cheapest configurations that clear it are trained again too.

    Returns the exit code: 0, or 130 or 143 where a signal stopped it. Raises TrialbookError.
    """
    if trainers not in (None, *TRAINERS):
        raise unknown("TRAINERS", trainers, TRAINERS)
    device, why_not = usable(device) if trainers != "ray" else (device, None)
    say = terminal.console().print
    slow = threading.Timer(1, say, ["Preparing the data (once) ..."])
    slow.start()
    try:
        opened = open_study(store, task, study, data, seed, old, join)
    finally:
        slow.cancel()
    with Signals() as signals, opened:
        done = opened.n_finished()
        say(f"Task {opened.description.task}: {tasks.question_of(task)}")
        say(_what(opened, done))
        for note in opened.notes:
            say(f"Note: {note}.")
        if why_not:
            instead = f"DEVICE=cuda: torch sees no GPU here ({why_not}); training on the CPU."
            say(instead)
        opened.device = device
        to_search = not trials or done < trials
        if to_search:
            opened.set_budget(trials, timeout)
        if to_search or (confirm and winner.next_replicate(opened, confirm, bar)):
            limits = {"trials": trials or math.inf, "seconds": timeout or math.inf} if to_search else None
            again = {"replicates": confirm, "threshold": bar}
            _train(opened, limits, again, jobs, functools.partial(_trainers, trainers, cluster), signals)
        else:
            say(f"Nothing to do: it has {done} trials, and {trials} were asked for in total.")
            if (
                opened.projected_revision() != opened.revision()
            ):  # the search that did it was killed before it could
                from search.log import Log

                _bring_up_to_date(Log(opened, signals.overdue))
        _keep_copy(say, opened)
        _found(say, opened, signals)
    return signals.exit_code


def _train(study, limits, again, jobs, plug, signals):
    """Search within the limits, where there are any, then train again; everything is shown and logged."""
    console, say = terminal.console(soft_wrap=False), terminal.console().print
    most = limits["trials"] - study.n_finished() if limits and not again["replicates"] else math.inf
    with plug(study, jobs, most) as trainers:  # first: they warm up while MLflow is imported
        jobs = trainers.jobs
        say(f"Starting {jobs} trainer{'s' if jobs > 1 else ''} and opening the log ...")
        from search.live import Live
        from search.log import Log

        log = Log(study, signals.overdue)

        def show(tally, train, **how):
            with display.watch(console, tally) as shown:
                stopping = lambda: signals.received is not None  # noqa: E731
                train(study, trainers, watchers=(shown, live), stopping=stopping, **how)

        try:
            with Live(log) as live:
                if limits:
                    tally = display.Tally(study, **limits, jobs=jobs, repeats=again["replicates"])
                    show(tally, coordinator.search, **limits)
                if again["replicates"] and signals.received is None:
                    _train_again(say, study, again, jobs, show)
        finally:
            _bring_up_to_date(log)


def _train_again(say, study, again, jobs, show):
    """Train the best few again."""
    few, repeats = winner.finalists(study, again["threshold"]), again["replicates"]
    if few:
        numbers = ", ".join(str(trial.number) for trial in few)
        say(f"The best few, trials {numbers}, are trained again on up to {repeats} fresh seeds ...")
        show(display.Repeats(study, few, repeats, jobs), coordinator.confirm, **again)


def _bring_up_to_date(log):
    """Complete the log; where that fails, say so."""
    from search.maintenance.doctor import remedy

    say = terminal.console().print
    say("Writing the table of trials and the report to the log ...")
    log.bring_up_to_date()
    if said := log_names.sentence(log.study.trials()):
        say(said)
    if log.behind:
        say(f"The log is incomplete ({log.behind}): {remedy(log.study.store)}.")


def _keep_copy(say, study):
    """Copy the study, so that there is a way back where its file is damaged; where that fails, say so."""
    try:
        study.store.keep_copy(study.name)
    except OSError as error:
        failed = f"The study could not be copied to {paths.backups()}: {error.strerror}."
        say(failed)


def _trainers(kind, cluster, study, jobs, most):
    """The executor of a kind, with `most` trainers at the most; `jobs` None leaves their number to it."""
    if kind == "inline":
        from search.executors.inline import Inline

        return Inline(study)
    if kind == "ray":
        try:
            from search.executors.ray import Ray
        except ModuleNotFoundError:
            raise UsageError("TRAINERS=ray needs the package ray: make .venv/ray installs it") from None
        return Ray(study, min(jobs or math.inf, most), **cluster or {})
    from search.executors.processes import Processes

    return Processes(study, min(jobs or cores(), most))


def _what(study, done):
    """The study and its data, in one line."""
    about = study.description
    history = f"goes on after {done} trials" if done else "is new"
    data = f"{about.source}, {study.data_path} (digest {about.digest})"
    return f"Study {study.name} {history}. Data: {data}."


def _found(say, study, signals):
    """What came of it, and what to type next."""
    name, default = study.description.task, default_name(study.task, study.description.source)
    which = f"TASK={shlex.quote(name)}" + ("" if study.name == default else f" STUDY={study.name}")
    if signals.received is not None:
        say(f"Stopped. `make search {which}` goes on from here.")
    try:
        terminal.show(tables.of_winner(study, winner.choose(study)))
    except NoWinner as none:
        say(f"No winner: {none}.")
        return
    for command, meaning in (
        (f"make report {which}", "what was learned, as one page"),
        (f"make export {which}", "the winner as one script"),
        ("make ui", "every trial"),
    ):
        say(f"{command.ljust(len(which) + 15)}{meaning}")


def cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class Signals:
    """Ctrl-C and SIGTERM: the first one ends the search cleanly, a second one at once."""

    def __init__(self):
        self.received = None
        self._at = math.inf

    def overdue(self):
        """Whether a signal came so long ago that what can be done by a later search is left to it."""
        return time.monotonic() > self._at + GRACE

    def __enter__(self):
        self._before = {
            number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number, _frame):
        if self.received is not None:
            os._exit(128 + number)
        self.received, self._at = number, time.monotonic()

    @property
    def exit_code(self):
        return 0 if self.received is None else 128 + self.received
