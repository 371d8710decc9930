"""A study is taken along, with its log: from files into a database, from one to another, and back."""

import contextlib
import os

from search.errors import Damage, StoreError, StudyConflict
from search.maintenance import audit
from search.reports.log_files import log_files
from search.study import catalog
from search.study.study import Study
from search.tracking import TrackingStore, chosen
from search.tracking.projection import Projection

FILES = "files"  # instead of an address: mlruns/studies


def copy(name, store: TrackingStore, to, log, say):
    """Copy a study that nobody searches; both sides are audited.

    Args:
        name: the study's.
        store: where its log lies.
        to: the address of a database, or FILES.
        log: the address of the tracking server that is to have its log; None for the same as here.
        say: takes a line for a person.

    Raises UsageError, StudyConflict, StoreError, Damage.
    """
    with Study.hold(name) as study:
        Projection(study, store, log_files).bring_up_to_date()  # which a search that was killed has not done
        records = list(catalog.records(name).read_logs(0))
        _must_be_clean(name, store, "here", say)
    log_there = chosen(log) if log else store
    with _environment({"TRIALBOOK_STORAGE": "" if to == FILES else to}):
        if catalog.exists(name):
            raise StudyConflict(f"there is a study {name!r} at {to} already")
        catalog.put(name, records)
        with Study.hold(name) as study:
            written = Projection(study, log_there, log_files)
            written.bring_up_to_date()
        if written.behind:
            raise StoreError(f"study {name!r} is at {to}, but its log is incomplete: {written.behind}")
        _must_be_clean(name, log_there, "there", say)
    say(f"study {name!r} with {len(records)} records is at {to}")


def _must_be_clean(name, store, where, say):
    violations = audit.audit(name, store)
    for violation in violations:
        say(f"  {violation.invariant}: {violation.said}")
    if violations:
        raise Damage(f"study {name!r} violates what must hold, {where}: make doctor")
    say(f"{name}: no violations {where}")


@contextlib.contextmanager
def _environment(changes):
    """Meanwhile the environment has these."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
