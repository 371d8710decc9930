"""The trials that a person means: by their numbers, since a time or a commit, or by their code."""

import datetime
import re

from search.errors import UsageError
from search.tasks.provenance import git


def chosen(trials, numbers=None, since=None, code=None):
    """The numbers of the trials that are meant by one of the three ways to name them. Raises UsageError.

    Args:
        trials: those to choose from.
        numbers: as "3-9,14".
        since: a time (ISO 8601), or a commit: trials of it and of those after it.
        code: the beginning of a fingerprint of the code.
    """
    given = [way for way in (numbers, since, code) if way is not None]
    if len(given) != 1:
        raise UsageError("which trials? Name them by one of TRIALS=3-9,14 or SINCE=time or commit or CODE=")
    if numbers is not None:
        found = _numbered(trials, numbers)
    elif since is not None:
        found = _since(trials, since)
    else:
        found = [
            trial.number for trial in trials if trial.fingerprint.get("code", "").startswith(code or " ")
        ]
    if not found:
        raise UsageError(f"no trial is meant by {given[0]!r}")
    return found


def _numbered(trials, text):
    there, found = {trial.number for trial in trials}, set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})(?:\s*-\s*(\d{1,7}))?\s*", part, re.ASCII)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"TRIALS {text!r} is not valid: numbers and ranges, as 3-9,14")
        wanted = range(int(match[1]), int(match[2] or match[1]) + 1)
        missing = next((number for number in wanted if number not in there), None)  # of millions, the first
        if missing is not None:
            raise UsageError(f"TRIALS {text!r}: there is no trial {missing}, only 0 to {len(there) - 1}")
        found |= set(wanted)
    return sorted(found)


def _since(trials, text):
    try:
        begin = datetime.datetime.fromisoformat(text).astimezone().replace(tzinfo=None)  # as trials have
    except (ValueError, OverflowError):  # the year 1 may be the year 0 here
        return _since_commit(trials, text)
    return [trial.number for trial in trials if trial.started >= begin]


def _since_commit(trials, text):
    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if commit is None:
        raise UsageError(f"SINCE {text!r} is neither a time (2026-11-25 or 2026-11-25T10:30) nor a commit")
    after = {
        trained: git("merge-base", "--is-ancestor", commit, trained) is not None
        for trained in {trial.provenance.get("commit", "none") for trial in trials}
    }
    return [trial.number for trial in trials if after[trial.provenance.get("commit", "none")]]
