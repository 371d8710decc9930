"""Where studies live: as records in a file, in a PostgreSQL database, or in memory.

    base             StudyStore, the interface of all three, and the names that studies may have
    files            one journal file for each study
    journal          such a file: written whole, locked, repaired
    postgres         the same records as rows of a database, which several searches may share
    connection       a connection to that database, which is renewed when it breaks
    memory           studies that end with the process
    requests         what other programs ask of the process that searches a study, in each of the three
    optuna_storage   Optuna's view of the records of one study
    backups          copies of studies, and of files before a repair

The command line chooses a store once and passes it down. Nothing below asks which kind it is.
"""

from search import paths
from search.storage.base import StudyStore
from search.storage.files import FileStore

__all__ = ["FileStore", "StudyStore", "chosen"]


def chosen(address: str | None, patience: float | None = None) -> StudyStore:
    """The store at an address: a PostgreSQL database, or with None the folder mlruns/studies.

    Args:
        address: of the database, or None.
        patience: seconds in which a lost database must come back; by default long enough for its restart.

    Raises UsageError if the address is not valid. Nothing is connected yet.
    """
    if not address:
        return FileStore(paths.studies())
    from search.storage import postgres

    postgres.check(address)
    return postgres.PostgresStore(address, patience)
