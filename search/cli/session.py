"""One search in the terminal: what is asked, how it goes, the winner, and the next commands."""

import math
import os
import shlex
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import data
from search import coordinator, paths, tasks
from search.cli import display, terminal
from search.cli.options import SearchOptions
from search.coordinator import Watcher
from search.errors import NoWinner, UsageError, unknown
from search.executors.executor import Executor
from search.reports import tables
from search.signals import Signals
from search.storage import StudyStore
from search.strategy import winner
from search.study.opening import default_name, open_study
from search.study.study import Study
from search.tasks import Task
from search.tasks.device import usable
from search.tracking import TrackingStore
from search.tracking.log_names import sentence as sentence_about_names

if TYPE_CHECKING:  # importing MLflow takes long: not while trainers start
    from search.tracking.projection import Projection

TRAINERS = ("processes", "inline", "ray")
CLUSTER_OPTIONS = ("address", "cpus", "gpus", "memory")


@dataclass(frozen=True)
class _Limits:
    """The limits of a search; inf for no limit."""

    trials: float
    seconds: float


def run(task: Task, store: StudyStore, tracking: TrackingStore, options: SearchOptions) -> int:
    """Search a task, or resume a study of it; then train the finalists again.

    Args:
        task: the module of a task.
        store: the store of the study.
        tracking: the store of the log.
        options: `trials` and `timeout` are no limit if they are None.

    Returns the exit code: 0, or 130 or 143 if a signal stopped the search. Raises TrialbookError.
    """
    if options.trainers not in (None, *TRAINERS):
        raise unknown("TRAINERS", options.trainers, TRAINERS)
    _check_cluster_options(options)
    device, problem = _device(options)
    say = terminal.console().print
    study = _open(task, store, options)
    with Signals() as signals, study:
        say(f"Task {study.description.task}: {tasks.question_of(task)}")
        say(_summary(study))
        for note in study.notes:
            say(f"Note: {note}.")
        if problem:
            say(f"DEVICE=cuda: torch sees no GPU here ({problem}); training on the CPU.")
        study.device = device
        _search(study, tracking, options, signals)
        _keep_copy(study)
        _show_result(study, signals)
    return signals.exit_code


def _check_cluster_options(options: SearchOptions) -> None:
    """Raise UsageError if there are options of a cluster, but no cluster."""
    given = [name.upper() for name in CLUSTER_OPTIONS if getattr(options, name) is not None]
    if given and options.trainers != "ray":
        raise UsageError(f"{', '.join(given)} is for TRAINERS=ray alone")


def _device(options: SearchOptions) -> tuple[str, str]:
    """The device to train on, and why it is not the requested one, or ""."""
    device = "cpu" if options.device is None else options.device
    return usable(device) if options.trainers != "ray" else (device, "")


def _open(task: Task, store: StudyStore, options: SearchOptions) -> Study:
    """Create or resume the study. Announce the preparation of its data if that takes long."""
    if options.data_dir:
        data.use_course_folder(options.data_dir)
    slow = threading.Timer(1, terminal.console().print, ["Preparing the data (once) ..."])
    slow.start()
    try:
        return open_study(
            store, task, options.study, options.data, options.seed, options.old, bool(options.join)
        )
    finally:
        slow.cancel()


def _search(study: Study, tracking: TrackingStore, options: SearchOptions, signals: Signals) -> None:
    """Train the trials and the replicates that are missing, if any are."""
    trials, done = options.trials, study.n_finished()
    replicates = winner.REPLICATES if options.confirm is None else options.confirm
    limits = None
    if not trials or done < trials:
        study.set_budget(trials, options.timeout)
        limits = _Limits(trials or math.inf, options.timeout or math.inf)
    if limits or (replicates and winner.next_replicate(study, replicates, options.bar)):
        max_jobs = limits.trials - done if limits and not replicates else math.inf
        with _executor(study, options, max_jobs) as executor:  # trainers start while MLflow is imported
            _Training(study, tracking, executor, signals).run(limits, replicates, options.bar)
        return
    terminal.console().print(f"Nothing to do: it has {done} trials, and {trials} were asked for in total.")
    if study.projected_revision() != study.revision():  # the search was killed before it completed the log
        _bring_up_to_date(_projection(study, tracking, signals))


def _executor(study: Study, options: SearchOptions, max_jobs: float) -> Executor:
    """The requested executor, with at most so many trainers."""
    if options.trainers == "inline":
        from search.executors.inline import Inline

        return Inline(study)
    if options.trainers == "ray":
        try:
            from search.executors.ray import Ray
        except ModuleNotFoundError:
            raise UsageError("TRAINERS=ray needs the package ray: make .venv/ray installs it") from None
        named = {"cpus": options.cpus, "gpus": options.gpus, "memory": options.memory}
        share = {name: amount for name, amount in named.items() if amount is not None}
        return Ray(study, min(options.jobs or math.inf, max_jobs), options.address, **share)
    from search.executors.processes import Processes

    return Processes(study, int(min(options.jobs or cores(), max_jobs)))


class _Training:
    """A search and then replicates of its finalists, shown in the terminal and written to the log."""

    def __init__(self, study: Study, tracking: TrackingStore, executor: Executor, signals: Signals) -> None:
        self._study, self._executor, self._signals = study, executor, signals
        self._say = terminal.console().print
        jobs = f"{executor.jobs} trainer{'s' if executor.jobs > 1 else ''}"
        self._say(f"Starting {jobs} and opening the log ...")
        self._log = _projection(study, tracking, signals)

    def run(self, limits: _Limits | None, replicates: int, threshold: float | None) -> None:
        """Search within the limits, if there are any. Then train the finalists again."""
        from search.tracking.background import Background

        try:
            with Background(self._log) as log:
                if limits:
                    self._search(log, limits, replicates)
                if replicates and self._signals.received is None:
                    self._confirm(log, replicates, threshold)
        finally:
            _bring_up_to_date(self._log)

    def _search(self, log: Watcher, limits: _Limits, replicates: int) -> None:
        study, executor = self._study, self._executor
        tally = display.Tally(study, limits.trials, limits.seconds, executor.jobs, replicates)
        with _shown(tally) as shown:
            coordinator.search(
                study,
                executor,
                trials=limits.trials,
                seconds=limits.seconds,
                watchers=(shown, log),
                stopping=self._stopping,
            )

    def _confirm(self, log: Watcher, replicates: int, threshold: float | None) -> None:
        study, executor = self._study, self._executor
        finalists = winner.finalists(study, threshold)
        if not finalists:
            return
        numbers = ", ".join(str(trial.number) for trial in finalists)
        self._say(f"The finalists, trials {numbers}, are trained again on up to {replicates} fresh seeds ...")
        with _shown(display.ReplicateTally(study, finalists, replicates, executor.jobs)) as shown:
            coordinator.confirm(
                study,
                executor,
                replicates=replicates,
                threshold=threshold,
                watchers=(shown, log),
                stopping=self._stopping,
            )

    def _stopping(self) -> bool:
        return self._signals.received is not None


def _shown(tally: display.Tally) -> display.Display | display.Lines:
    return display.watch(terminal.console(soft_wrap=False), tally)


def _projection(study: Study, tracking: TrackingStore, signals: Signals) -> "Projection":
    """The log of a study that is searched."""
    from search.tracking.projection import Projection

    return Projection(study, tracking, _log_files, signals.overdue)


def _log_files(study: Study) -> dict[str, str]:
    """The files that the log keeps of a study."""
    from search.reports.page import log_files  # it imports plotly: not while trainers start

    return log_files(study)


def _bring_up_to_date(log: "Projection") -> None:
    """Complete the log. If that fails, say so."""
    from search.maintenance.doctor import remedy

    say = terminal.console().print
    say("Writing the table of trials and the report to the log ...")
    log.bring_up_to_date()
    if sentence := sentence_about_names(log.study.trials()):
        say(sentence)
    if log.behind:
        say(f"The log is incomplete ({log.behind}): {remedy(log.study.store, log.store)}.")


def _keep_copy(study: Study) -> None:
    """Copy the study, in case its file is damaged later. If that fails, say so."""
    try:
        study.store.keep_copy(study.name)
    except OSError as error:
        terminal.console().print(f"The study could not be copied to {paths.backups()}: {error.strerror}.")


def _summary(study: Study) -> str:
    """The study and its data, in one line."""
    description, done = study.description, study.n_finished()
    history = f"resumes after {done} trials" if done else "is new"
    file = f"{description.source}, {study.data_path} (digest {description.digest})"
    return f"Study {study.name} {history}. Data: {file}."


def _show_result(study: Study, signals: Signals) -> None:
    """Show the winner, and the next commands."""
    say = terminal.console().print
    name, default = study.description.task, default_name(study.task, study.description.source)
    options = f"TASK={shlex.quote(name)}" + ("" if study.name == default else f" STUDY={study.name}")
    if signals.received is not None:
        say(f"Stopped. `make search {options}` resumes it.")
    try:
        terminal.show(tables.of_winner(study, winner.choose(study)))
    except NoWinner as reason:
        say(f"No winner: {reason}.")
        return
    for command, result in (
        (f"make report {options}", "what was learned, as one page"),
        (f"make export {options}", "the winner as one script"),
        ("make ui", "every trial"),
    ):
        say(f"{command.ljust(len(options) + 15)}{result}")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
