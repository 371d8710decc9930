"""One search in the terminal: what is asked, how it goes, the winner, and the next commands."""

import dataclasses
import math
import shlex
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import data
from search import coordinator, paths, tasks
from search.cli import display, terminal
from search.cli.options import TIMEOUT, SearchOptions, missing
from search.errors import NoWinner, UsageError, unknown
from search.executors.executor import Executor, cores
from search.primitives.signals import Signals
from search.primitives.text import duration, settings
from search.primitives.values import Plain
from search.reports import tables
from search.storage import StudyStore
from search.strategy import explain, winner
from search.strategy.assessment import Limits
from search.strategy.strategy import Strategy
from search.study import requests
from search.study.opening import default_name, open_study, require_same, resolve
from search.study.stored import StoredStudy
from search.study.study import Study
from search.study.trial import this_user
from search.tasks import Task
from search.tasks.device import usable
from search.tracking import TrackingStore
from search.tracking.log_names import sentence as sentence_about_names
from search.winners import freezing

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
        _introduce(study, device, problem)
        _search(study, tracking, options, signals)
        _keep_copy(study)
        _show_result(study, signals)
    return signals.exit_code


def try_own(
    task: Task,
    store: StudyStore,
    tracking: TrackingStore,
    options: SearchOptions,
    given: Mapping[str, Plain] | None,
) -> int:
    """Train a configuration of one's own, and what others asked for, and nothing else.

    If another process holds the study, it is asked to.

    Args:
        given: some of the hyperparameters; None to train only what others asked for.

    Returns the exit code, as `run` does. Raises TrialbookError.
    """
    say, name = terminal.console().print, resolve(store, task, options.study, options.data)[1]
    known = StoredStudy.read(store, name) if store.exists(name) else None
    if known:
        require_same(name, known.description, task, options.data, options.seed)
    if given is not None:
        requests.check_params(task, given)  # before anything is written
    elif known is None or not requests.is_asked(known):
        defaults = settings(tasks.baseline(task))
        raise missing("with", f"name=value pairs; the defaults are {defaults}; no request waits")
    if known and (process := store.holder(name)):
        if given is not None:
            requests.ask_for_trial(store, known, given, this_user())
        say(f"Process {process} searches study {name}: it trains this configuration next.")
        return 0
    return _train_requested(task, store, tracking, dataclasses.replace(options, study=name), given)


def _train_requested(
    task: Task,
    store: StudyStore,
    tracking: TrackingStore,
    options: SearchOptions,
    given: Mapping[str, Plain] | None,
) -> int:
    """Hold the study, and train what is requested. See `try_own`."""
    (device, problem), say = _device(options), terminal.console().print
    study = _open(task, store, options)
    with Signals() as signals, study:
        first = study.tried().n_known
        _introduce(study, device, problem)
        if given is not None:
            requests.ask_for_trial(store, study, given, this_user())
        with _executor(study, options, 1) as executor:
            _train(study, tracking, executor, Limits(requested_only=True), options, signals)
        _keep_copy(study)
        for trial in study.trials():
            if trial.number >= first:
                say(tables.of_own(study, trial))
        if signals.received is not None:
            say(f"Stopped. `make try {_names(study)}` trains it again.")
    return signals.exit_code


def _introduce(study: Study, device: str, problem: str) -> None:
    """Say which study it is, what was noticed, and where it trains from now on."""
    say, study.device = terminal.console().print, device
    say(_summary(study))
    for note in study.notes:
        say(f"Note: {note}.")
    if problem:
        say(f"DEVICE=cuda: torch sees no GPU here ({problem}); training on the CPU.")


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
    is_over = strategy.is_over(now, limits, 0) and not strategy.paused  # which a killed search left
    if is_over and not requests.is_asked(study):
        reason = explain.limit_reached(strategy, now, limits) or "more time promises too little"
        say(f"Nothing to do: it has {study.n_finished()} trials, {reason}. {explain.odds(strategy, now)}.")
        if (
            study.projected_revision() != study.revision()
        ):  # the search was killed before it completed the log
            _bring_up_to_date(_projection(study, tracking, signals))
        return
    study.set_budget(options.trials, options.timeout)
    n_left = math.inf if limits.replicates else limits.trials - study.n_finished() + len(strategy.paused)
    with _executor(study, options, max(1, n_left)) as executor:  # trainers start while MLflow is imported
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
    console, seconds, voided = terminal.console(), options.timeout or math.inf, len(study.void_entries())
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
        if not limits.requested_only:
            now = strategy.situation(limits)
            why = (
                "by a signal"
                if signals.received
                else explain.why_stopped(strategy, now, limits, seconds, passed)
            )
            of = f" of {duration(seconds)}" if passed < seconds < math.inf else ""
            console.print(f"{explain.odds(strategy, now)}; stopped {why} after {duration(passed)}{of}.")
    finally:
        _bring_up_to_date(log)
        if len(study.void_entries()) > voided:  # as was requested
            freezing.flag(study)


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
    history = "is new"
    if any(study.trials()):
        history = f"resumes after {done} trials" if done else "resumes, before any of its trials ended"
    file = f"{description.source}, {study.data_path} (digest {description.digest})"
    return f"Study {study.name} {history}. Data: {file}."


def _show_result(study: Study, signals: Signals) -> None:
    """Show the winner, and the next commands."""
    say = terminal.console().print
    options = _names(study)
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


def _names(study: Study) -> str:
    """The options that name a study."""
    name, default = study.description.task, default_name(study.task, study.description.source)
    return f"TASK={shlex.quote(name)}" + ("" if study.name == default else f" STUDY={study.name}")
