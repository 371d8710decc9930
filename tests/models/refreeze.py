"""Cut the committed frozen scripts anew from today's sources: their records, values and ranges stay.

`make refreeze`, and then `make test-slow`, which proves that they still reach their scores.
"""

import sys
from pathlib import Path

from search import tasks
from search.frozen_script import files
from search.frozen_script.script import recut

FROZEN = Path(__file__).parents[2] / "models" / "frozen"

if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in FROZEN.glob("*.py")):
        path = FROZEN / f"{name}.py"
        text = recut(path.read_text(encoding="utf-8"), tasks.find(name))
        print(f"{name}: {'as before' if text == path.read_text(encoding='utf-8') else 'cut anew'}")
        files.write(path, text)
