"""Hand-ins of other versions hold, and whoever changed one is found out all the same."""

import json
import re
import statistics

import pytest
from handins import edited, failures

from search.submission import check, pack
from search.submission.submission import Submission


def by_version(members, version):
    """The hand-in as another version would have written it, in other words; version 0.1 had plain means."""
    won = json.loads(members["study.json"])["winner"]
    mean = statistics.fmean(won["scores"]) if version in (None, "0.1.0") else won["mean"]

    def edit(about):
        about["winner"]["mean"] = mean
        del about["version"]
        if version:
            about["version"] = version

    names = {
        b"replicates:": b"repeats:",
        b"superseded:": b"aside:",
        b"infeasible: 0\n": b"",
        b"Scores": b"They",
        f"winner's mean: {won['mean']}".encode(): f"winner's mean: {mean}".encode(),
    }
    report = members["report.txt"]
    for today, then in names.items():
        report = report.replace(today, then)
    page = members["report.html"].replace(b"What next", b"And now")
    return edited(members, "study.json", edit) | {"report.txt": report, "report.html": page}


@pytest.mark.parametrize("version", [None, "0.1.0", "9.0"])
def test_check_hand_in_of_another_version_holds_and_says_what_is_not_compared(members, version):
    content = pack.packed(by_version(members, version))
    results = {each.name: each for each in check.findings(Submission(content), run=False)}
    assert all(each.holds for each in results.values()), results
    stated = f"Version {version or '0.1'} worded the rest, which is NOT compared"
    assert stated in results["the page"].message


@pytest.mark.parametrize("version, broken", [(None, set()), ("9.0", {"figures"})])
def test_check_standard_error_is_not_judged_of_version_0_1_alone(members, version, broken):
    moved = by_version(members, version)
    report = re.sub(rb"winner's standard error: .*", b"winner's standard error: 0.5", moved["report.txt"])
    assert failures(moved | {"report.txt": report}).keys() == broken


def test_check_winner_of_version_0_1_without_the_mean_of_its_trials_fails(members):
    moved = by_version(members, None)
    better = edited(moved, "study.json", lambda about: about["winner"].update(mean=0.001))
    assert failures(better).keys() == {"the winner"}
    other = edited(moved, "study.json", lambda about: about["winner"].update(trial=0))
    assert "which is unconfirmed, unlike others" in failures(other)["the winner"]
    none = edited(moved, "study.json", lambda about: about["winner"].update(trial=1))
    assert "which cannot have won" in failures(none)["the winner"]


def test_check_hand_in_of_another_version_with_a_forged_table_fails(members):
    moved = by_version(members, None)
    page = re.sub(rb'data-value="0\.\d+"', b'data-value="0.123456"', moved["report.html"], count=1)
    assert page != moved["report.html"]
    assert failures(moved | {"report.html": page}).keys() == {"the page"}
