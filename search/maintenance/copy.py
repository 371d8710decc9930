"""Copy a study and its log: from files into a database, from one database to another, and back."""

from collections.abc import Callable

from search import storage
from search.errors import IntegrityError, StoreError, StudyConflict
from search.maintenance import audit
from search.reports.page import log_files
from search.storage import StudyStore
from search.study.opening import hold_study
from search.tracking import TrackingStore, chosen
from search.tracking.projection import Projection

FILES = "files"  # in place of an address: mlruns/studies
Say = Callable[[str], object]  # takes a line for a person


def copy(studies: StudyStore, name: str, store: TrackingStore, to: str, log: str | None, say: Say) -> None:
    """Copy a study that nobody searches; both sides are audited.

    Args:
        studies: the store of the study.
        store: the store of its log.
        to: the address of a database, or FILES.
        log: the address of the tracking server that gets its log; None for the same store.

    Raises UsageError, StudyConflict, StoreError, IntegrityError.
    """
    with hold_study(studies, name) as study:
        Projection(study, store, log_files).bring_up_to_date()  # a killed search did not do so
        records = list(studies.open(name).read_logs(0))
        _require_clean(studies, name, store, "here", say)
    target, target_log = storage.chosen(None if to == FILES else to), chosen(log) if log else store
    if target.exists(name):
        raise StudyConflict(f"there is a study {name!r} at {to} already")
    target.create(name, records)
    with hold_study(target, name) as study:
        projection = Projection(study, target_log, log_files)
        projection.bring_up_to_date()
    if projection.behind:
        raise StoreError(f"study {name!r} is at {to}, but its log is incomplete: {projection.behind}")
    _require_clean(target, name, target_log, "there", say)
    say(f"study {name!r} with {len(records)} records is at {to}")


def _require_clean(studies: StudyStore, name: str, store: TrackingStore, where: str, say: Say) -> None:
    violations = audit.audit(studies, name, store)
    for violation in violations:
        say(f"  {violation.invariant}: {violation.message}")
    if violations:
        raise IntegrityError(f"study {name!r} violates its invariants {where}: make doctor")
    say(f"{name}: no violations {where}")
