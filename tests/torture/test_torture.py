"""The torture itself: planted faults that it finds. `make test-all` runs its parts."""

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from stores import here

from search.executors.inline import Inline
from search.study.opening import open_study
from tests.torture import __main__ as runner
from tests.torture import checkout

pytestmark = pytest.mark.thorough

SEED = 1
SEARCH = "search --task bowl --trainers inline --confirm 0 --trials 4"


@pytest.fixture
def homes():
    """The module of that name: it imports for seconds what searches need."""
    from tests.torture import homes

    return homes


def test_copy_of_a_checkout_has_its_files_and_none_of_its_studies(tmp_path):
    checkout.copy(tmp_path / "copy")
    assert (tmp_path / "copy" / "search" / "__main__.py").read_bytes() == (
        checkout.ROOT / "search" / "__main__.py"
    ).read_bytes()
    assert list((tmp_path / "copy" / "mlruns").iterdir()) == []
    command = [sys.executable, "-c", "from search import paths; print(paths.ROOT)"]
    done = subprocess.run(command, cwd=tmp_path / "copy", capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'copy'}\n"
    status = ["git", "status", "--porcelain"]
    assert subprocess.run(status, cwd=tmp_path / "copy", capture_output=True, check=True).stdout == b""


def part(outcomes):
    """A part that yields these."""
    return SimpleNamespace(__name__="planted", TITLE="planted", QUICK=3, FULL=30, run=outcomes)


def test_what_a_part_yields_is_counted(homes, tmp_path):
    planted = part(lambda random, count, folder: [None, "broken", homes.Skipped("no tool")][:count])
    tally = runner.torture(planted, SEED, False, tmp_path)
    assert (tally.cases, tally.violations, tally.skipped) == (3, ["broken"], ["no tool"])
    assert list(runner.table([tally]))[1].split()[:4] == ["planted", "3", "1", "1"]


def test_a_seed_replays_a_part_and_a_part_that_fails_is_a_violation(homes, tmp_path):
    planted = part(lambda random, count, folder: [str(random.random()) for _ in range(count)])
    first, again, other = (runner.torture(planted, seed, False, tmp_path).violations for seed in (1, 1, 2))
    assert first == again != other
    failing = part(lambda random, count, folder: (1 / 0 for _ in range(count)))
    assert (
        "the part itself failed: ZeroDivisionError"
        in runner.torture(failing, 1, True, tmp_path).violations[0]
    )


def test_parts_that_are_none_are_said_in_one_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        runner.main(["--only", "kills,nothing"])
    assert "unknown part 'nothing': valid are" in capsys.readouterr().err.splitlines()[-1]


def test_a_result_that_was_said_and_then_lost_is_found(homes, tmp_path):
    home = homes.Home(tmp_path / "lost")
    assert home.wrong(SEARCH, 4) == []
    path = here().path(homes.NAME)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    scored = [
        place for place, record in enumerate(records) if (record["op_code"], record.get("state")) == (6, 1)
    ]
    del records[scored[-1]]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    wrong = " ".join(home.wrong(SEARCH, 4))
    assert "was said to be" in wrong and "and is interrupted" in wrong


def test_a_search_that_does_not_do_what_was_asked_is_found(homes, tmp_path):
    home = homes.Home(tmp_path / "few")
    assert home.wrong(SEARCH, 5) == ["4 trials count, and 5 were asked for"]
    assert "ended with 2: error: unknown TASK" in home.wrong("search --task bowls", 5)[0]


def test_two_that_search_one_after_the_other_are_not_one_that_searches(homes, tmp_path):
    from tests.torture import starts

    home = homes.Home(tmp_path / "two")
    searches = [home.run(SEARCH) for _ in range(2)]
    wrong = list(starts.one_searches([search for _, search in searches], [code for code, _ in searches]))
    assert wrong and wrong[0].startswith("they ended with [0, 0]")


def test_a_reason_that_is_not_that_of_the_mood_is_found(moody):
    from search.coordinator import search
    from tests.torture import moods

    with open_study(here(), moody("error", baseline="error")) as study:
        search(study, Inline(study), trials=1)
        trial = study.trial(0)
    assert list(moods.untold(trial)) == []
    assert list(moods.untold(replace(trial, reason=""))) == ["trial 0 in the mood 'error' is failed: "]
