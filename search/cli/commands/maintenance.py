"""The commands that keep studies in order: make trials void, check, repair, copy.

See `search.cli.commands` for how a function becomes a command.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from search.cli import selection, terminal
from search.cli.options import (
    CHOSEN,
    Store,
    StudyName,
    StudyTrials,
    Switch,
    Text,
    Tracking,
    missing,
    option,
    switch,
)
from search.cli.readers import anything, destination, server
from search.errors import IntegrityError, UsageError
from search.storage import StudyStore
from search.tracking import TrackingStore

if TYPE_CHECKING:
    from search.study.view import StudyView

VoidAction = Literal["void", "restore"]


def void(options: StudyTrials = StudyTrials(), *, store: Store = CHOSEN, tracking: Tracking) -> int:
    """Mark trials void that a bug made worthless.

    Example: make void TASK=langid TRIALS=3-9,14 REASON="the mask was wrong"
    """
    if options.reason is None:
        raise missing("reason", "why are these trials void?")
    return _void("void", options, store, tracking)


def unvoid(options: StudyTrials = StudyTrials(), *, store: Store = CHOSEN, tracking: Tracking) -> int:
    """Let void trials count again.

    Example: make unvoid TASK=langid TRIALS=3-9,14
    """
    return _void("restore", options, store, tracking)


def _void(action: VoidAction, options: StudyTrials, store: StudyStore, tracking: TrackingStore) -> int:
    from search.maintenance import voiding

    study = selection.find_study(options, store)

    def choose(study: "StudyView") -> list[int]:
        trials = list(study.trials())
        if options.trials is None:  # a time or a fingerprint means those that can be voided or restored
            trials = [trial for trial in trials if bool(trial.void) == (action == "restore")]
        return selection.find_trials(trials, options)

    voiding.void(study, tracking, action, choose, options.reason or "restored", print)
    return 0


def audit(options: StudyName = StudyName(), *, store: Store = CHOSEN, tracking: Tracking) -> int:
    """Check ten invariants of the studies and the log. Nothing is changed.

    Example: make audit
    """
    from search.maintenance import audit

    count, unreadable = 0, {}
    for name in selection.study_names(options, store):
        if holder := store.holder(name):
            print(f"{name}: process {holder} searches it: not audited")
            continue
        try:
            violations = audit.audit(store, name, tracking)
        except UsageError as error:  # its task's file was deleted, or cannot be imported
            print(f"{name}: not audited")
            unreadable[name] = error
            continue
        print(f"{name}: {len(violations) or 'no'} violations")
        for violation in violations:
            print(f"  {violation.invariant}: {violation.message}")
        count += len(violations)
    for number, invariant in audit.INVARIANTS.items():
        print(f"{number:4}  {invariant.text}")
    code = terminal.complain_of(unreadable, store)
    if count:
        raise IntegrityError(f"{count} violations; the number before each is its invariant's")
    return code


def doctor(
    options: StudyName = StudyName(),
    *,
    fix: Annotated[Switch, switch("repair what is found, after a backup")] = False,
    store: Store = CHOSEN,
    tracking: Tracking,
) -> int:
    """List what can be repaired in the studies and the log, or repair it.

    Example: make doctor FIX=1
    """
    from search.maintenance import doctor

    names = selection.study_names(options, store)
    count, errors = doctor.doctor(store, names, tracking, fix, print)
    if not names:
        print("no studies yet: make search TASK=langid")
    code = terminal.complain_of(errors, store)
    if count and not fix:
        raise IntegrityError(f"{count} to repair: FIX=1 backs up and repairs; nothing is deleted")
    return code


Name = Annotated[Text, option(anything, "NAME", "which study")]

Target = Annotated[Text, option(destination, "URL", "where to: postgresql://user@host/name, or files")]

Server = Annotated[Text, option(server, "URL", "the tracking server that gets its log", "the same as here")]


def copy(
    *, study: Name = None, to: Target = None, log: Server = None, store: Store = CHOSEN, tracking: Tracking
) -> int:
    """Copy a study with its log to another store.

    Example: make copy STUDY=langid-builtin TO=postgresql://user@host/name
    """
    from search.maintenance import copy

    studies = f"studies are {', '.join(store.names()) or 'none yet'}"
    if study is None:
        raise missing("study", studies)
    if to is None:
        raise missing("to", studies)
    copy.copy(store, study, tracking, to, log, print)
    return 0
