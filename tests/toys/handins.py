"""Hand-ins that a test changes, and the checks that they fail."""

import json
import zipfile

from search.submission import check, pack
from search.submission.submission import Submission


def failures(members, run=False):
    """The checks that a hand-in fails: name -> message."""
    content = pack.packed({name: text for name, text in members.items() if name != "DIGESTS"})
    return {each.name: each.message for each in check.findings(Submission(content), run) if not each.holds}


def edited(members, name, edit):
    """A hand-in in which one JSON file is another, and the digests are right again."""
    value = json.loads(members[name])
    edit(value)
    return members | {name: json.dumps(value).encode()}


def read(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}
