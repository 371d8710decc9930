"""A study as one zip: all that was asked, tried and found, to be handed in and checked elsewhere.

    study.json     what was asked and searched, what is crossed out, who won
    trials.json    every trial, those that failed or are crossed out too
    report.txt     the figures, one a line
    report.html    what was learned, as a page
    script.py      the frozen winner
    (data)         the file that it trains on where that is built in: the others are not ours to hand on
    DIGESTS        SHA-256 of each of these

The same study gives the same bytes. Names of users, of their machines and of folders stay at home.
`search.submission.check` is the other side: it believes nothing of this, and computes it again.
"""

import hashlib
import io
import json
import math
import os
import re
import statistics
import zipfile
from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from search import export, paths, tasks
from search.errors import TrialbookError
from search.frozen_script import files
from search.strategy import winner
from search.study.trial import KINDS
from search.submission import check, handed
from search.submission.handed import Handin

FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/'\"]+/)+")  # of an absolute path


def write(study, run_of, folder=None):
    """Write a study's hand-in: whole, or not at all. Returns its path.

    Args:
        study: held, so that no trial of it is being trained.
        run_of: trial number -> its run in the log.
        folder: where to; by default the root.

    Raises NoWinner; TrialbookError where it would not pass its own check.
    """
    content = packed(members_of(study, run_of))
    broken = [finding for finding in check.findings(Handin(content), run=False) if not finding.holds]
    if broken:
        raise TrialbookError(f"the hand-in would not pass its check: {broken[0].name}: {broken[0].said}")
    path = (Path(folder) if folder else paths.home()) / f"{study.name}-handin.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    return unfinished.replace(path)


def packed(members):
    """A zip of files, as bytes that are a function of these alone. `members`: name -> bytes."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(members.items())]
    members = members | {"DIGESTS": "".join(lines).encode()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name)  # of 1980, as all are
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def members_of(study, run_of):
    """What is in the hand-in but DIGESTS: name -> bytes."""
    standing = winner.choose(study)
    texts = {
        "study.json": _json(about(study, standing)),
        "trials.json": _json([plain(trial) for trial in ended(study)]),
        "report.txt": report(study, standing),
        "script.py": _script(study, standing, run_of(standing.trial.number)),
    }
    members = {name: text.encode() for name, text in texts.items()}
    if study.description.source == "builtin":
        members[study.data_path.name] = study.data_path.read_bytes()
    page = handed.page(handed.Handin(packed(members | {"report.html": b""})))
    return members | {"report.html": page.encode()}


def about(study, standing):
    """What was asked, what is crossed out, and who won, as plain values."""
    task = study.description.task
    won = {"trial": standing.trial.number, "score": standing.trial.score, "confirmed": standing.confirmed}
    if standing.confirmed:
        won |= {"scores": list(standing.scores), "mean": standing.mean}
        won |= {"standard_error": standing.standard_error}
    return _at_home(
        {"study": study.name, **study.description.as_record(), "question": tasks.doc_of(study.task)}
        | {"space": {name: json.loads(ranges) for name, ranges in study.description.space.items()}}
        | {"task": task, "data_file": study.data_path.name, "budget": study.budget()}
        | {"crossings": [_without_who(entry.as_record()) for entry in study.void_entries()]}
        | {"looks": study.test_evaluations(), "winner": won}
    )


def ended(study):
    """All trials; those that a search has yet to end as it would end them: interrupted. The study stays."""
    for trial in study.trials():
        if trial.ended is None:
            at = datetime.fromtimestamp(trial.curve[-1]["time"]) if trial.curve else trial.started
            unfinished = {"state": "interrupted", "reason": "its search had not ended it", "ended": at}
            trial = replace(trial, **unfinished, paused=False)
        yield trial


def plain(trial):
    """A trial as plain values."""
    fields = asdict(trial)
    for moment in ("started", "ended"):
        fields[moment] = fields[moment] and fields[moment].isoformat()
    if trial.void:
        fields["void"] = _without_who(trial.void.as_record())
    return _at_home({handed.HANDED_NAMES.get(name, name): value for name, value in fields.items()})


def report(study, standing):
    """The figures as text, after what they are about."""
    better = "higher" if study.sign > 0 else "lower"
    metric = f"validation {study.description.metric}, the {better} the better"
    about = study.description
    about = study.description
    lines = [
        tasks.question_of(study.task),
        f"Study {study.name}, data {about.source} ({about.digest}); scores are {metric}.",
        "Trials that repeat another on a fresh seed, or are crossed out, count as that alone.",
        "`make check-handin ZIP=` computes each figure again from trials.json.",
        "",
        *(f"{name}: {json.dumps(value)}" for name, value in figures(study, standing).items()),
    ]
    return "\n".join(lines) + "\n"


def figures(study, standing):
    """What the report says in numbers, by name."""
    trials, completed = list(ended(study)), study.completed()
    kinds, history = Counter(trial.kind for trial in trials), [trial for trial in trials if trial.counts]
    scores, first = [trial.score for trial in completed], trials[0]
    told = {"trials": len(trials)} | {name: kinds[name] for name in KINDS}
    told |= {
        "epochs": sum(len(trial.curve) for trial in trials),
        "seconds": math.fsum(trial.seconds for trial in trials),
        "share diverged": kinds["diverged"] / len(history),
        "baseline score": first.score if first.counts else None,
        "median score": statistics.median(scores),
        "best trial": completed[0].number,
        "best score": completed[0].score,
        "best score's standard error": completed[0].standard_error,
        "winner": standing.trial.number,
        "winner's weights": standing.trial.weights,
        "winner's first score": standing.trial.score,
        "winner's repeats": len(standing.scores),
        "winner's mean": standing.mean if standing.confirmed else None,
        "winner's standard error": standing.standard_error,
        "looks at the test data": len(study.test_evaluations()),
    }
    return told


def _script(study, standing, run_id):
    """The frozen winner: that of the project where it is the very same, else one that is proved now."""
    text, path = export.freeze(study, standing, run_id), paths.frozen(study.description.task)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        files.prove(text, study.data_path)
    return text


def _without_who(entry):
    return {name: value for name, value in entry.items() if name != "who"}


def _at_home(value):
    """Plain values without the folders of the paths that a text may name."""
    if isinstance(value, str):
        return FOLDERS.sub("", value)
    if isinstance(value, dict):
        return {name: _at_home(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_at_home(each) for each in value]
    return value


def _json(value):
    """As text: one trial a line, so that two hand-ins can be compared."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(each, sort_keys=True) for each in value) + "\n]\n"
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
