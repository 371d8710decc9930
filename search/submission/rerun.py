"""Run a submission's script until its first report, and compare that with the trial: the last check."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from objectives.replay import machine
from search.submission import first_epoch
from search.submission.submission import CheckFailed, Submission, must

TOLERANCE = 0.1  # the share by which a value may differ on another machine
SECONDS = 1800  # the time in which a script must report


def check_first_report(submission: Submission) -> str:
    """Run the script until it reports, and compare with the trial. Returns a message; raises CheckFailed."""
    won = submission.winner.trial
    recorded, reported = won.curve[0], _run_script(submission)
    epoch, metrics = reported["epoch"], reported["metrics"]
    expected = {name: recorded[name] for name in recorded.keys() - {"epoch", "seconds", "time"}}
    must(epoch == recorded["epoch"], f"it reports epoch {epoch}, not {recorded['epoch']}")
    must(metrics.keys() == expected.keys(), "it reports other metrics than the trial")
    original, current = won.provenance["machine"], machine()
    differs = sorted(name for name in current if current[name] != original.get(name))
    rule = (
        f"within {TOLERANCE:.0%}, as these differ: {', '.join(differs)}"
        if differs
        else "equal to the last bit"
    )
    for name, value in expected.items():
        holds = _near(metrics[name], value) if differs else metrics[name] == value
        must(holds, f"epoch {epoch}: {name} is {metrics[name]!r}, recorded {value!r}; expected {rule}")
    return f"epoch {epoch} of trial {won.number} trained again: {len(expected)} values, {rule}"


def _run_script(submission: Submission) -> dict[str, Any]:
    """The script's first report, from a clean interpreter without this environment's variables."""
    with tempfile.TemporaryDirectory() as folder:
        script, path = Path(folder) / "script.py", submission.data_path(folder)
        script.write_bytes(submission.files["script.py"])
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        command = [sys.executable, "-I", first_epoch.__file__, str(script), str(path.resolve())]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=kept | {"HOME": folder},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"the script did not report within {SECONDS} s") from None
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    must(done.returncode == 0, f"the script failed: {last}")
    reported: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return reported


def _near(seen: Any, value: Any) -> bool:
    """Whether a value is close enough for another machine; a text may differ."""
    return isinstance(value, str) or abs(seen - value) <= TOLERANCE * abs(value)
