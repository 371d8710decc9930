"""Write a study as one zip, which can be handed in and checked elsewhere.

    study.json     the question, the ranges, the void list, the winner
    trials.json    every trial, also those that failed or are void
    report.txt     the figures, one a line
    report.html    what the study teaches, as a page
    script.py      the frozen winner
    (data)         the file that it trains on, if its source is built in: other data may not be passed on
    DIGESTS        SHA-256 of each of these

The same study gives the same bytes. The zip holds no names of users, machines or folders.
`search.submission.check` trusts nothing of it, and computes everything again.
"""

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from search import __version__, paths, tasks
from search.errors import TrialbookError
from search.frozen_script import files
from search.strategy import winner
from search.study.trial import Trial, TrialState
from search.study.view import StudyView
from search.submission import check, figures
from search.submission.submission import NAMES_IN_ZIP, Submission, page_of, trial_from_record, view_of
from search.winners import freezing

FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/'\"]+/)+")  # of an absolute path


def write(study: StudyView, run_of: Callable[[int], str], folder: str | Path | None = None) -> Path:
    """Write a study's zip: complete, or not at all. Returns its path.

    Args:
        study: held by this process, so that none of its trials is being trained.
        run_of: gives the run in the log of a trial's number.
        folder: where the zip goes; by default the root.

    Raises NoWinner; TrialbookError if the zip would fail its own check.
    """
    content = packed(members_of(study, run_of))
    failed = [finding for finding in check.findings(Submission(content), run=False) if not finding.holds]
    if failed:
        raise TrialbookError(f"the hand-in would fail its check: {failed[0].name}: {failed[0].message}")
    path = (Path(folder) if folder else paths.home()) / f"{study.name}-handin.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    return unfinished.replace(path)


def packed(members: Mapping[str, bytes]) -> bytes:
    """A zip of files, with their digests. The same files give the same bytes."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(members.items())]
    members = {**members, "DIGESTS": "".join(lines).encode()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, member in sorted(members.items()):
            entry = zipfile.ZipInfo(name)  # dated 1980, always
            entry.external_attr = 0o644 << 16
            file.writestr(entry, member, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def members_of(study: StudyView, run_of: Callable[[int], str]) -> dict[str, bytes]:
    """The files of the zip, except DIGESTS: name -> bytes."""
    candidate = winner.choose(study)
    record = study_record(study) | {"winner": check.winner_record(candidate)}
    trials = [trial_record(trial) for trial in ended_trials(study)]
    view = view_of(record, map(trial_from_record, trials))  # what a reader of the zip sees
    texts = {
        "study.json": _json(record),
        "trials.json": _json(trials),
        "report.txt": figures.text_of(view, candidate),
        "report.html": page_of(view),
        "script.py": _script(study, candidate, run_of(candidate.trial.number)),
    }
    members = {name: text.encode() for name, text in texts.items()}
    if study.description.source == "builtin":
        members[study.data_path.name] = study.data_path.read_bytes()
    return members


def study_record(study: StudyView) -> dict[str, Any]:
    """The values of `study.json`, except the winner."""
    about = study.description
    record = _without_folders(
        {
            **about.as_record(),
            "study": study.name,
            "question": tasks.doc_of(study.task),
            "space": {name: json.loads(text) for name, text in about.space.items()},
            "data_file": study.data_path.name,
            "budget": study.budget(),
            "crossings": [_without_user(entry.as_record()) for entry in study.void_entries()],
            "looks": study.test_evaluations(),
        }
    )
    return {**record, "task": about.task, "version": __version__}


def ended_trials(study: StudyView) -> Iterator[Trial]:
    """All trials. Those that a search has yet to end are interrupted, as it would end them."""
    for trial in study.trials():
        if trial.ended is None:
            last = datetime.fromtimestamp(trial.curve[-1]["time"]) if trial.curve else trial.started
            reason = "its search had not ended it"
            trial = replace(trial, state=TrialState.INTERRUPTED, reason=reason, ended=last, paused=False)
        yield trial


def trial_record(trial: Trial) -> dict[str, Any]:
    """The values of a trial in `trials.json`."""
    assert trial.ended is not None
    fields = asdict(trial) | {"started": trial.started.isoformat(), "ended": trial.ended.isoformat()}
    if trial.void:
        fields["void"] = _without_user(trial.void.as_record())
    record: dict[str, Any] = _without_folders(
        {NAMES_IN_ZIP.get(name, name): value for name, value in fields.items()}
    )
    return record


def _script(study: StudyView, candidate: winner.Candidate, run_id: str) -> str:
    """The frozen winner. It is proved now, unless it is the same as the project's."""
    text: str = freezing.freeze(study, candidate, run_id)
    path = paths.frozen(study.description.task)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        files.prove(text, study.data_path)
    return text


def _without_user(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A void entry without the name of the user who made it."""
    return {name: value for name, value in entry.items() if name != "who"}


def _without_folders(value: Any) -> Any:
    """Plain values whose texts name files without their folders."""
    if isinstance(value, str):
        return FOLDERS.sub("", value)
    if isinstance(value, dict):
        return {name: _without_folders(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(each) for each in value]
    return value


def _json(value: Any) -> str:
    """The text of plain values; of a list, one item a line, so that a diff shows which trials differ.

    Names keep their order: the page lists hyperparameters in it, and the check makes the page again.
    """
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]\n"
    return json.dumps(value, indent=1) + "\n"
