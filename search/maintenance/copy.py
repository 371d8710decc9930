"""Copy a study and its log: from files into a database, from one database to another, and back."""

import contextlib
import os

from search import storage
from search.errors import Damage, StoreError, StudyConflict
from search.log import Log
from search.maintenance import audit
from search.study.opening import hold_study

FILES = "files"  # instead of an address: mlruns/studies


def copy(store, name, to, log, say):
    """Copy a study that nobody searches; both sides are audited.

    Args:
        store: where the study lives.
        name: the study's.
        to: the address of a database, or FILES.
        log: the address of the tracking server that is to have its log; None for the same as here.
        say: takes a line for a person.

    Raises UsageError, StudyConflict, StoreError, Damage.
    """
    with hold_study(store, name) as study:
        Log(study).bring_up_to_date()  # which a search that was killed has not done
        records = list(store.open(name).read_logs(0))
        _must_be_clean(store, name, "here", say)
    target = storage.chosen(None if to == FILES else to)
    with _environment({"MLFLOW_TRACKING_URI": log} if log else {}):
        if target.exists(name):
            raise StudyConflict(f"there is a study {name!r} at {to} already")
        target.create(name, records)
        with hold_study(target, name) as study:
            written = Log(study)
            written.bring_up_to_date()
        if written.behind:
            raise StoreError(f"study {name!r} is at {to}, but its log is incomplete: {written.behind}")
        _must_be_clean(target, name, "there", say)
    say(f"study {name!r} with {len(records)} records is at {to}")


def _must_be_clean(store, name, where, say):
    violations = audit.audit(store, name)
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
