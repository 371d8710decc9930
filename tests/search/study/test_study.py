"""The study: opened, asked, told, resumed."""

import math

import pytest
from executor_tests import assert_same_trainings
from stores import here

from search import paths
from search.coordinator import search
from search.errors import NoWinner, StoreError, StudyConflict, UsageError
from search.executors.inline import Inline
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.stored import StoredStudy

EPOCH = {"epoch": 1, "seconds": 0.1, "time": 1e9, "train_loss": 1.0, "validation_loss": 1.0}


def test_trial_0_is_the_baseline(searched, bowl):
    first = next(searched.trials())
    assert first.params == {"x": 0.9, "y": 50}
    assert first.proposal.startswith("baseline")


def test_a_trial_keeps_all_that_is_shown_of_it(searched):
    trial = StoredStudy.read(here(), "searched").trial(0)
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

    with open_study(here(), regression) as study:
        for score in (0.5, 0.25, 0.25, 0.25):
            study.tell(Strategy(study).ask().number, "completed", "told so", (score, 0.1))
        smallest = min(list(study.trials())[1:], key=lambda trial: trial.weights)
        assert len({trial.weights for trial in study.trials()}) == 4
        assert study.best() == smallest


def test_no_trial_no_winner(bowl):
    with open_study(here(), bowl) as study, pytest.raises(NoWinner, match="no completed trial"):
        study.best()


def test_a_study_that_is_continued_neither_repeats_a_draw_nor_leaves_one_out(bowl):
    for trials in (1, 2, 11, 15):
        with open_study(here(), bowl) as study:
            search(study, Inline(study), trials=trials)
    trials = list(StoredStudy.read(here(), "bowl-builtin").trials())
    assert [trial.draw for trial in trials] == list(range(15))
    assert len({trial.config["seed"] for trial in trials}) == 15
    assert len({tuple(trial.params.values()) for trial in trials}) == 15


def test_equal_seeds_make_equal_studies(bowl):
    for name in ("one", "other"):
        with open_study(here(), bowl, name, seed=7) as study:
            search(study, Inline(study), trials=15)
    assert_same_trainings(*(StoredStudy.read(here(), name) for name in ("one", "other")))


def test_seeds_differ_between_studies_of_other_seeds(bowl):
    drawn = []
    for seed in (0, 1):
        with open_study(here(), bowl, f"seed-{seed}", seed=seed) as study:
            search(study, Inline(study), trials=3)
            drawn.append([trial.params for trial in study.trials()])
    assert drawn[0][0] == drawn[1][0] and drawn[0][1:] != drawn[1][1:]


def test_trials_that_a_killed_search_left_are_closed_and_retried(bowl):
    with open_study(here(), bowl, "killed") as study:
        search(study, Inline(study), trials=3)
        left = Strategy(study).ask()
        study.report(left.number, EPOCH | {"validation_height": 0.5})
    with open_study(here(), bowl, "killed") as study:
        assert study.trial(3).state == "interrupted" and len(study.trial(3).curve) == 1
        assert study.n_finished() == 3
        search(study, Inline(study), trials=4)
        assert study.n_finished() == 4
        retry = study.trial(4)
        assert (retry.retry_of, retry.draw, retry.config) == (3, 3, left.config)
        assert retry.proposal == "retry of trial 3"


def test_a_search_killed_before_its_trial_was_described_is_resumed(bowl):
    with open_study(here(), bowl, "killed") as study:
        study._optuna.ask()
    with open_study(here(), bowl, "killed") as study:
        search(study, Inline(study), trials=2)
        assert [trial.state for trial in study.trials()] == ["interrupted", "completed", "completed"]
        assert study.trial(1).params == {"x": 0.9, "y": 50}


def test_a_killed_tell_is_no_result(bowl):
    with open_study(here(), bowl, "killed") as study:
        Strategy(study).ask()
    path = paths.studies() / "killed.journal"
    with open_study(here(), bowl, "killed") as study:
        trial = Strategy(study).ask()
        study.tell(trial.number, "completed", "trained to the end", (0.5, 0.1))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))  # the outcome is written, the state is not
    with open_study(here(), bowl, "killed") as study:
        assert study.trial(1).state == "interrupted" and study.trial(1).score is None


def test_two_searches_of_one_study(bowl):
    with open_study(here(), bowl, "one"), pytest.raises(StudyConflict, match="being searched by process"):
        open_study(here(), bowl, "one")
    with open_study(here(), bowl, "one"):
        assert StoredStudy.read(here(), "one").n_finished() == 0  # looking is always possible


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", ".hidden", "-x", "a b", "ä", "x" * 64, "a\n"])
def test_bad_names_are_refused_and_nothing_is_written(bowl, name, home):
    with pytest.raises(UsageError, match="is no name: valid are"):
        open_study(here(), bowl, name)
    assert not home.exists()


def test_an_unknown_source_is_refused_and_nothing_is_written(bowl, home):
    with pytest.raises(UsageError, match="unknown DATA 'curse': valid are builtin"):
        open_study(here(), bowl, source="curse")
    assert not home.exists()


def test_a_study_of_something_else_is_refused(bowl, moody):
    with open_study(here(), bowl, "mine", seed=1):
        pass
    for task, seed, what in ((moody(), None, "task"), (bowl, 2, "seed")):
        with pytest.raises(StudyConflict, match=f"'mine' has the {what}"):
            open_study(here(), task, "mine", seed=seed)


@pytest.fixture
def changed(searched, monkeypatch):
    """The study of the bowl, closed; since then the ranges have changed."""
    searched.__exit__()
    space = searched.task.space
    monkeypatch.setattr(searched.task, "space", lambda trial: space(Narrow(trial)))
    return searched.task


class Narrow:
    """A trial whose y goes to 60 only."""

    def __init__(self, trial):
        self.trial = trial

    def suggest_float(self, *arguments):
        return self.trial.suggest_float(*arguments)

    def suggest_int(self, name, low, high):
        return self.trial.suggest_int(name, low, 60)


def test_trials_of_other_ranges_are_never_mixed_with_new_ones(changed):
    with pytest.raises(StudyConflict, match="the space of task 'bowl' changed .* had trials 0-11: OLD="):
        open_study(here(), changed, "searched")
    with pytest.raises(UsageError, match="unknown OLD 'keep': valid are supersede, void"):
        open_study(here(), changed, "searched", old="keep")
    with open_study(here(), changed, "searched", old="supersede") as study:
        assert study.n_finished() == 0 and len(list(study.trials())) == 12
        assert {str(trial.void).split(" (")[0] for trial in study.trials()} == {
            "superseded: the space changed"
        }
        search(study, Inline(study), trials=12)
        assert study.n_finished() == 12 and study.trial(12).params == study.trial(0).params
        assert study.ranges()["y"].high == 60
    with open_study(here(), changed, "searched") as study:  # and then nothing has changed
        assert study.n_finished() == 12


def test_trials_of_other_code_are_never_mixed_with_new_ones(searched, monkeypatch):
    searched.__exit__()
    monkeypatch.setattr("search.frozen_script.source_code.Sources.digest", lambda self: "0" * 12)
    with pytest.raises(StudyConflict, match="the code of task 'bowl' changed since"):
        open_study(here(), searched.task, "searched")
    with open_study(here(), searched.task, "searched", old="void") as study:
        assert study.n_finished() == 0 and study.trial(3).void.action == "void"


def test_trials_on_other_data_are_never_mixed_with_new_ones(searched, monkeypatch):
    searched.__exit__()
    monkeypatch.setattr("data.digest", lambda arrays: "0" * 12)
    with pytest.raises(StudyConflict, match="the data of task 'bowl' changed since"):
        open_study(here(), searched.task, "searched")
    with open_study(here(), searched.task, "searched", old="supersede") as study:
        trial = Strategy(study).ask()
        assert trial.fingerprint["data"] == study.description.digest == "0" * 12


def test_ranges_of_another_kind_need_a_new_study(moody):
    with open_study(here(), moody("nan"), "moods") as study:
        search(study, Inline(study), trials=1)
    for old in (None, "supersede"):
        with pytest.raises(StudyConflict, match="began, to ranges of another kind: choose a new STUDY="):
            open_study(here(), moody("error"), "moods", old=old)


def test_what_is_crossed_out_counts_no_longer(searched):
    best = searched.best()
    searched.void("void", [best.number, 0], "the mask was wrong")
    assert searched.n_finished() == 10 and searched.best().score > best.score
    assert best.number not in {trial.number for trial in searched.history()}
    plotted = [trial for trial in searched.for_plots().trials if trial.state.is_finished()]
    assert [trial.number for trial in plotted] == [trial.number for trial in searched.history()]
    copied = searched.optuna_copy(lambda trial: {"state": trial.state})[0]
    assert [trial.number for trial in copied.trials] == [each.number for each in searched.history()]
    assert copied.best_trial.number == searched.best().number
    assert searched.trial(best.number).void.reason == "the mask was wrong"
    search(searched, Inline(searched), trials=12)
    again = searched.trial(12)
    assert (again.draw, again.params) == (0, searched.trial(0).params)  # its draw is drawn again
    assert again.proposal == "baseline: the task's defaults"


def sampled(study):
    """What the sampler and the pruner see."""
    return study._optuna.get_trials()


def test_void_and_unvoid_give_back_the_same_history(searched):
    before, trials = sampled(searched), list(searched.trials())
    searched.void("void", [1, 4, 5], "a bug")
    searched.void("void", [5, 6], "another")
    assert [trial.number for trial in sampled(searched)] == [0, 2, 3, 7, 8, 9, 10, 11]
    assert sampled(StoredStudy.read(here(), "searched")) == sampled(searched)
    searched.void("restore", [1, 4, 5, 6], "none")
    assert sampled(searched) == sampled(StoredStudy.read(here(), "searched")) == before
    assert list(searched.trials()) == trials
    assert [crossing.action for crossing in searched.void_entries()] == ["void", "void", "restore"]
    assert all(crossing.who and crossing.when for crossing in searched.void_entries())


def test_repeats_are_no_part_of_the_search(searched):
    before, best = sampled(searched), searched.best()
    strategy = Strategy(searched)
    repeat = strategy.replicate(best, 1)
    assert repeat.params == best.params and repeat.config["seed"] != best.config["seed"]
    assert (repeat.replicate_of, repeat.replicate, repeat.draw) == (best.number, 1, None)
    assert strategy.report(repeat.number, EPOCH | {"validation_height": 99.0}) is False  # never paused
    searched.tell(repeat.number, "completed", "trained to the end", (0.0, 0.001))
    assert sampled(searched) == sampled(StoredStudy.read(here(), "searched")) == before
    assert searched.best() == best and searched.n_finished() == 12


def test_an_unknown_study_is_answered_with_those_there_are(searched):
    with pytest.raises(UsageError, match="valid are searched. Did you mean 'searched'"):
        StoredStudy.read(here(), "serched")
    assert here().names() == ["searched"]


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"not a journal\n", b"\x00\xff\n"])
def test_a_damaged_journal_is_refused_in_one_line_and_left_alone(bowl, damage):
    with open_study(here(), bowl, "mine"):
        pass
    path = paths.studies() / "mine.journal"
    path.write_bytes(damage)
    with pytest.raises(StoreError, match="mine.journal is damaged"):
        open_study(here(), bowl, "mine")
    assert path.read_bytes() == damage


def test_scores_survive_to_the_last_bit(searched):
    for mine, read in zip(searched.trials(), StoredStudy.read(here(), "searched").trials(), strict=True):
        assert mine.score is None or math.copysign(1, mine.score) == math.copysign(1, read.score)
        assert mine == read
