"""Studies as files: one journal of Optuna's for each, in one folder."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from search import paths
from search.errors import UsageError
from search.storage import backups, journal
from search.storage.base import NAME, VALID_NAME, Lock, Membership, Problem, Record, RecordLog
from search.storage.requests import FileRequests


@dataclass(frozen=True)
class FileStore:
    """The studies in a folder, NAME.journal each. See `search.storage.base.StudyStore`."""

    folder: Path

    def path(self, name: str) -> Path:
        """The journal of a study."""
        return self.folder / f"{name}.journal"

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._journals() if NAME.fullmatch(path.stem))

    def strays(self) -> list[str]:
        strays = sorted(path for path in self._journals() if not NAME.fullmatch(path.stem))
        return [f"{path} is no study: its name is not valid, which is {VALID_NAME}" for path in strays]

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def create(self, name: str, records: Sequence[Record]) -> None:
        unfinished = self.path(name).with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        written = journal.Journal(unfinished)
        written.append_logs(list(records))
        written.commit()
        unfinished.rename(self.path(name))

    def open(self, name: str) -> journal.Journal:
        return journal.Journal(self.path(name))

    def lock(self, name: str, shared: bool = False) -> Lock:
        return journal.lock(self.path(name))

    def holder(self, name: str) -> str | None:
        return journal.holder(self.path(name))

    def join(self, name: str) -> Membership:
        raise UsageError("JOIN=1 needs a database that searches share: STORAGE=postgresql://user@host/name")

    def requests(self, name: str) -> FileRequests:
        return FileRequests(self.folder / f"{name}.requests")

    def where(self, name: str) -> str:
        return str(self.path(name))

    def way_back(self, name: str, is_whole: Callable[[RecordLog], bool]) -> str:
        for copy in backups.of(self.path(name)):
            if is_whole(journal.Journal(copy)) and not journal.incomplete_tail(copy):
                command = shlex.join(["cp", str(copy), str(self.path(name))])
                return f". Its newest whole copy is put back by: {command}"
        return f". There is no whole copy of it in {paths.backups()}"

    def keep_copy(self, name: str) -> None:
        backups.rotate(self.path(name))

    def problems(self, name: str) -> Iterator[Problem]:
        path = self.path(name)
        if tail := journal.incomplete_tail(path):
            yield Problem(
                f"its journal ends in the middle of a record: its last {len(tail)} bytes are cut off",
                lambda: _repair_tail(path),
            )

    def files(self, name: str) -> list[Path]:
        return [self.path(name)]

    def content(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def _journals(self) -> Iterator[Path]:
        return self.folder.glob("*.journal")


def _repair_tail(path: Path) -> None:
    journal.cut_incomplete_tail(path)
