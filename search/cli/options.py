"""What can be typed after a verb: how each option is read, and what is wrong where it cannot be."""

import math
import os
import re
import urllib.parse

from search import redact
from search.errors import UsageError

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")  # of MLflow's stores
TRIALS, TIMEOUT = 100, 180  # the default budget: whichever is reached first


def whole(name, low, high):
    """An option that is a whole number."""

    def read(text):
        if not re.fullmatch("[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise UsageError(f"{name} {text!r} is not valid: a whole number from {low} to {high}")
        return int(text)

    return read


def seconds(text):
    """An option that is a time."""
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", text) or float(text) == 0:
        raise UsageError(f"TIMEOUT {text!r} is not valid: seconds, more than 0 and less than 10000000")
    return float(text)


def share(name):
    """An option that is a part of a machine."""

    def read(text):
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text):
            raise UsageError(f"{name} {text!r} is not valid: a number from 0 to 9999, as 2 or 0.25")
        return float(text)

    return read


def number(text):
    """An option that is any number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"BAR {text!r} is not valid: a number")
    return value


def repeats(text):
    """An option that is a number of fresh seeds: from one alone nothing could be told."""
    if text != "0" and not (re.fullmatch("[0-9]{1,3}", text) and 2 <= int(text) <= 100):
        raise UsageError(f"CONFIRM {text!r} is not valid: a whole number from 2 to 100, or 0 for none")
    return int(text)


def sentence(text):
    """An option that is a reason."""
    if not text.strip() or len(text) > 300 or not text.isprintable():
        raise UsageError(f"REASON {text[:40]!r} is not valid: one line of 1 to 300 characters")
    return text.strip()


def storage(text):
    """An option that is the address of a database."""
    from search.storage import postgres

    postgres.check(text)
    return text


def place(text):
    """An option that is where studies lie."""
    return text if text == "files" else storage(text)


def server(text):
    """An option that is a tracking server."""
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise UsageError(f"LOG {text!r} is not valid: http://host:port, without a password")
    return text


def tracking_server(uri: str) -> str:
    """The address in MLFLOW_TRACKING_URI: of a server, or of a database that MLflow opens itself."""
    try:
        parts = urllib.parse.urlsplit(uri)
        valid = parts.scheme.partition("+")[0] in SCHEMES and (parts.port is None or parts.port > 0)
    except ValueError:  # such as a port that is no number
        valid = False
    if not valid and uri != "databricks":
        seen = redact.redacted(uri)
        raise UsageError(
            f"MLFLOW_TRACKING_URI {seen!r} is not valid: http://host:port, or none for a log here"
        )
    return uri


def path(text: str) -> str:
    """An option that is a path; `~` is the home folder, which no shell writes out after NAME=."""
    return os.path.expanduser(text)


def folder(text):
    """An option that is a folder which is there."""
    if not os.path.isdir(path(text)):
        raise UsageError(f"DATA_DIR {text!r} is not a folder")
    return path(text)


def missing(name: str, hint: str) -> UsageError:
    """A UsageError for an option that was not given; `hint` says what is valid, or asks for it.

    In `TASK=x make search`, make leaves TASK in the environment, where no option is read.
    """
    option = name.upper().replace("-", "_")
    said = f"{option} is missing: {hint}"
    if value := os.environ.get(option):
        said += f". That of the environment, {value!r}, is not read: make VERB {option}=..., in this order"
    return UsageError(said)


def flag(name):
    """An option that stands alone, or is 1 or 0."""

    def read(text):
        if text not in ("1", "0"):
            raise UsageError(f"{name} {text!r} is not valid: nothing, 1 or 0")
        return text == "1"

    return read


OPTIONS = {
    "task": (str, "NAME", "which task of objectives/"),
    "study": (str, "NAME", "which study; by default the task's name and its data's"),
    "trials": (whole("TRIALS", 1, 1_000_000), "N", f"trials in total, earlier ones too ({TRIALS})"),
    "timeout": (
        seconds,
        "S",
        f"seconds to search ({TIMEOUT}; a limit that is given alone stands alone)",
    ),
    "jobs": (
        whole("JOBS", 1, 256),
        "N",
        "trainers at once (one a core); slurm: nodes of the cluster, or coordinators",
    ),
    "seed": (whole("SEED", 0, 2**31 - 1), "N", "all of the study's seeds derive from it (0)"),
    "confirm": (repeats, "N", "fresh seeds on which the best few are trained again (5; 0: not at all)"),
    "old": (str, "WHAT", "trials of other code, ranges or data than today's: supersede, or void"),
    "bar": (number, "SCORE", "a score: the cheapest configuration that clears it on 95 of 100 seeds"),
    "storage": (storage, "URL", "the database that holds the studies: postgresql://user@host/name (files)"),
    "join": (flag("JOIN"), None, "work on a study of that database together with other searches"),
    "to": (place, "URL", "where a study is copied to: postgresql://user@host/name, or files"),
    "log": (server, "URL", "the tracking server that gets its log (the same as here)"),
    "test": (flag("TEST"), None, "score the confirmed winner on the test data; each look is counted"),
    "which": (str, "3-9,14", "the trials that are meant, by number"),
    "since": (str, "WHEN", "the trials since a time, or since a commit"),
    "code": (str, "DIGEST", "the trials of a fingerprint of the code"),
    "reason": (sentence, "TEXT", "why: it is written down"),
    "data": (str, "SOURCE", "which source of data (the course's file where it is, else built in)"),
    "data-dir": (folder, "FOLDER", "where the course's own files are ($DATA_DIR, or data/course)"),
    "trainers": (str, "KIND", "where to train: processes, inline to debug, or ray: a cluster (processes)"),
    "address": (str, "ADDRESS", "of the Ray cluster: auto, or ray://host:port (one is started here)"),
    "cpus": (share("CPUS"), "N", "CPUs of each trainer of a cluster (1)"),
    "gpus": (share("GPUS"), "N", "GPUs of each trainer of a cluster; 0.25: four share one (0)"),
    "memory": (share("MEMORY"), "GIB", "memory of each trainer of a cluster (as it comes)"),
    "device": (str, "DEVICE", "what to train on: cpu, or cuda, a GPU (cpu)"),
    "how": (str, "HOW", "slurm: ray, one search on a Ray cluster, or join: coordinators of one study (ray)"),
    "zip": (path, "FILE", "the hand-in that is checked"),
    "run": (flag("RUN"), None, "0: do not run its script, which is code of whoever made the hand-in"),
    "fix": (flag("FIX"), None, "repair what is found, after a backup"),
    "out": (path, "FOLDER", "write into this folder, to be carried away"),
    "a": (str, "STUDY", "one study"),
    "b": (str, "STUDY", "another study"),
    "port": (whole("PORT", 1, 65535), "N", "where it is served (ui, stack: 5000, dashboard: 8080)"),
    "host": (str, "ADDRESS", "which of this machine's addresses others reach it by (127.0.0.1: none)"),
    "q": (str, "Q", "which questions, as q4 or q1,q3 (all); also -q"),
    "seeds": (whole("SEEDS", 1, 1000), "N", "train with seeds 1 to N (once, with the winner's own)"),
    "no-graphics": (flag("NO_GRAPHICS"), None, "draw nothing"),
    "check-dependencies": (
        flag("CHECK_DEPENDENCIES"),
        None,
        "draw a spinning line, name the versions, and grade nothing",
    ),
}
