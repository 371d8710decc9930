"""Record the pictures and outputs of the documentation from real runs of the last commit.

    python tests/docs/picture.py           docs/search.svg: a search in the terminal; two minutes
    python tests/docs/picture.py --guide   docs/guide/* and the outputs in docs/guide.md; a quarter of an hour

Each run happens in a fresh clone, with the Python that runs this script.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from recording import Recording, record

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SEARCH = ("search", "--task", "langid")
SEARCH_SHARE, SEARCH_ROWS = 0.75, 24  # of a search: when its picture is taken, and the lines of the picture
CLOSE = tuple(  # what MLflow shows beside the runs: its assistant and a banner
    f"//button[@data-component-id='{button}']"
    for button in ("mlflow.assistant.chat_panel.close", "mlflow.experiment_page.shared_view.dismiss")
)
WIDTH = 110  # columns of a terminal that shows a search


def main(arguments: list[str]) -> None:
    """Record the README's picture, or with `--guide` everything that the guide shows."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Clone(Path(folder) / "trialbook")
        if "--guide" in arguments:
            record_guide(clone)
        else:
            record_readme(clone)


class Clone:
    """A fresh clone of the last commit, in which commands are recorded."""

    def __init__(self, folder: Path):
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder], check=True)

    def record(self, *arguments: str, columns: int = 100) -> Recording:
        """Record `python -m search ...`, which is what make runs. Exits if the command fails."""
        command = [sys.executable, "-m", "search", *arguments]
        recording = record(command, self.folder, columns, hide={str(self.folder): "~/trialbook"})
        if recording.exit_code:
            raise SystemExit(f"{' '.join(arguments)} exited with {recording.exit_code}:\n{recording.text()}")
        print(f"recorded {' '.join(arguments)}: {recording.seconds:.0f} s", flush=True)
        return recording

    @contextlib.contextmanager
    def serve_log(self) -> Iterator[str]:
        """Serve the log with `make ui`; yields the address of the page of the first study."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "search", "ui", "--port", str(port)]
        with subprocess.Popen(
            command, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as server:
            try:
                address = next(re.search(r"http://\S+", line)[0] for line in server.stdout if "#/" in line)
                _wait_for(port)
                yield address
            finally:
                server.terminate()


def _wait_for(port: int, seconds: float = 120) -> None:
    """Return when a server listens on a port. Raises OSError if none does in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def record_readme(clone: Clone) -> None:
    """Write docs/search.svg: the screen of a search."""
    recording = clone.record(*SEARCH, "--timeout", "60", columns=WIDTH)
    second = recording.live(0, SEARCH_SHARE)
    recording.picture(DOCS / "search.svg", "make search TASK=langid TIMEOUT=60", second, SEARCH_ROWS)


def record_guide(clone: Clone) -> None:
    """Write the guide's pictures, and put the outputs into its text."""
    sys.path.append(str(ROOT / "tests" / "toys"))
    from screenshots import screenshot  # needs a browser, which the README's picture does not

    guide, pictures = DOCS / "guide.md", DOCS / "guide"
    outputs = {"check": clone.record("check", "--task", "langid").text()}

    search = clone.record(*SEARCH, columns=WIDTH)
    title = "make search TASK=langid"
    search.picture(pictures / "search.svg", title, search.live(0, SEARCH_SHARE), SEARCH_ROWS)
    outputs["winner"] = _end_of(search)
    outputs["again"] = clone.record(*SEARCH).text()

    outputs["status"] = clone.record("status").text()
    outputs["report"] = clone.record("report", "--task", "langid").text()
    outputs["test"] = clone.record("winner", "--task", "langid", "--test").text().splitlines()[0]
    outputs["export"] = clone.record("export", "--task", "langid").text()
    outputs["train"] = clone.record("train", "--task", "langid").text()

    guide.write_text(filled(guide.read_text(encoding="utf-8"), outputs), encoding="utf-8")

    page = clone.folder / "mlruns" / "reports" / "langid-builtin.html"
    screenshot(page.as_uri(), pictures / "report.png", shows="Which language", scroll_to="#plots")
    with clone.serve_log() as address:
        screenshot(address, pictures / "mlflow.png", shows="trial-0", clicks=CLOSE)


def _end_of(search: Recording) -> str:
    """The table of the winner and the commands after it, with the time that the search took."""
    _, winner, rest = search.text().partition("Winner of study")
    return f"{winner}{rest}\n\n({search.seconds / 60:.0f} minutes from start to end)"


def filled(text: str, outputs: dict[str, str]) -> str:
    """A page with each `<!-- output: NAME -->` followed by that output, in place of the one before."""
    for name, output in outputs.items():
        block = re.compile(rf"(<!-- output: {re.escape(name)} -->\n```text\n).*?(\n```)", re.DOTALL)
        text, found = block.subn(lambda match: f"{match[1]}{output}{match[2]}", text)  # noqa: B023
        if found != 1:
            raise SystemExit(f"the guide has {found} places for the output {name!r}: one is needed")
    return text


if __name__ == "__main__":
    for name in ("DATA_DIR", "PYTHONPATH", "TRIALBOOK_HOME", "TRIALBOOK_STORAGE", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)  # a clone has its own data, tasks, studies and log
    main(sys.argv[1:])
