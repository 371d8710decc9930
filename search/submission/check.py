"""Check whether a submission agrees with itself: offline, and from its zip alone, which is not trusted.

Nothing is unpacked. Only the script runs, and only if everything else holds. The trials give all else again:
the winner, the figures and the page. A submission is not signed: a whole search that someone invents
consistently passes the check.
"""

import ast
import hashlib
import math
import re
import statistics
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

import data
from search import __version__
from search.frozen_script.script import record_in, values_in
from search.strategy.winner import Candidate, choose
from search.study.trial import STORED_ACTIONS, Trial, TrialState, active, number_ranges
from search.submission import figures, rerun
from search.submission.submission import (
    MAX_BYTES,
    CheckFailed,
    Submission,
    must,
    one_line,
    page_of,
    printable,
)


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    holds: bool
    message: str


Check = Callable[[Submission], str]


def findings(submission: Submission, run: bool = True) -> Iterator[Finding]:
    """Check a submission: one Finding after another.

    Args:
        run: whether to run its script, which is code of the person who made the submission.
    """
    sound = True
    for name, check in CHECKS.items():
        finding = _finding(name, check, submission)
        sound = sound and finding.holds
        yield finding
    if run and sound:
        yield _finding("first report", rerun.check_first_report, submission)
    elif run:
        yield Finding("first report", False, "the script was not run, because another check failed")


def _finding(name: str, check: Check, submission: Submission) -> Finding:
    """Run one check. It fails too if it cannot read something."""
    try:
        return Finding(name, True, printable(check(submission)))
    except CheckFailed as error:
        return Finding(name, False, printable(error))
    except Exception as error:  # a stranger's file can be malformed in any way
        return Finding(name, False, f"cannot be read: {one_line(error)}")


# The checks. Each returns a message, or raises CheckFailed.


def check_digests(submission: Submission) -> str:
    lines = submission.files["DIGESTS"].decode().splitlines()
    stated = dict(line.split("  ")[::-1] for line in lines)
    must(stated.keys() == submission.files.keys() - {"DIGESTS"}, "DIGESTS names other files than the zip has")
    for name, digest in stated.items():
        must(
            hashlib.sha256(submission.files[name]).hexdigest() == digest,
            f"DIGESTS has another digest than {name}",
        )
    return f"all {len(stated)} files have the digests that DIGESTS names"


def check_trials(submission: Submission) -> str:
    numbers = [trial.number for trial in submission.trials]
    must(numbers == list(range(len(numbers))), "the trials are not numbered from 0 without a gap")
    for trial in submission.trials:
        label, scored = f"trial {trial.number}", trial.state == TrialState.COMPLETED
        must(trial.state != TrialState.RUNNING, f"{label} is still running")
        must(scored == (trial.score is not None), f"{label} is {trial.state} with score {trial.score}")
        if trial.score is not None:
            error = trial.standard_error
            must(
                error is not None and math.isfinite(trial.score + error), f"{label}: its score is not finite"
            )
        for name, earlier in (("retry_of", trial.retry_of), ("confirms", trial.replicate_of)):
            must(earlier is None or 0 <= earlier < trial.number, f"{label}: {name} is not an earlier trial")
    return f"{len(numbers)} trials, numbered from 0 without a gap"


def check_curves(submission: Submission) -> str:
    for trial in submission.trials:
        label, epochs = f"trial {trial.number}", [entry["epoch"] for entry in trial.curve]
        must(epochs == sorted(set(epochs)), f"the epochs of {label} do not rise")
        must(not epochs or epochs[-1] <= trial.config["epochs"], f"{label} has epochs past its last")
        must(trial.state != TrialState.COMPLETED or bool(epochs), f"{label} is completed without a curve")
        for entry in trial.curve:
            values = [value for value in entry.values() if not isinstance(value, str)]
            must(all(map(math.isfinite, values)), f"epoch {entry['epoch']} of {label} is not finite")
    return f"{sum(len(trial.curve) for trial in submission.trials)} epochs, rising and finite"


def check_settings(submission: Submission) -> str:
    counting, ranges = submission.view.history(), submission.view.ranges()
    for trial in counting:
        label = f"trial {trial.number}"
        must(trial.params.items() <= trial.config.items(), f"{label}: its config differs from its draw")
        for name, value in trial.params.items():
            must(name in ranges, f"{label}: {name} was not searched")
            must(_within(value, ranges[name]), f"{label}: {name} is out of range")
    return f"the hyperparameters of {len(counting)} trials are in their ranges"


def check_fingerprints(submission: Submission) -> str:
    about, counting = submission.view.description, submission.view.history()
    stated = {"data": about.digest, "score": f"{about.direction} {about.metric}"}
    for name in ("code", "space", "data", "score"):
        seen = {trial.fingerprint[name] for trial in counting if name in trial.fingerprint}
        must(len(seen) <= 1, f"trials that count differ in their {name}")
        must(
            name not in stated or seen <= {stated[name]}, f"study.json states another {name} than the trials"
        )
    return "all trials that count have one code, one space, one score and the study's data"


def check_void_trials(submission: Submission) -> str:
    entries = submission.view.void_entries()
    numbers = {number for entry in entries for number in entry.trials}
    must(all(entry.action in STORED_ACTIONS for entry in entries), "an entry of the void list is unknown")
    missing = numbers - set(range(len(submission.trials)))
    must(not missing, f"the void list names trials that are missing: {number_ranges(missing)}")
    void = active(entries)
    for trial in submission.trials:
        differs = f"trial {trial.number} is {'void' if trial.void else 'not void'}, unlike in the void list"
        must(trial.void == void.get(trial.number), differs)
    return f"{len(void)} in all, as the void list states"


def check_figures(submission: Submission) -> str:
    heading, stated = figures.parsed(submission.files["report.txt"].decode())
    computed = figures.figures(submission.view, submission.winner)
    if submission.by_old_rule:
        record = _by_old_rule(submission.winner, stated["winner's standard error"])
        computed |= {f"winner's {name.replace('_', ' ')}": value for name, value in record.items()}
    missing = (
        computed.keys() - stated.keys()
    )  # version 0.1 had no infeasible trials, so it had no such figure
    complete = (
        stated.keys() <= computed.keys() and missing <= {"infeasible"} and not any(map(computed.get, missing))
    )
    must(complete, "report.txt has other figures than a report has")
    for name, value in stated.items():
        must(_same(value, computed[name]), f"{name} is {value}, computed again {computed[name]}")
    today = submission.version != __version__ or heading == figures.heading(submission.view)
    must(today, "report.txt begins with other words than a report")
    message = f"{len(stated)} figures, each computed again from trials.json"
    return f"{message}, except the winner's standard error" if submission.by_old_rule else message


def check_winner(submission: Submission) -> str:
    stated, candidate = submission.study["winner"], submission.winner
    number = candidate.trial.number
    must(stated["trial"] == number, f"study.json names trial {stated['trial']}, but trial {number} wins")
    computed = winner_record(candidate)
    if submission.by_old_rule and candidate.confirmed:
        computed |= _by_old_rule(candidate, stated["standard_error"])
    must(
        stated.keys() == computed.keys(), "study.json states other things about the winner than a search does"
    )
    for name, value in computed.items():
        must(_same(stated[name], value), f"its {name}: {stated[name]}, computed again {value}")
    if submission.by_old_rule:
        today = choose(submission.view).trial.number
        rule = f"Version {submission.version} chose by another rule, which is NOT compared"
        return (
            f"trial {number}, with the scores and the mean of its trials. {rule}; today's names trial {today}"
        )
    return f"trial {number}, chosen again among {len(submission.trials)} trials"


def check_page(submission: Submission) -> str:
    page = submission.files["report.html"].decode()
    if submission.version != __version__:  # each version words a page in its own way
        cells, known = set(_cells(page)), [_numbers(trial) for trial in submission.view.trials()]
        foreign = cells.difference(*known, _cells(page_of(submission.view)))
        must(not foreign, f"the table in report.html has {min(foreign, default=0):g}, which no trial has")
        scores = {trial.score for trial in submission.view.trials() if trial.score is not None}
        must(scores <= cells, "the table in report.html lacks the score of a trial")
        return (
            f"the numbers of its table. Version {submission.version} worded the rest, which is NOT compared"
        )
    words, expected = _words(page), _words(page_of(submission.view))
    differs = [line for line in words.splitlines() if line not in set(expected.splitlines())]
    must(words == expected, f"report.html differs from the trials: {' '.join(differs)[:150]}")
    return "its words, numbers and tables, made again from trials.json"


def check_script(submission: Submission) -> str:
    tree = ast.parse(submission.files["script.py"].decode())
    record, won = record_in(tree), submission.winner.trial
    expected = {name: submission.study[name] for name in ("study", "task", "data_file", "digest", "metric")}
    expected |= {"trial": won.number, "score": won.score, "direction": submission.study["direction"]}
    expected |= {"machine": won.provenance["machine"]}
    for name, value in expected.items():
        must(record[name] == value, f"its record has another {name} than the winner")
    must(values_in(tree) == won.config, "its config is not the winner's")
    return f"it trains trial {won.number}, with the config and score of that trial"


def check_data(submission: Submission) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = submission.data_path(folder)
        if path.suffix == ".npz" and path.parent == Path(folder):
            with zipfile.ZipFile(path) as file:
                size = sum(member.file_size for member in file.infolist())
            must(size <= MAX_BYTES, f"its arrays have more than {MAX_BYTES:,} bytes")
        seen = data.digest(data.read(path))
    digest = submission.study["digest"]
    must(seen == digest, f"{path.name} has digest {seen}, not {digest}")
    return f"{path.name} has the digest of the study's data"


CHECKS: dict[str, Check] = {
    "digests": check_digests,
    "trials": check_trials,
    "curves": check_curves,
    "settings": check_settings,
    "fingerprints": check_fingerprints,
    "void trials": check_void_trials,
    "figures": check_figures,
    "the winner": check_winner,
    "the page": check_page,
    "script": check_script,
    "the data": check_data,
}


# Helpers of the checks


def winner_record(candidate: Candidate) -> dict[str, Any]:
    """The values of `study.json` about the winner."""
    record: dict[str, Any] = {
        "trial": candidate.trial.number,
        "score": candidate.trial.score,
        "confirmed": candidate.confirmed,
    }
    if candidate.confirmed:
        record["scores"] = list(candidate.scores)
        record |= {"mean": candidate.mean, "standard_error": candidate.standard_error}
    return record


def _by_old_rule(candidate: Candidate, stated_error: float | None) -> dict[str, float | None]:
    """The winner's figures as version 0.1 had them. Its standard error is as stated: it is not judged."""
    mean = statistics.fmean(candidate.scores) if candidate.confirmed else None
    return {"mean": mean, "standard_error": stated_error}


def _within(value: Any, searched: BaseDistribution) -> bool:
    """Whether a value lies in the range of a hyperparameter."""
    if isinstance(searched, CategoricalDistribution):
        return value in searched.choices
    assert isinstance(searched, (IntDistribution, FloatDistribution))
    return bool(searched.low <= value <= searched.high)


def _same(stated: Any, computed: Any) -> bool:
    """Whether two figures are equal up to rounding: another machine may round a sum otherwise."""
    if isinstance(computed, float) and stated is not None:
        return math.isclose(stated, computed, rel_tol=1e-9)
    return bool(stated == computed)


def _words(page: str) -> str:
    """A page without its scripts, which draw the plots: its words, numbers and tables."""
    return re.sub("<script.*?</script>", "", page, flags=re.DOTALL)


def _cells(page: str) -> list[float]:
    """The numbers in a page's table of trials, as they are sorted by."""
    return [float(each) for each in re.findall(r'<td data-value="(-?[\d.]+(?:e[+-]?\d+)?)">', _words(page))]


def _numbers(trial: Trial) -> set[float]:
    """The numbers of a trial that a table of trials may show."""
    values = [trial.number, trial.score, trial.standard_error, trial.weights, len(trial.curve)]
    values += [round(trial.seconds, 2), *trial.config.values()]
    return {float(value) for value in values if isinstance(value, int | float)}
