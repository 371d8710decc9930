"""Make trials void, or let them count again: in the study, the log and the frozen script.

If another process holds the study, it is asked to do so.
"""

from collections.abc import Callable

from search.errors import StudyConflict
from search.maintenance.doctor import remedy
from search.reports.page import log_files
from search.study.opening import hold_study
from search.study.requests import Inbox, VoidAction, ask_to_void
from search.study.stored import StoredStudy
from search.study.trial import number_ranges, this_user
from search.study.view import StudyView
from search.tracking import TrackingStore
from search.tracking.projection import Projection
from search.winners import freezing

Say = Callable[[str], object]  # takes a line for a person


def void(
    study: StoredStudy,
    tracking: TrackingStore,
    action: VoidAction,
    choose: Callable[[StudyView], list[int]],
    reason: str,
    say: Say,
) -> None:
    """Make trials of a study void, or let them count again.

    Args:
        tracking: the store of its log.
        choose: gives the numbers of the trials. It raises UsageError if there are none.

    Raises UsageError, and then nothing is written; StoreError.
    """
    store, name, numbers = study.store, study.name, choose(study)
    try:
        held = hold_study(store, name)
    except StudyConflict:
        ask_to_void(store, study, action, numbers, reason, this_user())
        process, trials = store.holder(name) or "unknown", number_ranges(numbers)
        result = f"lets trials {trials} count again" if action == "restore" else f"makes trials {trials} void"
        say(f"Process {process} searches study {name}: it {result} within seconds.")
        return
    with held:
        Inbox(held, say).look()  # what was asked before comes first
        numbers = choose(held)
        held.void(action, numbers, reason)
        log = Projection(held, tracking, log_files)
        log.bring_up_to_date()
        flagged = freezing.flag(held)
        result = "count again" if action == "restore" else "are void"
        say(f"trials {number_ranges(numbers)} of study {name} {result}; {held.n_finished()} trials count")
        if flagged:
            say(f"{flagged} was made from a trial that is void: its first line says so now")
        if log.behind:
            say(f"The log is incomplete ({log.behind}): {remedy(held.store, log.store)}.")
