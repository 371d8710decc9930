"""One search in the terminal: what is asked, how it goes, the winner, and the next commands."""

import dataclasses
import math
import shlex
import threading
from typing import TYPE_CHECKING

import data
from search import coordinator, paths, tasks
from search.cli import display, terminal
from search.cli.options import TIMEOUT, SearchOptions
from search.errors import NoWinner, UsageError, unknown
from search.executors.executor import Executor, cores
from search.reports import tables
from search.signals import Signals
from search.storage import StudyStore
from search.strategy import explain, winner
from search.strategy.allocation import CONFIDENCE, Situation
from search.strategy.strategy import Limits, Strategy
from search.study.opening import default_name, open_study
from search.study.study import Study
from search.tasks import Task
from search.tasks.device import usable
from search.text import duration
from search.tracking import TrackingStore
from search.tracking.log_names import sentence as sentence_about_names

if TYPE_CHECKING:  # importing MLflow takes long: not while trainers start
    from search.tracking.projection import Projection

TRAINERS = ("processes", "inline", "ray")
CLUSTER_OPTIONS = ("address", "cpus", "gpus", "memory")


def run(task: Task, store: StudyStore, tracking: TrackingStore, options: SearchOptions) -> int:
    """Search a task, or resume a study of it.

    Args:
        task: the module of a task.
        store: the store of the study.
        tracking: the store of the log.
        options: `trials` or `timeout` is no limit if it is None; without both, the search has TIMEOUT.

    Returns the exit code: 0, or 130 or 143 if a signal stopped the search. Raises TrialbookError.
    """
    if options.trainers not in (None, *TRAINERS):
        raise unknown("TRAINERS", options.trainers, TRAINERS)
    if options.trials is None and options.timeout is None:
        options = dataclasses.replace(options, timeout=TIMEOUT)
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
    """Train what is worth its time, if anything is."""
    limits = Limits(
        trials=options.trials or math.inf,
        replicates=winner.REPLICATES if options.confirm is None else options.confirm,
        threshold=options.bar,
        stops=True,
        in_stages=bool(options.stages),
    )
    strategy, say = Strategy(study), terminal.console().print
    now = strategy.situation(limits)
    if strategy.is_over(now, limits, 0) and not strategy.paused:  # a killed search left those to be given up
        reason = _reached(strategy, now, limits) or "more time promises too little"
        say(f"Nothing to do: it has {study.n_finished()} trials, {reason}. {explain.odds(strategy, now)}.")
        if (
            study.projected_revision() != study.revision()
        ):  # the search was killed before it completed the log
            _bring_up_to_date(_projection(study, tracking, signals))
        return
    study.set_budget(options.trials, options.timeout)
    max_jobs = math.inf if limits.replicates else limits.trials - study.n_finished() + len(strategy.paused)
    with _executor(study, options, max_jobs) as executor:  # trainers start while MLflow is imported
        _train(study, tracking, executor, limits, options, signals)


def _train(
    study: Study,
    tracking: TrackingStore,
    executor: Executor,
    limits: Limits,
    options: SearchOptions,
    signals: Signals,
) -> None:
    """Search, shown in the terminal and written to the log. Say why the search ended, and the odds."""
    from search.tracking.background import Background

    jobs = f"{executor.jobs} trainer{'s' if executor.jobs > 1 else ''}"
    console, seconds = terminal.console(), options.timeout or math.inf
    console.print(f"Starting {jobs} and opening the log ...")
    log = _projection(study, tracking, signals)
    tally = display.Tally(study, limits.trials, seconds)
    shown = display.watch(terminal.console(soft_wrap=False), tally, bool(options.verbose))
    try:
        with Background(log) as live, shown:
            strategy = coordinator.search(
                study,
                executor,
                limits,
                seconds=seconds,
                watchers=(shown, live),
                stopping=lambda: signals.received is not None,
            )
            passed = tally.seconds_passed()
        now = strategy.situation(limits)
        stopped = "by a signal" if signals.received else why_stopped(strategy, now, limits, seconds, passed)
        of = f" of {duration(seconds)}" if passed < seconds < math.inf else ""
        console.print(f"{explain.odds(strategy, now)}; stopped {stopped} after {duration(passed)}{of}.")
    finally:
        _bring_up_to_date(log)


def why_stopped(strategy: Strategy, now: Situation, limits: Limits, seconds: float, passed: float) -> str:
    """Which limit ended a search, or that it ended by itself."""
    if passed >= seconds:
        return "at TIMEOUT="
    if reached := _reached(strategy, now, limits):
        return f"as {reached}"
    if strategy.is_over(now, limits, 0) and not strategy.paused:  # a killed search left those to be given up
        return "by itself"
    return "as TIMEOUT= leaves no time for more"


def _reached(strategy: Strategy, now: Situation, limits: Limits) -> str:
    """Which limit a study has reached, other than that of time; "" if none."""
    if any(each.surely_reaches for each in now.contenders):
        return f"BAR={limits.threshold:g} is reached with {CONFIDENCE:.0%}"
    return "" if now.may_draw else f"TRIALS={limits.trials} is reached"


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
