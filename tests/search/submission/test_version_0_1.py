"""A hand-in that version 0.1 wrote still passes its check.

`version_0_1/` holds its files. The script is cut after its Config, and the page has lost what draws.
"""

import json
from pathlib import Path

import pytest

from search.submission import check
from search.submission.pack import packed
from search.submission.submission import Submission

FILES = Path(__file__).with_name("version_0_1")


@pytest.fixture
def members(bowl):
    names = {path.name: path.read_bytes() for path in FILES.iterdir()}
    names["script.py"] = names.pop("script.txt")
    data_file = bowl.DATA.prepare("builtin")
    return names | {data_file.name: data_file.read_bytes()}


def messages(members):
    """The messages of all checks, and the names of those that failed."""
    results = list(check.findings(Submission(packed(members)), run=False))
    return {each.name: each.message for each in results}, {each.name for each in results if not each.holds}


def test_check_hand_in_of_version_0_1_holds(members):
    seen, failed = messages(members)
    assert failed == set(), seen
    assert seen["void trials"] == "1 in all, as the void list states"
    figures = "24 figures, each computed again from trials.json, except the winner's standard error"
    assert seen["figures"] == figures
    rule = "Version 0.1 chose by another rule, which is NOT compared; today's names trial 0"
    assert seen["the winner"] == f"trial 0, with the scores and the mean of its trials. {rule}"
    assert seen["the page"].endswith("Version 0.1 worded the rest, which is NOT compared")


def test_view_of_version_0_1_has_todays_kinds_and_names(members):
    view = Submission(packed(members)).view
    assert [trial.kind for trial in view.trials()] == ["completed", "void", *["replicates"] * 4]
    assert [trial.replicate_of for trial in view.trials() if trial.replicate == 2] == [1, 0]
    assert [entry.action for entry in view.void_entries()] == ["void"]
    assert len(view.test_evaluations()) == 1


@pytest.mark.parametrize(
    "name, old, new, failed",
    [
        ("report.txt", b"repeats: 4", b"repeats: 5", "figures"),
        ("report.txt", b"aside: 0", b"aside: 0\nsuperseded: 0", "figures"),
        ("report.html", b'data-value="0.45', b'data-value="0.15', "the page"),
        ("study.json", b'"confirmed": true', b'"confirmed": false', "the winner"),
        ("study.json", b'"action": "void"', b'"action": "aside"', "void trials"),
    ],
)
def test_check_forged_hand_in_of_version_0_1_fails(members, name, old, new, failed):
    forged = members[name].replace(old, new, 1)
    assert forged != members[name]
    assert failed in messages(members | {name: forged})[1]


def test_check_version_0_1_without_infeasible_trials_cannot_hide_one(members):
    trials = json.loads(members["trials.json"])
    trials[5] |= {"state": "infeasible", "score": None, "curve": [], "confirms": None}
    forged = members | {"trials.json": json.dumps(trials).encode()}
    seen, failed = messages(forged)
    assert "figures" in failed and seen["figures"] == "report.txt has other figures than a report has"
