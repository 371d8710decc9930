"""A hand-in as it is read: a stranger's zip, whose files stay in memory, and what follows from its trials.

The figures are computed here by code of their own: what `search.submission.pack` wrote must come out again.
"""

import functools
import json
import math
import re
import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np

import data
from search.errors import UsageError
from search.reports import report
from search.reports.page import page as page_of
from search.study.trial import KINDS, VOID_KEY, Trial, TrialState, VoidEntry
from search.study.view import StudyView

FILES, BYTES = 10, 500_000_000  # at the most, unpacked
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NEEDED = {"DIGESTS", "study.json", "trials.json", "report.txt", "report.html", "script.py"}


HANDED_NAMES = {"replicate_of": "confirms", "replicate": "repeat", "void": "crossed"}  # since version 0.1


class Wrong(Exception):
    """Something of a hand-in does not hold. The message is one line."""


class Handin:
    """The files of a hand-in, in memory."""

    def __init__(self, content):
        self.files = unpacked(content)

    @functools.cached_property
    def study(self):
        return json.loads(self.files["study.json"])

    @functools.cached_property
    def trials(self):
        return json.loads(self.files["trials.json"])

    @functools.cached_property
    def counted(self):
        """The trials that the search learnt from."""
        return [trial for trial in self.trials if trial["confirms"] is None and trial["crossed"] is None]

    def data_path(self, folder):
        """The data file: its own, laid into a folder, or one of this machine's."""
        name = self.study["data_file"]
        if not NAME.fullmatch(name):
            raise Wrong(f"{name!r} is no name of a data file")
        if name in self.files:
            path = Path(folder) / name
            path.write_bytes(self.files[name])
            return path
        for place in (data.CACHE / name, data.course_file(name)):
            if place.exists():
                return place
        raise Wrong(f"{name} is neither handed in nor here: name its folder with DATA_DIR=")


def unpacked(content):
    """The files of a zip: name -> bytes. Raises UsageError where it is none, or no hand-in."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as file:
            members = file.infolist()
            names = [member.filename for member in members]
            if len(names) > FILES or len(set(names)) < len(names) or not all(map(NAME.fullmatch, names)):
                raise UsageError("ZIP is no hand-in: it holds folders, or names that a hand-in has not")
            if sum(member.file_size for member in members) > BYTES:
                raise UsageError(f"ZIP is no hand-in: unpacked it has more than {BYTES:,} bytes")
            if missing := NEEDED - set(names):
                raise UsageError(f"ZIP is no hand-in: it lacks {', '.join(sorted(missing))}")
            return {name: file.read(name) for name in names}
    except UsageError:
        raise
    except Exception as error:  # whatever zipfile and zlib find
        raise UsageError(f"ZIP cannot be read: {one_line(error)}") from None


def one_line(error):
    """An exception in one line."""
    return printable(f"{type(error).__name__}: {error}")


def printable(text):
    """A stranger's text in one line that a terminal can be shown."""
    text = " ".join(str(text).split())[:200]
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def view_of(handin):
    """The study of a hand-in: it has trials, and no store."""
    said = handin.study
    about = said | {"space": {name: json.dumps(fields) for name, fields in said["space"].items()}}
    attributes = {"about": about, "budget": said["budget"], "looks": said["looks"]}
    attributes |= {
        f"{VOID_KEY}{number}": fields | {"who": ""} for number, fields in enumerate(said["crossings"])
    }
    return StudyView(said["study"], attributes, map(as_trial, handin.trials))


def as_trial(fields):
    """A Trial from its plain values."""
    moments = {name: datetime.fromisoformat(fields[name]) for name in ("started", "ended")}
    void = fields["crossed"] and VoidEntry.from_record(fields["crossed"] | {"who": ""})
    ours = {name: fields[HANDED_NAMES.get(name, name)] for name in Trial.__dataclass_fields__}
    return Trial(**ours | moments | {"void": void, "state": TrialState(fields["state"])})


def page(handin):
    """The report of its study, made of nothing but what was handed in."""
    return page_of(report.report(view_of(handin)))


def words(page):
    """A page without what draws: its words, numbers and tables."""
    return re.sub("<script.*?</script>", "", page, flags=re.DOTALL)


def recomputed(handin):
    """The figures of the report, by name, from the trials alone."""
    trials, counted = handin.trials, handin.counted
    kinds = [kind(trial) for trial in trials]
    sign = 1 if handin.study["direction"] == "maximize" else -1
    ranked = sorted(
        (trial for trial in counted if trial["state"] == "completed"),
        key=lambda trial: (-sign * trial["score"], trial["weights"] or math.inf, trial["number"]),
    )
    best, won = ranked[0], trials[handin.study["winner"]["trial"]]
    repeats = repeats_of(handin, won["number"])
    mean, error = mean_and_error(handin, won["number"])
    return {name: kinds.count(name) for name in KINDS} | {
        "trials": len(trials),
        "epochs": sum(len(trial["curve"]) for trial in trials),
        "seconds": math.fsum(map(seconds, trials)),
        "share diverged": kinds.count("diverged") / len(counted),
        "baseline score": trials[0]["score"] if kind(trials[0]) in list(TrialState) else None,
        "median score": float(np.median([trial["score"] for trial in ranked])),
        "best trial": best["number"],
        "best score": best["score"],
        "best score's standard error": best["standard_error"],
        "winner": won["number"],
        "winner's weights": won["weights"],
        "winner's first score": won["score"],
        "winner's repeats": len(repeats),
        "winner's mean": mean,
        "winner's standard error": error,
        "looks at the test data": len(handin.study["looks"]),
    }


def kind(trial):
    """What a trial is counted as."""
    if trial["crossed"] is not None:
        return {"aside": "superseded"}.get(trial["crossed"]["action"], trial["crossed"]["action"])
    return "replicates" if trial["confirms"] is not None else trial["state"]


def repeats_of(handin, number):
    """The scores of a trial's completed repeats."""
    return [
        trial["score"]
        for trial in handin.trials
        if trial["confirms"] == number and kind(trial) == "replicates" and trial["state"] == "completed"
    ]


def mean_and_error(handin, number):
    """A trial's mean over its repeats and that mean's standard error; two Nones where it has too few.

    The variance is that within all configurations that were repeated, pooled: of the scores, or of their
    logarithms where lower is better and all are positive.
    """
    first = {trial["number"] for trial in handin.counted if trial["state"] == "completed"}
    again = sorted({trial["confirms"] for trial in handin.trials} & first)
    groups = {each: np.array(repeats_of(handin, each)) for each in again}
    own = groups.get(number, np.array([]))
    if len(own) < 2:
        return None, None
    relative = handin.study["direction"] == "minimize" and all((g > 0).all() for g in groups.values())
    levels = [np.log(group) if relative else group for group in groups.values() if len(group) > 1]
    squares = sum(((level - level.mean()) ** 2).sum() for level in levels)
    freedom = sum(len(level) - 1 for level in levels)
    error = math.sqrt(squares / freedom / len(own))
    return float(own.mean()), float(error * own.mean() if relative else error)


def seconds(trial):
    """How long a trial trained; where it did not come to an epoch's end, how long that took."""
    if trained := sum(entry["seconds"] for entry in trial["curve"]):
        return trained
    ended, started = (datetime.fromisoformat(trial[name]) for name in ("ended", "started"))
    return (ended - started).total_seconds()
