"""Is a hand-in what it says? Checked offline, from the zip alone, which is not trusted.

Nothing is unpacked, and nothing of it is run but its script, and that only where all else holds. The
figures are computed again from `trials.json` by code of their own; `search.strategy.winner` decides who won,
which has the only rule for it. What this shows is that a hand-in agrees with itself and trains as it
says. It is not signed: who invents a whole search, consistently, is not found out.
"""

import ast
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import data
from objectives.replay import machine
from search.frozen_script.script import record_in, values_in
from search.strategy import winner
from search.study.trial import TrialState
from search.submission import first_epoch
from search.submission.handed import (
    BYTES,
    Wrong,
    mean_and_error,
    one_line,
    page,
    printable,
    recomputed,
    view_of,
    words,
)

NEAR = 0.1  # by how much of its size a value may differ on another machine
SECONDS = 1800  # in which a script must have reported


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    holds: bool
    said: str


def findings(handin, run=True):
    """Check a Handin: one Finding after another.

    Args:
        run: whether to run its script, which is code of whoever made the hand-in.
    """
    sound = True
    for check in CHECKS:
        finding = tried(check, handin)
        sound = sound and finding.holds
        yield finding
    if run and sound:
        yield tried(first_report, handin)
    elif run:
        yield Finding("first report", False, "the script was not run, since not all of the above holds")


def tried(check, handin):
    """A check's Finding. What it cannot even read does not hold."""
    name = check.__name__.replace("_", " ")
    try:
        return Finding(name, True, check(handin))
    except Wrong as wrong:
        return Finding(name, False, printable(wrong))
    except Exception as error:  # a file of a stranger can be malformed in any way
        return Finding(name, False, f"cannot be read: {one_line(error)}")


def must(holds, otherwise):
    """Raises Wrong where something does not hold."""
    if not holds:
        raise Wrong(otherwise)


# The checks: each says what it saw, or raises


def digests(handin):
    said = dict(line.split("  ")[::-1] for line in handin.files["DIGESTS"].decode().splitlines())
    must(said.keys() == handin.files.keys() - {"DIGESTS"}, "DIGESTS does not name the files that there are")
    for name, digest in said.items():
        seen = hashlib.sha256(handin.files[name]).hexdigest()
        must(seen == digest, f"{name} is not the file that DIGESTS names")
    return f"{len(said)} files are those that DIGESTS names"


def trials(handin):
    numbers = [trial["number"] for trial in handin.trials]
    must(numbers == list(range(len(numbers))), "the trials are not numbered from 0 without a gap")
    for trial in handin.trials:
        who, scored = f"trial {trial['number']}", trial["state"] == "completed"
        must(
            trial["state"] in list(TrialState) and trial["state"] != "running", f"{who} is {trial['state']!r}"
        )
        must(scored == (trial["score"] is not None), f"{who} is {trial['state']} with score {trial['score']}")
        if scored:
            must(math.isfinite(trial["score"] + trial["standard_error"]), f"{who} has a score not finite")
        for name in ("retry_of", "confirms"):
            earlier = trial[name]
            must(earlier is None or 0 <= earlier < trial["number"], f"{who}: {name} is no earlier trial")
    return f"{len(numbers)}, numbered from 0 without a gap"


def curves(handin):
    for trial in handin.trials:
        who, epochs = f"trial {trial['number']}", [entry["epoch"] for entry in trial["curve"]]
        must(epochs == sorted(set(epochs)), f"the epochs of {who} do not rise")
        must(not epochs or epochs[-1] <= trial["config"]["epochs"], f"{who} has epochs past its last")
        must(trial["state"] != "completed" or epochs, f"{who} is completed without a curve")
        for entry in trial["curve"]:
            values = [value for value in entry.values() if not isinstance(value, str)]
            must(all(map(math.isfinite, values)), f"epoch {entry['epoch']} of {who} is not finite")
    return f"{sum(len(trial['curve']) for trial in handin.trials)} epochs, rising and finite"


def settings(handin):
    for trial in handin.counted:
        who, drawn = f"trial {trial['number']}", trial["params"]
        must(drawn.items() <= trial["config"].items(), f"{who} has not the settings that were drawn for it")
        for name, value in drawn.items():
            must(name in handin.study["space"], f"{who}: {name} was not searched")
            must(within(value, handin.study["space"][name]["attributes"]), f"{who}: {name} is out of range")
    return f"those of {len(handin.counted)} trials lie in the ranges"


def fingerprints(handin):
    for what in ("code", "space", "data"):
        seen = {trial["fingerprint"][what] for trial in handin.counted if what in trial["fingerprint"]}
        must(len(seen) <= 1, f"trials count that differ in their {what}")
        must(what != "data" or seen <= {handin.study["digest"]}, "trials were trained on other data")
    return "all trials that count are of one code, one space and the study's data"


def crossed_out(handin):
    holds = {}
    for crossing in handin.study["crossings"]:
        holds |= dict.fromkeys(crossing["trials"], crossing)
    must(holds.keys() <= set(range(len(handin.trials))), "a trial is crossed out that is not handed in")
    for trial in handin.trials:
        said = holds.get(trial["number"], {"action": "restore"})
        expected = None if said["action"] == "restore" else said
        must(trial["crossed"] == expected, f"trial {trial['number']} is not crossed out as the list says")
    out = sum(trial["crossed"] is not None for trial in handin.trials)
    return f"{out} trials, as the study's list of crossings has it"


def figures(handin):
    lines = handin.files["report.txt"].decode().rstrip().rpartition("\n\n")[2].splitlines()
    said = {name: json.loads(value) for name, _, value in (line.partition(": ") for line in lines)}
    computed = recomputed(handin)
    lacks = computed.keys() - said.keys()  # version 0.1 knew no infeasible trials
    alike = said.keys() <= computed.keys() and lacks <= {"infeasible"}
    must(alike, "report.txt has not the figures that a report has")
    for name, value in said.items():
        must(equal(value, computed[name]), f"{name} is {value}, computed again {computed[name]}")
    return f"{len(computed)}, each computed again from trials.json"


def the_page(handin):
    said, made = (words(text) for text in (handin.files["report.html"].decode(), page(handin)))
    differs = [line for line in said.splitlines() if line not in set(made.splitlines())]
    must(said == made, f"report.html says what the trials do not: {' '.join(differs)[:150]}")
    return "its words, numbers and tables, made again from trials.json"


def the_winner(handin):
    said, standing = handin.study["winner"], winner.choose(view_of(handin))
    number = standing.trial.number
    must(said["trial"] == number, f"trial {said['trial']} is said to have won, and trial {number} did")
    must(said["score"] == standing.trial.score, "its score is not that of its trial")
    must(said["confirmed"] == standing.confirmed, f"whether it is confirmed: {said['confirmed']} is said")
    if standing.confirmed:
        mean, error = mean_and_error(handin, number)
        must(equal(said["mean"], mean) and said["scores"] == list(standing.scores), f"its mean is {mean}")
        must(equal(said["standard_error"], error), f"its mean's standard error is {error}")
    return f"trial {number}, chosen again among {len(handin.trials)} trials"


def script(handin):
    record, defaults = constants(handin.files["script.py"].decode())
    won = handin.trials[handin.study["winner"]["trial"]]
    expected = {name: handin.study[name] for name in ("study", "task", "data_file", "digest", "metric")}
    expected |= {"trial": won["number"], "score": won["score"], "direction": handin.study["direction"]}
    expected |= {"machine": won["provenance"]["machine"]}
    for name, value in expected.items():
        must(record[name] == value, f"its record has another {name} than the winner")
    must(defaults == won["config"], "its settings are not the winner's")
    return f"it is of trial {won['number']}, with that trial's settings and score"


def the_data(handin):
    with tempfile.TemporaryDirectory() as folder:
        path = handin.data_path(folder)
        if path.suffix == ".npz" and path.parent == Path(folder):
            with zipfile.ZipFile(path) as file:
                size = sum(member.file_size for member in file.infolist())
            must(size <= BYTES, f"unpacked it has more than {BYTES:,} bytes")
        seen = data.digest(data.read(path))
    must(seen == handin.study["digest"], f"{path.name} has digest {seen}, not {handin.study['digest']}")
    return f"{path.name} has the digest of the study's data"


CHECKS = (
    digests,
    trials,
    curves,
    settings,
    fingerprints,
    crossed_out,
    figures,
    the_winner,
    the_page,
    script,
    the_data,
)


def first_report(handin):
    """Run the script until it reports, and compare with the trial: the last check, and the only one that
    runs anything of the hand-in.
    """
    won = handin.trials[handin.study["winner"]["trial"]]
    recorded, told = won["curve"][0], ran(handin)
    expected = {name: recorded[name] for name in recorded.keys() - {"epoch", "seconds", "time"}}
    must(told["epoch"] == recorded["epoch"], f"it reports epoch {told['epoch']}, not {recorded['epoch']}")
    must(told["metrics"].keys() == expected.keys(), "it reports other things than the trial")
    there, here = won["provenance"]["machine"], machine()
    differs = sorted(name for name in here if here[name] != there.get(name))
    rule = f"within {NEAR:.0%}, as these differ: {', '.join(differs)}" if differs else "equal to the last bit"
    for name, value in expected.items():
        seen = told["metrics"][name]
        holds = near(seen, value) if differs else seen == value
        must(holds, f"epoch {told['epoch']}: {name} is {seen!r}, recorded {value!r}; expected {rule}")
    return f"epoch {told['epoch']} of trial {won['number']} trained again: {len(expected)} values, {rule}"


def ran(handin):
    """What the script reported, from a clean interpreter that knows nothing of this environment."""
    with tempfile.TemporaryDirectory() as folder:
        script, path = Path(folder) / "script.py", handin.data_path(folder)
        script.write_bytes(handin.files["script.py"])
        known = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        command = [sys.executable, "-I", first_epoch.__file__, script, path.resolve()]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=known | {"HOME": folder},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise Wrong(f"the script had not reported after {SECONDS} s") from None
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    must(done.returncode == 0, f"the script failed: {last}")
    return json.loads(done.stdout.splitlines()[-1])


# What they use


def within(value, ranges):
    """Whether a value lies in the range of a hyperparameter."""
    if "choices" in ranges:
        return value in ranges["choices"]
    return ranges["low"] <= value <= ranges["high"]


def equal(said, value):
    """Whether two figures are the same, but for rounding."""
    if value is None or said is None:
        return said is value
    return math.isclose(said, value, rel_tol=1e-9)


def near(seen, value):
    """Whether a value is near enough for another machine; a text may be another."""
    return isinstance(value, str) or abs(seen - value) <= NEAR * abs(value)


def constants(text):
    """RECORD and the defaults of Config in a script, which is read and not run."""
    tree = ast.parse(text)
    return record_in(tree), values_in(tree)
