"""The study: opened, asked, told, resumed."""

import math

import pytest

from search import places
from search.coordinator import search
from search.errors import NoWinner, StoreError, StudyConflict, UsageError
from search.study import Study, names
from search.trainers.inline import Inline


def test_trial_0_is_the_baseline(searched, bowl):
    first = next(searched.trials())
    assert first.params == {"x": 0.9, "y": 50}
    assert first.proposal.startswith("baseline")


def test_a_trial_keeps_all_that_is_shown_of_it(searched):
    trial = Study.read("searched").trial(0)
    assert trial == searched.trial(0)
    assert trial.state == "completed" and trial.reason
    assert trial.config["epochs"] == 5 and trial.config["seed"] > 0
    assert trial.score == pytest.approx(0.6**2 + 0.3**2)
    assert trial.standard_error == 0.001
    assert [entry["epoch"] for entry in trial.curve] == [1, 2, 3, 4, 5]
    assert trial.curve[1]["validation_height"] == pytest.approx(trial.score + 1 / 2)
    assert all(entry["seconds"] > 0 and entry["time"] > 1e9 for entry in trial.curve)
    assert trial.weights == 2
    assert trial.provenance["machine"]["threads"] == 1 and "torch" in trial.provenance["packages"]
    assert 0 < trial.seconds < 60


def test_every_draw_has_a_seed_of_its_own(searched):
    seeds = [trial.config["seed"] for trial in searched.trials()]
    assert len(set(seeds)) == len(seeds) == 12


def test_best_is_the_completed_trial_with_the_best_score(searched):
    completed = [trial for trial in searched.trials() if trial.state == "completed"]
    assert searched.best().score == min(trial.score for trial in completed)


def test_of_equal_scores_the_smaller_network_is_best():
    from objectives import regression

    with Study.open(regression) as study:
        for score in (0.5, 0.25, 0.25, 0.25):
            study.tell(study.ask().number, "completed", "told so", (score, 0.1))
        smallest = min(list(study.trials())[1:], key=lambda trial: trial.weights)
        assert len({trial.weights for trial in study.trials()}) == 4
        assert study.best() == smallest


def test_no_trial_no_winner(bowl):
    with Study.open(bowl) as study, pytest.raises(NoWinner, match="no completed trial"):
        study.best()


def test_a_study_that_is_resumed_goes_on_as_if_it_had_not_been_interrupted(bowl):
    with Study.open(bowl, "whole", seed=7) as study:
        search(study, Inline(study), trials=15)
    for trials in (1, 2, 11, 15):
        with Study.open(bowl, "parts") if trials > 1 else Study.open(bowl, "parts", seed=7) as study:
            search(study, Inline(study), trials=trials)
    whole, parts = Study.read("whole"), Study.read("parts")
    assert [(t.params, t.config, t.score, t.state) for t in whole.trials()] == [
        (t.params, t.config, t.score, t.state) for t in parts.trials()
    ]


def test_seeds_differ_between_studies_of_other_seeds(bowl):
    drawn = []
    for seed in (0, 1):
        with Study.open(bowl, f"seed-{seed}", seed=seed) as study:
            search(study, Inline(study), trials=3)
            drawn.append([trial.params for trial in study.trials()])
    assert drawn[0][0] == drawn[1][0] and drawn[0][1:] != drawn[1][1:]


def test_trials_that_a_killed_search_left_are_closed_and_retried(bowl):
    with Study.open(bowl, "killed") as study:
        search(study, Inline(study), trials=3)
        left = study.ask()
        study.report(left.number, {"epoch": 1, "validation_height": 0.5})
    with Study.open(bowl, "killed") as study:
        assert study.trial(3).state == "interrupted" and len(study.trial(3).curve) == 1
        assert study.counted() == 3
        search(study, Inline(study), trials=4)
        assert study.counted() == 4
        retry = study.trial(4)
        assert (retry.retry_of, retry.draw, retry.config) == (3, 3, left.config)
        assert retry.proposal == "retry of trial 3"


def test_a_search_killed_before_its_trial_was_described_is_resumed(bowl):
    with Study.open(bowl, "killed") as study:
        study._optuna.ask()
    with Study.open(bowl, "killed") as study:
        search(study, Inline(study), trials=2)
        assert [trial.state for trial in study.trials()] == ["interrupted", "completed", "completed"]
        assert study.trial(1).params == {"x": 0.9, "y": 50}


def test_a_killed_tell_is_no_result(bowl):
    with Study.open(bowl, "killed") as study:
        study.ask()
    path = places.studies() / "killed.journal"
    with Study.open(bowl, "killed") as study:
        trial = study.ask()
        study.tell(trial.number, "completed", "trained to the end", (0.5, 0.1))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))  # the outcome is written, the state is not
    with Study.open(bowl, "killed") as study:
        assert study.trial(1).state == "interrupted" and study.trial(1).score is None


def test_two_searches_of_one_study(bowl):
    with Study.open(bowl, "one"), pytest.raises(StudyConflict, match="being searched by process"):
        Study.open(bowl, "one")
    with Study.open(bowl, "one"):
        assert Study.read("one").counted() == 0  # looking is always possible


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", ".hidden", "-x", "a b", "ä", "x" * 64, "a\n"])
def test_bad_names_are_refused_and_nothing_is_written(bowl, name, home):
    with pytest.raises(UsageError, match="is no name: valid are"):
        Study.open(bowl, name)
    assert not home.exists()


def test_an_unknown_source_is_refused_and_nothing_is_written(bowl, home):
    with pytest.raises(UsageError, match="unknown DATA 'curse': valid are builtin"):
        Study.open(bowl, source="curse")
    assert not home.exists()


def test_a_study_of_something_else_is_refused(bowl, moody):
    with Study.open(bowl, "mine", seed=1):
        pass
    for task, seed, what in ((moody(), None, "task"), (bowl, 2, "seed")):
        with pytest.raises(StudyConflict, match=f"'mine' has as its {what}"):
            Study.open(task, "mine", seed=seed)


def test_a_study_whose_space_changed_is_refused(moody):
    with Study.open(moody("nan"), "moods"):
        pass
    with pytest.raises(StudyConflict, match="as its space another one"):
        Study.open(moody("error"), "moods")


def test_a_study_whose_data_changed_is_refused(bowl, monkeypatch):
    with Study.open(bowl, "mine"):
        pass
    monkeypatch.setattr("data.digest", lambda arrays: "0" * 12)
    with pytest.raises(StudyConflict, match="data of study 'mine' was .*, is 000000000000"):
        Study.open(bowl, "mine")


def test_an_unknown_study_is_answered_with_those_there_are(searched):
    with pytest.raises(UsageError, match="valid are searched. Did you mean 'searched'"):
        Study.read("serched")
    assert names() == ["searched"]


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"not a journal\n", b"\x00\xff\n"])
def test_a_damaged_journal_is_refused_in_one_line_and_left_alone(bowl, damage):
    with Study.open(bowl, "mine"):
        pass
    path = places.studies() / "mine.journal"
    path.write_bytes(damage)
    with pytest.raises(StoreError, match="mine.journal is damaged"):
        Study.open(bowl, "mine")
    assert path.read_bytes() == damage


def test_scores_survive_to_the_last_bit(searched):
    for mine, read in zip(searched.trials(), Study.read("searched").trials(), strict=True):
        assert mine.score is None or math.copysign(1, mine.score) == math.copysign(1, read.score)
        assert mine == read
