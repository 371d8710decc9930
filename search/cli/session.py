"""One search as a person sees it: what is done, how it goes, what was found, what to type next."""

import math
import os
import shlex
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

import data
from search import coordinator, paths, tasks
from search.cli import display, terminal
from search.cli.options import SearchOptions
from search.errors import NoWinner, UsageError, unknown
from search.executors.executor import Executor
from search.reports import tables
from search.signals import Signals
from search.storage import StudyStore
from search.strategy import winner
from search.study.opening import default_name, open_study
from search.study.study import Study
from search.tasks.device import usable
from search.tracking.log_names import sentence as sentence_about_names

if TYPE_CHECKING:  # MLflow takes long to import: not while trainers start
    from search.tracking.projection import Projection


TRAINERS = ("processes", "inline", "ray")


def run(task: ModuleType, store: StudyStore, options: SearchOptions) -> int:
    """Search a task, or resume a study of it; then train the finalists again.

    Args:
        task: the module of a task.
        store: where the study lives.
        options: `trials` or `timeout` set no limit where they are None.

    Returns the exit code: 0, or 130 or 143 where a signal stopped it. Raises TrialbookError.
    """
    if options.trainers not in (None, *TRAINERS):
        raise unknown("TRAINERS", options.trainers, TRAINERS)
    cluster = _cluster(options)
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
        _search(study, options, cluster, signals)
        _keep_copy(study)
        _show_result(study, signals)
    return signals.exit_code


def _cluster(options: SearchOptions) -> dict[str, Any]:
    """The options of the cluster that were given. Raises UsageError where there is no cluster."""
    named = {name: getattr(options, name) for name in ("address", "cpus", "gpus", "memory")}
    given = {name: value for name, value in named.items() if value is not None}
    if given and options.trainers != "ray":
        raise UsageError(f"{', '.join(given).upper()} is for TRAINERS=ray alone")
    return given


def _device(options: SearchOptions) -> tuple[str, str]:
    """The device to train on, and why it is not the one that was asked for, or ""."""
    device = "cpu" if options.device is None else options.device
    return usable(device) if options.trainers != "ray" else (device, "")


def _open(task: ModuleType, store: StudyStore, options: SearchOptions) -> Study:
    """Create the study or resume it. Preparing its data may take a while, and is announced then."""
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


def _search(study: Study, options: SearchOptions, cluster: dict[str, Any], signals: Signals) -> None:
    """Train what is still to be trained, if anything is."""
    trials, done = options.trials, study.n_finished()
    replicates = winner.REPLICATES if options.confirm is None else options.confirm
    unfinished = not trials or done < trials
    if unfinished:
        study.set_budget(trials, options.timeout)
    if unfinished or (replicates and winner.next_replicate(study, replicates, options.bar)):
        limits = {"trials": trials or math.inf, "seconds": options.timeout or math.inf}
        most = limits["trials"] - done if unfinished and not replicates else math.inf
        with _executor(study, options, cluster, most) as executor:  # it warms up while MLflow is imported
            _Training(study, executor, signals).run(limits if unfinished else None, replicates, options.bar)
        return
    terminal.console().print(f"Nothing to do: it has {done} trials, and {trials} were asked for in total.")
    if study.projected_revision() != study.revision():  # the search was killed before it wrote the log
        _bring_up_to_date(_projection(study, signals))


def _executor(study: Study, options: SearchOptions, cluster: dict[str, Any], most: float) -> Executor:
    """The executor that was asked for, with at most so many trainers."""
    if options.trainers == "inline":
        from search.executors.inline import Inline

        return Inline(study)
    if options.trainers == "ray":
        try:
            from search.executors.ray import Ray
        except ModuleNotFoundError:
            raise UsageError("TRAINERS=ray needs the package ray: make .venv/ray installs it") from None
        return Ray(study, min(options.jobs or math.inf, most), **cluster)
    from search.executors.processes import Processes

    return Processes(study, int(min(options.jobs or cores(), most)))


class _Training:
    """A search, then replicates of its finalists: shown in the terminal and written to the log."""

    def __init__(self, study: Study, executor: Executor, signals: Signals) -> None:

        self._study, self._executor, self._signals = study, executor, signals
        self._say = terminal.console().print
        self._say(
            f"Starting {executor.jobs} trainer{'s' if executor.jobs > 1 else ''} and opening the log ..."
        )
        self._log = _projection(study, signals)

    def run(self, limits: dict[str, float] | None, replicates: int, threshold: float | None) -> None:
        """Search within the limits, if there are any, then train the finalists again."""
        from search.tracking.background import Background

        try:
            with Background(self._log) as live:
                if limits:
                    tally = display.Tally(self._study, **limits, jobs=self._executor.jobs, repeats=replicates)
                    self._show(live, tally, coordinator.search, **limits)
                if replicates and self._signals.received is None:
                    self._confirm(live, replicates, threshold)
        finally:
            _bring_up_to_date(self._log)

    def _confirm(self, live: Any, replicates: int, threshold: float | None) -> None:
        finalists = winner.finalists(self._study, threshold)
        if not finalists:
            return
        numbers = ", ".join(str(trial.number) for trial in finalists)
        self._say(f"The best few, trials {numbers}, are trained again on up to {replicates} fresh seeds ...")
        tally = display.Repeats(self._study, finalists, replicates, self._executor.jobs)
        self._show(live, tally, coordinator.confirm, replicates=replicates, threshold=threshold)

    def _show(self, live: Any, tally: Any, train: Any, **limits: Any) -> None:
        """Train, and show how it goes."""
        with display.watch(terminal.console(soft_wrap=False), tally) as shown:
            train(
                self._study,
                self._executor,
                watchers=(shown, live),
                stopping=lambda: self._signals.received is not None,
                **limits,
            )


def _projection(study: Study, signals: Signals) -> "Projection":
    """The log of a study that is searched."""
    from search.reports.log_files import log_files
    from search.tracking import from_environment
    from search.tracking.projection import Projection

    return Projection(study, from_environment(), log_files, signals.overdue)


def _bring_up_to_date(log: Any) -> None:
    """Complete the log; where that fails, say so."""
    from search.maintenance.doctor import remedy

    say = terminal.console().print
    say("Writing the table of trials and the report to the log ...")
    log.bring_up_to_date()
    if sentence := sentence_about_names(log.study.trials()):
        say(sentence)
    if log.behind:
        say(f"The log is incomplete ({log.behind}): {remedy(log.study.store, log.store)}.")


def _keep_copy(study: Study) -> None:
    """Copy the study, for the case that its file is damaged later; where that fails, say so."""
    try:
        study.store.keep_copy(study.name)
    except OSError as error:
        terminal.console().print(f"The study could not be copied to {paths.backups()}: {error.strerror}.")


def _summary(study: Study) -> str:
    """The study and its data, in one line."""
    about, done = study.description, study.n_finished()
    history = f"goes on after {done} trials" if done else "is new"
    file = f"{about.source}, {study.data_path} (digest {about.digest})"
    return f"Study {study.name} {history}. Data: {file}."


def _show_result(study: Study, signals: Signals) -> None:
    """Show the winner, and the next commands."""
    say = terminal.console().print
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


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
