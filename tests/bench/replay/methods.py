"""The methods that are compared: `search(core)` of each searches until the core's time is over."""

import hashlib
import importlib
import importlib.metadata
from pathlib import Path

from search.errors import UsageError, unknown

HERE = Path(__file__).parent
SEARCH = HERE.parents[2] / "search"

# Each is an entry of METHODS in its module, which is imported when it is wanted: the peers are installed
# for the bench alone.
MODULES = {
    "trialbook": "ours",
    "trialbook-cold": "ours",
    "optuna": "by_optuna",
    "optuna-median": "by_optuna",
    "optuna-hyperband": "by_optuna",
    "ray-asha": "by_ray",
    "ray-asha-optuna": "by_ray",
    "smac-hyperband": "by_smac",
}
OURS = "trialbook"


def find(name):
    """The function of a method. Raises UsageError."""
    return _module(name).METHODS[name]


def version(name):
    """A digest of all that the results of a method depend on, but for the table."""
    files = [HERE / "core.py", HERE / f"{MODULES[name]}.py"]
    if MODULES[name] == "ours":
        files += sorted(SEARCH.rglob("*.py"))
    versions = [importlib.metadata.version(library) for library in _module(name).LIBRARIES]
    told = b"".join(path.read_bytes() for path in files) + " ".join(versions).encode()
    return hashlib.sha256(told).hexdigest()[:12]


def _module(name):
    if name not in MODULES:
        raise unknown("METHODS", name, MODULES)
    try:
        return importlib.import_module(f"tests.bench.replay.{MODULES[name]}")
    except ModuleNotFoundError as missing:
        raise UsageError(f"method {name!r} needs {missing.name}: `make bench` installs it") from None
