"""Where things lie. All of it under the project's root, or under TRIALBOOK_HOME where that is set."""

import os
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("data", "models", "objectives")  # of training code, from which frozen scripts are cut


def home() -> Path:
    """The folder that holds the log, the studies and the frozen scripts.

    TRIALBOOK_HOME is read here, not by the command line: trainers, the API and tests compute paths too.
    """
    return Path(os.environ.get("TRIALBOOK_HOME") or ROOT).expanduser().resolve()


def studies() -> Path:
    """One Optuna journal a study."""
    return home() / "mlruns" / "studies"


def artifacts() -> Path:
    """What MLflow keeps as files."""
    return home() / "mlruns" / "artifacts"


def backups() -> Path:
    """Copies of studies, and of what was repaired."""
    return home() / "mlruns" / "backups"


def reports() -> Path:
    """One page a study."""
    return home() / "mlruns" / "reports"


def stack() -> Path:
    """What `make stack` keeps: a PostgreSQL, passwords, what its servers said."""
    return home() / "mlruns" / "stack"


def service() -> Path:
    """What `make serve` keeps: its queue, and what its processes wrote."""
    return home() / "mlruns" / "service"


def mlflow_database() -> Path:
    """Where a bare `mlflow ui`, typed in the root, looks by itself."""
    return home() / "mlflow.db"


def frozen(task_name: str) -> Path:
    """The frozen winner of a task."""
    return home() / "models" / "frozen" / f"{task_name}.py"


def faults() -> Path:
    """The tracebacks of faults of this program."""
    return home() / "mlruns" / "faults.log"


def pictures() -> Path:
    """What grading draws."""
    return home() / "mlruns" / "grade"


def store_uri(database: Path) -> str:
    """The address by which MLflow opens an sqlite file, whatever letters its path has."""
    encoded = quote(str(database))
    if encoded == str(database):
        return f"sqlite:///{database}"
    return f"sqlite+pysqlite:///{encoded}"  # of `sqlite:///` MLflow would make the encoded path a folder


def read_only_store_uri(database: Path) -> str:
    """The address by which MLflow opens an sqlite file to look at only."""
    # What MLflow opened, it keeps by the address: a new file needs another. The path is decoded twice.
    options = f"mode=ro&uri=true&file={database.stat().st_ino}"
    return f"sqlite+pysqlite:///{quote(database.as_uri())}?{options}"


def artifact_location(folder: Path) -> str:
    """A folder as MLflow writes down where artifacts lie: a file URI where its path has odd letters."""
    return str(folder) if quote(str(folder)) == str(folder) else folder.as_uri()
