"""From the frozen winners to the files that the course's grader takes.

The files in `files/` are written for the course's own names, imports and pipeline, which
differ from ours: one file for all networks, a few names of torch, datasets that encode one sample
at a time. Their settings, `TASK = {"name": value, ...}`, are replaced by the winners'. The GPT is
ours as it stands, since the course has it in a file of its own.
"""

import ast
from pathlib import Path

from search import paths
from search.errors import NoWinner, one_line
from search.frozen_script import files
from search.frozen_script.defaults import literal

SOURCES = Path(__file__).parent / "files"


def write(folder):
    """Write the files into a folder, each whole or not at all. Returns their paths.

    Raises NoWinner where a task that they need has no frozen script; nothing is written then.
    """
    texts = {path.name: with_winners(path.read_text()) for path in sorted(SOURCES.glob("*.py"))}
    gpt = (paths.ROOT / "models" / "chargpt.py").read_text()
    texts["gpt_model.py"] = gpt.replace("from models.attention import", "from models import")
    return [files.write(Path(folder) / name, text) for name, text in texts.items()]


def with_winners(text):
    """A file's text with the values of each `TASK = {"name": value, ...}` replaced by the winner's."""
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            task, found = node.targets[0].id, winning(node.targets[0].id.lower())
            names = [key.value for key in node.value.keys]
            settings = ", ".join(f'"{name}": {literal(found[name])}' for name in names)
            lines[node.lineno - 1] = f"{task} = {{{settings}}}"
    return "\n".join(lines) + "\n"


def winning(task_name):
    """The defaults of `Config` in a task's frozen script, by name. Raises NoWinner."""
    path = files.find(task_name)
    try:
        return files.values(path)
    except files.UNREADABLE as error:
        raise NoWinner(f"{path} is no frozen script: {one_line(error)}") from None
