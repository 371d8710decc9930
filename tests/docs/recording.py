"""Record what a command shows in a real terminal, as text and as an SVG picture."""

import bisect
import codecs
import fcntl
import io
import itertools
import math
import os
import pty
import re
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"  # begin and end a live display
OF_THIS_TERMINAL = ("COLUMNS", "LINES", "NO_COLOR")  # not of the one in which a command is recorded
CONTROL = re.compile(r"(\x1b\[\??[0-9;]*[A-Za-z]|\r|\n)")

# rich's own format, without the font that it would load from the network.
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "Fira Code", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@dataclass(frozen=True)
class Recording:
    """A command that ended, and each piece of its output with the second at which it came."""

    exit_code: int
    pieces: list[tuple[float, str]]
    columns: int
    hide: dict[str, str]

    @property
    def seconds(self) -> float:
        """The time at which the last piece came."""
        return self.pieces[-1][0] if self.pieces else 0.0

    def screen(self, second: float = math.inf, rows: int | None = None) -> list[str]:
        """The lines of the terminal at a second, with their colours; only the last `rows`, if given."""
        text = "".join(text for at, text in self.pieces if at <= second)
        for hidden, shown in self.hide.items():
            text = text.replace(hidden, shown)
        return screen(text)[-rows:] if rows else screen(text)

    def live(self, number: int, share: float) -> float:
        """The second at which a share of the time of the `number`-th live display has passed."""
        began, ended = self._times_of(HIDE_CURSOR)[number], self._times_of(SHOW_CURSOR)[number]
        return began + share * (ended - began)

    def _times_of(self, wanted: str) -> list[float]:
        """The second at which each occurrence of a text was complete; pieces may cut it in two."""
        ends = list(itertools.accumulate(len(text) for _, text in self.pieces))
        whole = "".join(text for _, text in self.pieces)
        found = (match.end() for match in re.finditer(re.escape(wanted), whole))
        return [self.pieces[bisect.bisect_left(ends, end)][0] for end in found]

    def text(self) -> str:
        """The last screen without colours."""
        lines = (Text.from_ansi(line).plain.rstrip() for line in self.screen())
        return "\n".join(lines).strip("\n")

    def picture(self, path: Path, title: str, second: float = math.inf, rows: int | None = None) -> None:
        """Write the screen at a second as an SVG file."""
        console = Console(record=True, width=self.columns, file=io.StringIO(), force_terminal=True)
        for line in self.screen(second, rows):
            text = Text.from_ansi(line)
            for part in text.divide(range(self.columns, len(text), self.columns)):  # as a terminal wraps
                console.print(part, soft_wrap=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = console.export_svg(title=title, code_format=SVG, unique_id=f"terminal-{path.stem}")
        path.write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n", encoding="utf-8")


def record(
    command: list[str],
    folder: Path,
    columns: int = 110,
    rows: int = 40,
    hide: dict[str, str] | None = None,
) -> Recording:
    """Run a command on a terminal of its own.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        columns, rows: the size of the terminal.
        hide: text -> what stands for it in the recording, such as a temporary folder -> "~".
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in OF_THIS_TERMINAL}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    pieces = list(_output(ours))
    os.close(ours)
    return Recording(process.wait(), pieces, columns, hide or {})


def screen(text: str) -> list[str]:
    """The lines that a terminal shows after a text, with their colours.

    It knows what rich's live display sends: cursor up, erase line, and colours, which stay in the lines.
    """
    lines, row = [""], 0
    for part in CONTROL.split(text):
        if part == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif part.startswith("\x1b[") and part.endswith("A"):
            row = max(0, row - int(part[2:-1] or 1))
        elif part.startswith("\x1b[") and part.endswith("K"):
            lines[row] = ""
        elif part.startswith("\x1b[") and not part.endswith("m") or part == "\r":
            continue  # shows or hides the cursor; a line is written from its beginning
        else:
            lines[row] += part
    while lines and not Text.from_ansi(lines[-1]).plain.strip():
        lines.pop()
    return lines


def _output(terminal: int) -> Iterator[tuple[float, str]]:
    """Yield (second, text) until the command closes its terminal."""
    began, decoder = time.monotonic(), codecs.getincrementaldecoder("utf-8")()
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # Linux: the command closed its side
            return
        if not read:  # macOS
            return
        yield time.monotonic() - began, decoder.decode(read)
