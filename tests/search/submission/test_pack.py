"""A hand-in holds all of a study, and none of the machine that it was made on."""

import json
from dataclasses import replace

import pytest
from handins import failures, read
from stores import here

from search import paths
from search.cli.app import main
from search.coordinator import search
from search.errors import NoWinner, TrialbookError
from search.executors.inline import Inline
from search.frozen_script import files
from search.strategy import winner
from search.study.opening import open_study
from search.submission import check, pack
from search.submission.submission import REQUIRED, trial_from_record
from search.winners import freezing


def test_it_holds_every_trial_and_all_of_each(study):
    members = pack.members_of(study, lambda _: "run")
    trials = [trial_from_record(fields) for fields in json.loads(members["trials.json"])]
    assert len(trials) == len(list(study.trials()))
    for trial, original in zip(trials, study.trials(), strict=True):
        for name in ("number", "state", "config", "score", "curve", "started", "fingerprint", "provenance"):
            assert getattr(trial, name) == getattr(original, name)
    assert {trial.kind for trial in trials} == {"completed", "pruned", "replicates", "void"}
    assert json.loads(members["study.json"])["winner"]["mean"] == winner.choose(study).mean
    assert members.keys() == REQUIRED - {"DIGESTS"} | {"sine-builtin.npz"}


def test_it_names_no_folder_and_no_user(study):
    members = pack.members_of(study, lambda _: "run")
    text = b"".join(members[name] for name in REQUIRED - {"DIGESTS"})
    assert b"no 'x.npz' here" in members["trials.json"]
    assert b"/home" not in text and str(paths.home()).encode() not in text
    assert study.void_entries()[0].who.encode() not in text


def test_the_same_study_gives_the_same_bytes(study, tmp_path):
    first = pack.write(study, lambda _: "run", tmp_path / "a")
    assert pack.write(study, lambda _: "run").read_bytes() == first.read_bytes()
    assert first.name == "searched-handin.zip" and not list(paths.home().glob("*.zip.*"))


def test_from_the_command_line(study, database, tmp_path, capsys):
    study.__exit__()
    named = ["handin", "--task", "bowl", "--study", "searched"]
    assert main([*named, "--out", str(tmp_path / "out")]) == 0
    path = tmp_path / "out" / "searched-handin.zip"
    assert f"wrote {path}" in capsys.readouterr().out
    assert main(["check-handin", "--zip", str(path), "--run", "0"]) == 0
    out = capsys.readouterr().out
    assert out.count("\nyes ") == len(check.CHECKS) - 1 and "The hand-in passed every check." in out
    path.write_bytes(pack.packed(read(path) | {"report.txt": b""}))
    assert main(["check-handin", "--zip", str(path), "--run", "0"]) == 1
    assert "NO  figures" in capsys.readouterr().out
    assert main(["check-handin", "--zip", str(tmp_path)]) == 2
    assert main([*named, "--out", str(path)]) == 2


@pytest.mark.integration
def test_nothing_is_written_of_a_study_without_a_winner_or_of_one_that_would_not_pass(bowl, study):
    with open_study(here(), bowl, "empty") as empty, pytest.raises(NoWinner):
        pack.write(empty, lambda _: "run")
    study.description = replace(study.description, digest="0123456789ab")
    with pytest.raises(TrialbookError, match="is not what the trial was trained on"):
        pack.write(study, lambda _: "run")
    # As if its script had been proved all the same.
    files.write(paths.frozen("bowl"), freezing.freeze(study, winner.choose(study), "run"))
    with pytest.raises(TrialbookError, match="would fail its check"):
        pack.write(study, lambda _: "run")
    assert not list(paths.home().glob("*.zip*"))


def test_a_task_whose_trials_make_text_is_handed_in_too(moody):
    with open_study(here(), moody("late nan", "error"), "moods") as study:
        search(study, Inline(study), trials=12)
        files.write(paths.frozen("moody"), freezing.freeze(study, winner.choose(study), "run"))
        assert failures(pack.members_of(study, lambda _: "run")) == {}


def test_write_task_whose_names_are_not_in_alphabetical_order_passes_its_check():
    from objectives import texts

    with open_study(here(), texts, "texts") as study:
        search(study, Inline(study), trials=12)
        assert list(study.ranges()) == ["word", "share"]
        assert list(winner.choose(study).trial.config) != sorted(winner.choose(study).trial.config)
        files.write(paths.frozen("texts"), freezing.freeze(study, winner.choose(study), "run"))
        members = read(pack.write(study, lambda _: "run"))
    assert failures(members) == {}
    assert list(json.loads(members["study.json"])["space"]) == ["word", "share"]
