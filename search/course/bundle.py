"""Write the files that the course's grader takes, from the frozen winners.

The files in `files/` are written for the course's own names, imports and pipeline, which
differ from ours: one file for all networks, a few names of torch, datasets that encode one sample
at a time. Their settings, `TASK = {"name": value, ...}`, are replaced by the winners'. The GPT is
our module as it stands: the course keeps it in a file of its own.
"""

import ast
from pathlib import Path
from typing import Any

from search import paths
from search.errors import NoWinner
from search.frozen_script import files
from search.frozen_script.defaults import literal
from search.primitives.text import one_line

SOURCES = Path(__file__).parent / "files"


def write(folder: str | Path) -> list[Path]:
    """Write the files into a folder, each whole or not at all. Returns their paths.

    Raises NoWinner before any file is written, where a task has no frozen script.
    """
    texts = {path.name: with_winners(path.read_text()) for path in sorted(SOURCES.glob("*.py"))}
    gpt = (paths.ROOT / "models" / "chargpt.py").read_text()
    texts["gpt_model.py"] = gpt.replace("from models.attention import", "from models import")
    return [files.write(Path(folder) / name, text) for name, text in texts.items()]


def with_winners(text: str) -> str:
    """A file's text with the winner's values in each `TASK = {"name": value, ...}`."""
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            task = ast.unparse(node.targets[0])
            values = winning(task.lower())
            names = [ast.literal_eval(key) for key in node.value.keys if key is not None]
            settings = ", ".join(f'"{name}": {literal(values[name])}' for name in names)
            lines[node.lineno - 1] = f"{task} = {{{settings}}}"
    return "\n".join(lines) + "\n"


def winning(task_name: str) -> dict[str, Any]:
    """The defaults of `Config` in a task's frozen script, by name. Raises NoWinner."""
    path = files.find(task_name)
    try:
        values: dict[str, Any] = files.values(path)
    except files.UNREADABLE as error:
        raise NoWinner(f"{path} is no frozen script: {one_line(error)}") from None
    return values
