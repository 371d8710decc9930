"""The commands on studies: search, try, and show or freeze what was found.

See `search.cli.commands` for how a function becomes a command.
"""

from typing import TYPE_CHECKING, Annotated

from search.cli import selection, terminal
from search.cli.options import (
    CHOSEN,
    Out,
    OwnTrial,
    SearchOptions,
    Store,
    StudyData,
    Switch,
    Task,
    TaskData,
    Text,
    Threshold,
    Token,
    Tracking,
    missing,
    option,
    require_folder,
    switch,
)
from search.cli.readers import anything
from search.errors import TrialbookError
from search.storage import StudyStore

if TYPE_CHECKING:
    from search.strategy.winner import Candidate
    from search.study.view import StudyView


def search(
    options: SearchOptions = SearchOptions(),
    *,
    task: Task = None,
    store: Store = CHOSEN,
    tracking: Tracking,
    token: Token,
) -> int:
    """Search a task's ranges, or resume a study of it. It stops by itself once more time promises too little.

    Example: make search TASK=langid TIMEOUT=120
    """
    from search.cli.sessions import remote, session

    if options.server is not None or options.id is not None:
        return remote.run(options, task, token)
    return session.run(selection.task_named(task), store, tracking, options)


def try_(options: OwnTrial = OwnTrial(), *, store: Store = CHOSEN, tracking: Tracking) -> int:
    """Train one configuration of your own to its end. If a search runs, that search trains it next.

    Hyperparameters that are not named take the task's defaults. Without WITH=, it trains what was asked for.

    Example: make try TASK=langid WITH="hidden_size=300 learning_rate=0.001"
    """
    from search.cli.sessions import session

    task = selection.find_task(options)
    study, given = selection.study_to_try(options, store), selection.read_values(options.values)
    searched = SearchOptions(study=study, data=options.data, seed=options.seed, device=options.device)
    return session.try_own(task, store, tracking, searched, given)


def check(options: TaskData = TaskData()) -> int:
    """Check a task's file and its data, and train its defaults for some seconds. Nothing is written.

    Example: make check TASK=langid
    """
    from search.cli.sessions.rehearsal import rehearse

    for line in rehearse(selection.find_task(options), options.data):
        print(line, flush=True)
    return 0


def status(*, task: Task = None, store: Store = CHOSEN) -> int:
    """List all studies: their trials, and the estimate of the best configuration.

    Example: make status
    """
    from search.reports import tables
    from search.study.stored import StoredStudy

    module = None if task is None else selection.task_named(task)
    studies, unreadable = [], {}
    for name in store.names():
        try:
            studies.append(StoredStudy.read(store, name))
        except TrialbookError as error:
            unreadable[name] = error
    studies = [study for study in studies if module in (None, study.task)]
    if studies:
        terminal.show(tables.of_studies(studies), unwrapped=True)
    elif not unreadable:
        print("no studies yet: make search TASK=langid")
    return terminal.complain_of(unreadable, store)


def winner(
    options: StudyData = StudyData(),
    *,
    bar: Threshold = None,
    test: Annotated[Switch, switch("score the winner on the test data, which is counted")] = False,
    store: Store = CHOSEN,
    tracking: Tracking,
) -> int:
    """Show the winning configuration of a study.

    Example: make winner TASK=langid BAR=0.8
    """
    from search.reports import tables
    from search.reports.page import log_files
    from search.study.opening import hold_study
    from search.tracking.projection import Projection
    from search.winners.evaluation import evaluate_on_test

    study = selection.find_study(options, store)
    chosen = _winner(study, bar)
    if test:
        with hold_study(store, study.name) as held:
            value, error, evaluations = evaluate_on_test(held, chosen)
            Projection(held, tracking, log_files).bring_up_to_date()
        study = held
        print(f"test {study.description.metric} {value:.5g} ± {error:.2g}, test evaluation {evaluations}")
    terminal.show(tables.of_winner(study, chosen))
    return 0


def report(options: StudyData = StudyData(), *, out: Out = None, store: Store = CHOSEN) -> int:
    """Report what a study teaches: here, and as one page in mlruns/reports/ or another folder.

    Example: make report TASK=langid
    """
    from search.reports import page, report, tables

    require_folder(out)
    lessons = report.report(selection.find_study(options, store))
    terminal.show(tables.of_report(lessons))
    print(f"wrote {page.write(lessons, out)}")
    return 0


def compare(
    *,
    a: Annotated[Text, option(anything, "STUDY", "one study")] = None,
    b: Annotated[Text, option(anything, "STUDY", "another study")] = None,
    store: Store = CHOSEN,
) -> int:
    """Compare two studies: ranges, budget, winner, score, and the difference with its standard error.

    Example: make compare A=langid-builtin B=second
    """
    from search.reports import compare
    from search.study.stored import StoredStudy

    names = [_required(name, value, store) for name, value in (("a", a), ("b", b))]
    terminal.show(compare.compare(*(StoredStudy.read(store, name) for name in names)))
    return 0


def export(
    options: StudyData = StudyData(),
    *,
    bar: Threshold = None,
    out: Out = None,
    store: Store = CHOSEN,
    tracking: Tracking,
) -> int:
    """Freeze the winner into one script: models/frozen/TASK.py, or another folder, with its data.

    Example: make export TASK=langid
    """
    from search.study.opening import require_same_code
    from search.tracking.client import run_of
    from search.winners import freezing

    require_folder(out)
    study = selection.find_study(options, store)
    chosen = _winner(study, bar)
    trial = chosen.trial
    require_same_code(study, trial)
    took = f"{trial.seconds:.0f} s then"
    print(f"Proving the script: it trains as trial {trial.number} did, {took} ...", flush=True)
    path = freezing.export(study, chosen, run_of(tracking, study, trial.number), out)
    estimate = f"{chosen.mean:.5g} ± {chosen.standard_error:.2g} over seeds"
    confirmed = estimate if chosen.confirmed else f"{estimate}, unconfirmed"
    print(f"wrote {path}: trial {trial.number} of study {study.name} ({confirmed}). It reached its score.")
    return 0


def _required(name: str, value: str | None, store: StudyStore) -> str:
    """The name of a study that was typed. Raises UsageError if none was, with the valid names."""
    if value is None:
        existing = ", ".join(store.names()) or "none yet"
        raise missing(name, f"which study? Valid are {existing}")
    return value


def _winner(study: "StudyView", threshold: float | None) -> "Candidate":
    """The cheapest configuration that reaches a threshold; without a threshold, the best."""
    from search.strategy.winner import cheapest, choose

    return choose(study) if threshold is None else cheapest(study, threshold)
