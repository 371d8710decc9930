"""Whoever changed a hand-in is found out."""

import io
import re
import zipfile

import pytest
from handins import edited, failures, read

from search.coordinator import Clock, Coordinator
from search.executors.inline import Inline
from search.strategy import winner
from search.strategy.strategy import Strategy
from search.submission import check, figures, pack
from search.submission.submission import Submission
from search.winners import freezing


def test_a_change_without_new_digests_is_found(members):
    packed = read(io.BytesIO(pack.packed(members)))
    packed["trials.json"] = packed["trials.json"].replace(b'"seconds"', b'"Seconds"', 1)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in packed.items():
            file.writestr(name, text)
    findings = check.findings(Submission(content.getvalue()))
    broken = {each.name: each.message for each in findings if not each.holds}
    assert broken["digests"] == "DIGESTS has another digest than trials.json"
    assert "was not run" in broken["first report"]


def worst(trials):
    """The worst that is completed and counts."""
    own = [t for t in trials if t["state"] == "completed" and t["confirms"] is t["crossed"] is None]
    return max(own, key=lambda trial: trial["score"])


def better_score(trials):
    worst(trials)["score"] = -1.0


def no_score(trials):
    trials[3]["score"] = None


def one_fewer(trials):
    del trials[-1]


def gap(trials):
    del trials[4]


def restored(trials):
    trials[-1]["crossed"] = None


def backwards(trials):
    trials[3]["curve"].reverse()


def infinite(trials):
    trials[3]["curve"][0]["train_loss"] = float("inf")


def out_of_range(trials):
    trials[3]["params"]["x"] = trials[3]["config"]["x"] = 7.0


def other_code(trials):
    trials[3]["fingerprint"]["code"] = "0123456789ab"


def shorter(trials):
    worst(trials)["curve"][0]["seconds"] += 1


def better_repeat(trials):
    for trial in trials:
        if trial["confirms"] is not None:
            trial["score"] *= 0.5


def nonsense(trials):
    trials[3] = "\x1b[2Jnothing"


@pytest.mark.parametrize(
    "edit, name, said",
    [
        (better_score, "figures", "baseline score is .*, computed again -1.0"),
        (no_score, "trials", "trial 3 is completed with score None"),
        (one_fewer, "void trials", "the void list names trials that are missing: "),
        (gap, "trials", "not numbered from 0"),
        (restored, "void trials", "is not void, unlike in the void list"),
        (backwards, "curves", "the epochs of trial 3 do not rise"),
        (infinite, "curves", "epoch 1 of trial 3 is not finite"),
        (out_of_range, "settings", "trial 3: x is out of range"),
        (other_code, "fingerprints", "differ in their code"),
        (shorter, "figures", "seconds is .*, computed again"),
        (better_repeat, "the winner", "its scores: .*, computed again"),
        (nonsense, "trials", r"cannot be read: TypeError"),
    ],
)
def test_changed_trials_are_found(members, edit, name, said):
    broken = failures(edited(members, "trials.json", edit))
    assert re.search(said, broken[name]), broken
    assert all(text.isprintable() for text in broken.values())


def test_check_another_winner_fails_in_each_file_that_names_it(study):
    other = winner.candidates(study)[1]
    coordinator = Coordinator(Strategy(study), Inline(study), (), Clock())
    for seed in (1, 2):
        coordinator.start([coordinator.strategy.replicate(other.trial, seed)])
        coordinator.executor.listen(coordinator, 0)
    members, other = pack.members_of(study, lambda _: "run"), winner.candidates(study)[1]
    view = Submission(pack.packed(members)).view
    record = check.winner_record(other)
    assert record["confirmed"] and other.trial.number != winner.choose(study).trial.number
    forged = edited(members, "study.json", lambda about: about.update(winner=record))
    assert failures(forged).keys() == {"the winner"}
    forged["report.txt"] = figures.text_of(view, other).encode()
    forged["script.py"] = freezing.freeze(study, other, "run").encode()
    broken = failures(forged)
    number = winner.choose(study).trial.number
    assert broken["the winner"] == f"study.json names trial {other.trial.number}, but trial {number} wins"
    assert broken["figures"].startswith(("winner is", "winner's"))
    assert broken["script"] == "its record has another trial than the winner"


@pytest.mark.parametrize(
    "line", [b"best score: 0.0", b"best score: null", b"best score: 1e-9\ngood: 1", b"best score: 1\nvoid: 2"]
)
def test_a_figure_that_the_trials_do_not_give_is_found(members, line):
    text = members["report.txt"].split(b"\n")
    at = next(number for number, each in enumerate(text) if each.startswith(b"best score:"))
    text[at] = line
    assert failures(members | {"report.txt": b"\n".join(text)}).keys() == {"figures"}


def test_a_page_that_says_what_the_trials_do_not_is_found(members):
    page = members["report.html"]
    assert b"the estimate from 3 seeds" in page
    told = page.replace(b"the estimate from 3 seeds", b"the estimate from 9 seeds")
    assert failures(members | {"report.html": told}).keys() == {"the page"}


def test_check_report_with_another_heading_fails(members):
    text = members["report.txt"].replace(b"lower is better", b"higher is better")
    broken = failures(members | {"report.txt": text})
    assert broken == {"figures": "report.txt begins with other words than a report"}


def test_check_trials_with_another_score_than_study_json_states_fail(members):
    def other(trials):
        for trial in trials:
            trial["fingerprint"]["score"] = "maximize height"

    broken = failures(edited(members, "trials.json", other))
    assert broken == {"fingerprints": "study.json states another score than the trials"}


def test_other_data_and_none_are_found(members):
    assert "cannot be read" in failures(members | {"sine-builtin.npz": b"PK"})["the data"]
    moved = edited(members, "study.json", lambda about: about.update(data_file="course.npz"))
    assert (
        "neither in the zip nor on this machine: name its folder with DATA_DIR="
        in failures(moved)["the data"]
    )
    moved = edited(members, "study.json", lambda about: about.update(data_file="../x"))
    assert "not the name of a data file" in failures(moved)["the data"]
