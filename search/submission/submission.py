"""A submission as it is read: a zip from a stranger, whose files stay in memory, and the study in it."""

import functools
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import data
from search.errors import UsageError
from search.reports import report
from search.reports.page import page as html_of
from search.strategy import winner
from search.strategy.winner import Candidate
from search.study.trial import VOID_KEY, Trial, TrialState, VoidEntry
from search.study.view import StudyView

MAX_FILES, MAX_BYTES = 10, 500_000_000  # unpacked
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
REQUIRED = {"DIGESTS", "study.json", "trials.json", "report.txt", "report.html", "script.py"}

# The zip keeps the names of version 0.1. In `study.json`, "crossings" are the void entries, and "looks" are
# the test evaluations. In `trials.json`, these fields of a Trial have other names:
NAMES_IN_ZIP = {"replicate_of": "confirms", "replicate": "repeat", "void": "crossed"}


class CheckFailed(Exception):
    """A submission contradicts itself. The message is one line."""


def must(holds: bool, otherwise: str) -> None:
    """Raise CheckFailed unless something holds."""
    if not holds:
        raise CheckFailed(otherwise)


class Submission:
    """The files of a submission, in memory, and the study that they describe.

    Args:
        content: the bytes of the zip. Raises UsageError if they are no submission.
    """

    def __init__(self, content: bytes) -> None:
        self.files = unpacked(content)

    @functools.cached_property
    def study(self) -> dict[str, Any]:
        """The values of `study.json`."""
        values: dict[str, Any] = json.loads(self.files["study.json"])
        return values

    @functools.cached_property
    def trials(self) -> list[Trial]:
        """The trials of `trials.json`, in the order in which they stand there."""
        return [trial_from_record(record) for record in json.loads(self.files["trials.json"])]

    @functools.cached_property
    def view(self) -> StudyView:
        """The study, made of nothing but the zip."""
        return view_of(self.study, self.trials)

    @functools.cached_property
    def winner(self) -> Candidate:
        """The winner, chosen from the trials; that of version 0.1 is the stated one.

        Raises NoWinner, or CheckFailed if the stated one cannot have won.
        """
        if not self.by_old_rule:
            return winner.choose(self.view)
        number = self.study["winner"]["trial"]
        sound = {each.trial.number: each for each in winner.candidates(self.view) if not each.unsound}
        must(number in sound, f"study.json names trial {number}, which cannot have won")
        unfair = not sound[number].confirmed and any(each.confirmed for each in sound.values())
        must(not unfair, f"study.json names trial {number}, which is unconfirmed, unlike others")
        return sound[number]

    @property
    def version(self) -> str:
        """The version of Trialbook that wrote it; the first version stated none."""
        return str(self.study.get("version", "0.1"))

    @property
    def by_old_rule(self) -> bool:
        """Whether version 0.1 wrote it, which chose the winner by another rule and by plain means."""
        return self.version.startswith("0.1")

    def data_path(self, folder: str) -> Path:
        """The data file: from the zip, laid into a folder, or one of this machine. Raises CheckFailed."""
        name: str = self.study["data_file"]
        if not NAME.fullmatch(name):
            raise CheckFailed(f"{name!r} is not the name of a data file")
        if name in self.files:
            path = Path(folder) / name
            path.write_bytes(self.files[name])
            return path
        places: list[Path] = [data.CACHE / name, data.course_file(name)]
        for place in places:
            if place.exists():
                return place
        raise CheckFailed(f"{name} is neither in the zip nor on this machine: name its folder with DATA_DIR=")


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files of a zip: name -> bytes. Raises UsageError if it is damaged or no submission."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as file:
            members = file.infolist()
            names = [member.filename for member in members]
            if len(names) > MAX_FILES or len(set(names)) < len(names) or not all(map(NAME.fullmatch, names)):
                raise UsageError("ZIP is not a hand-in: it holds folders, or names that no hand-in has")
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise UsageError(f"ZIP is not a hand-in: its files have more than {MAX_BYTES:,} bytes")
            if missing := REQUIRED - set(names):
                raise UsageError(f"ZIP is not a hand-in: it lacks {', '.join(sorted(missing))}")
            return {name: file.read(name) for name in names}
    except UsageError:
        raise
    except Exception as error:  # whatever zipfile and zlib raise
        raise UsageError(f"ZIP cannot be read: {one_line(error)}") from None


def one_line(error: Exception) -> str:
    """An exception in one line."""
    return printable(f"{type(error).__name__}: {error}")


def printable(text: object) -> str:
    """A stranger's text in one line that is safe in a terminal."""
    line = " ".join(str(text).split())[:200]
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def view_of(study: Mapping[str, Any], trials: Iterable[Trial]) -> StudyView:
    """A StudyView without a store.

    Args:
        study: the values of `study.json`.
    """
    about = {**study, "space": {name: json.dumps(fields) for name, fields in study["space"].items()}}
    attributes = {"about": about, "budget": study["budget"], "looks": study["looks"]}
    for number, record in enumerate(study["crossings"]):
        attributes[f"{VOID_KEY}{number}"] = record | {"who": ""}
    return StudyView(study["study"], attributes, trials)


def trial_from_record(record: Mapping[str, Any]) -> Trial:
    """A Trial from its values in `trials.json`."""
    record = {"request": None, **record}  # which hand-ins of earlier versions lack
    fields = {name: record[NAMES_IN_ZIP.get(name, name)] for name in Trial.__dataclass_fields__}
    for name in ("started", "ended"):
        fields[name] = datetime.fromisoformat(fields[name])
    if fields["void"] is not None:
        fields["void"] = VoidEntry.from_record(fields["void"] | {"who": ""})
    return Trial(**fields | {"state": TrialState(fields["state"])})


def page_of(view: StudyView) -> str:
    """The page of a submission, made of nothing but its view."""
    return html_of(report.report(view))
