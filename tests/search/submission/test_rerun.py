"""The script of a hand-in is run until its first report, which must be that of the trial."""

import pytest
from handins import edited, failures

from search.submission import check, pack
from search.submission.submission import Submission


@pytest.mark.integration
def test_all_of_it_holds_and_the_script_trains_as_the_trial_did(members):
    findings = list(check.findings(Submission(pack.packed(members))))
    assert [finding.message for finding in findings if not finding.holds] == []
    assert len(findings) == len(check.CHECKS) + 1
    assert "4 values, equal to the last bit" in findings[-1].message


@pytest.mark.integration
def test_a_script_that_trains_otherwise_is_found(members):
    script = members["script.py"].decode()
    other = script.replace("+ 1 / epoch", "+ 1.5 / epoch")
    assert other != script
    broken = failures(members | {"script.py": other.encode()}, run=True)
    assert broken.keys() == {"first report"} and "expected equal to the last bit" in broken["first report"]
    failing = script.replace("def build(config):", "def build(config):\n    raise OSError('no\\x1b[2J')\n")
    broken = failures(members | {"script.py": failing.encode()}, run=True)
    assert broken == {"first report": "the script failed: OSError: no?[2J"}


def test_a_script_of_other_settings_is_not_even_run(members):
    script = members["script.py"].replace(b"epochs: int = 5", b"epochs: int = 6")
    broken = failures(members | {"script.py": script}, run=True)
    assert broken == {
        "script": "its config is not the winner's",
        "first report": "the script was not run, because another check failed",
    }


@pytest.mark.integration
def test_on_another_machine_it_is_compared_within_a_tolerance(members):
    def elsewhere(trials):
        for trial in trials:
            trial["provenance"]["machine"]["python"] = "3.0"

    python = Submission(pack.packed(members)).trials[0].provenance["machine"]["python"]
    moved = edited(members, "trials.json", elsewhere)
    moved["script.py"] = moved["script.py"].replace(f'"{python}"'.encode(), b'"3.0"')
    for change, broken in ((b"1.01", set()), (b"1.5", {"first report"})):
        script = moved["script.py"].replace(b"+ 1 / epoch", b"+ " + change + b" / epoch")
        assert failures(moved | {"script.py": script}, run=True).keys() == broken
