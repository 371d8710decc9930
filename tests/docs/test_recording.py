"""A recording is what a terminal showed: text, colours and pictures."""

import importlib.util
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

PROGRAM = """
import rich.live, rich.console
console = rich.console.Console()
console.print("begins")
with rich.live.Live("0 of 2", console=console, auto_refresh=False) as live:
    for done in (1, 2):
        console.print(f"trial {done} ends", style="bold red")
        live.update(f"{done} of 2\\nα ▁▂▃ & <b>", refresh=True)
console.print("ends", end="")
"""


@pytest.fixture(scope="module")
def recording():
    """The module `recording`, which is a tool and no part of a package."""
    spec = importlib.util.spec_from_file_location("recording", Path(__file__).parent / "recording.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["recording"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["recording"]


@pytest.fixture(scope="module")
def live(recording, tmp_path_factory):
    """A recording of a program with a live display, which runs in a folder whose name is hidden."""
    folder = tmp_path_factory.mktemp("hidden")
    return recording.record([sys.executable, "-c", PROGRAM], folder, columns=40)


def test_recording_of_live_display_keeps_final_lines(live):
    assert live.exit_code == 0
    assert live.text().splitlines() == [
        "begins",
        "trial 1 ends",
        "trial 2 ends",
        "2 of 2",
        "α ▁▂▃ & <b>",
        "ends",
    ]


def test_recording_rows_are_the_last_ones(recording, live):
    assert [recording.Text.from_ansi(line).plain for line in live.screen(rows=2)] == ["α ▁▂▃ & <b>", "ends"]


def test_recording_live_is_between_begin_and_end(live):
    assert 0 <= live.live(0, 0) <= live.live(0, 0.5) <= live.live(0, 1) <= live.seconds
    with pytest.raises(IndexError):
        live.live(1, 0.5)


def test_recording_live_finds_displays_that_pieces_cut(recording):
    pieces = [(1.0, "\x1b[?2"), (2.0, "5l a \x1b[?25h\x1b[?25l"), (6.0, "b\x1b[?25"), (10.0, "h")]
    cut = recording.Recording(0, pieces, 40, {})
    assert [cut.live(0, 0.5), cut.live(1, 0), cut.live(1, 0.5), cut.live(1, 1)] == [2, 2, 6, 10]


def test_recording_hides_texts(recording, tmp_path):
    command = [sys.executable, "-c", "import os; print(os.getcwd(), os.get_terminal_size().columns)"]
    hidden = recording.record(command, tmp_path, columns=77, hide={str(tmp_path): "~"})
    assert hidden.text() == "~ 77"


def test_recording_of_failure_has_its_exit_code(recording, tmp_path):
    assert recording.record([sys.executable, "-c", "raise SystemExit(3)"], tmp_path).exit_code == 3


def test_recording_picture_stands_alone(live, tmp_path):
    path = tmp_path / "folder" / "picture.svg"
    live.picture(path, "make & <search>")
    drawn = path.read_text(encoding="utf-8")
    texts = "".join(xml.etree.ElementTree.fromstring(drawn).itertext()).replace("\xa0", " ")
    assert "make & <search>" in texts and "trial 2 ends" in texts and "α ▁▂▃ & <b>" in texts
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
