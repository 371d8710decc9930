"""The guide shows recorded outputs, and explains every line of its report."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
OUTPUTS = dict(re.findall(r"<!-- output: (\w+) -->\n```text\n(.*?)\n```", GUIDE, re.DOTALL))
EXPLAINED = ("The winner", "What mattered, and how", "What next")  # parts of the report, with a table each


def lines_of(part):
    """What the lines of a part of the recorded report are about."""
    text = re.search(rf"^{part} ─+\n(.*?)\n\n", OUTPUTS["report"] + "\n\n", re.DOTALL | re.MULTILINE)[1]
    return [match[1] for match in re.finditer(r"^(\S+(?: \S+)*)  ", text, re.MULTILINE)]


def rows_of(part):
    """The first column of the guide's table about a part of the report."""
    table = re.search(rf"^\*\*{part}\*\*\n\n(.*?)\n\n", GUIDE, re.DOTALL | re.MULTILINE)[1]
    return {row.split("|")[1].strip() for row in table.splitlines()[2:]}


def test_guide_outputs_are_recorded():
    assert {"check", "winner", "again", "status", "report", "test", "export", "train"} == OUTPUTS.keys()
    assert all(len(output) > 20 for output in OUTPUTS.values())
    assert "/tmp" not in GUIDE and "Traceback" not in GUIDE


def test_guide_report_lines_are_explained():
    settings = set(re.findall(r"searched +(\w+):", OUTPUTS["check"]))
    assert settings == {"hidden_size", "layers", "learning_rate", "batch_size"}
    for part in EXPLAINED:
        lines = {"a setting's name" if line in settings else line for line in lines_of(part)}
        lines = {re.sub(r"^against trial \d+$", "against trial N", line) for line in lines}
        rows = rows_of(part)
        unknown = {line for line in lines if not any(row.startswith(line) for row in rows)}  # long ones wrap
        assert lines and not unknown, (part, unknown)


def test_guide_pictures_are_small():
    pictures = list((ROOT / "docs").rglob("*.png"))
    assert len(pictures) == 2
    assert all(picture.stat().st_size < 200_000 for picture in pictures)
