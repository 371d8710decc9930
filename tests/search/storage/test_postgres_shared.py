"""Coordinators that share a study in PostgreSQL, and whatever becomes of them."""

import itertools

import forks
import optuna
from coordinators import Coordinators, each_draw_was_tried_once
from databases import end_backends
from logs import log_store, projection
from stores import found, here

from search.coordinator import search
from search.executors.inline import Inline
from search.maintenance import audit
from search.storage import postgres
from search.strategy.strategy import Strategy
from search.study.opening import hold_study, open_study
from search.study.stored import StoredStudy


def test_four_coordinators_try_each_draw_once(bowl, storage, database):
    assert Coordinators(4, 40).end() == [0] * 4
    study = StoredStudy.read(here(), "bowl-builtin")
    trials = list(study.trials())
    assert study.n_finished() == len(trials) == 40 and not any(trial.state == "running" for trial in trials)
    assert sorted(trial.draw for trial in trials) == list(range(40))
    assert len({trial.coordinator for trial in trials}) > 1
    with hold_study(here(), "bowl-builtin") as study:
        study.set_budget(40, None)
        projection(study).bring_up_to_date()
    assert audit.audit(here(), "bowl-builtin", log_store()) == []


def test_what_coordinators_that_died_left_is_tried_by_the_others(bowl, storage):
    assert Coordinators(4, 40, dying=2).end() == [0, 0, 9, 9]
    study = StoredStudy.read(here(), "bowl-builtin")
    trials = list(study.trials())
    assert study.n_finished() == 40 and not any(trial.state == "running" for trial in trials)
    lost = [trial for trial in trials if trial.state == "interrupted"]
    assert lost and all(
        trial.draw in [each.draw for each in trials if each.retry_of is not None] for trial in lost
    )


def test_coordinators_whose_sessions_are_ended_at_random_try_each_draw_once(bowl, storage, database):
    coordinators = Coordinators(3, 40, lease=60)
    coordinators.disturb(storage)
    assert coordinators.end() == [0] * 3
    study = StoredStudy.read(here(), "bowl-builtin")
    assert study.n_finished() == 40 and each_draw_was_tried_once(list(study.trials()), 40)
    with hold_study(here(), "bowl-builtin") as study:
        study.set_budget(40, None)
        projection(study).bring_up_to_date()
    assert audit.audit(here(), "bowl-builtin", log_store()) == []


def test_draw_whose_turn_is_lost_in_its_middle_is_tried_once(bowl, storage, monkeypatch):
    space, losses = bowl.space, iter([1, 1, 0, 1])  # twice in one draw, and in the next but one

    def cut_off(trial):
        if isinstance(trial._trial, optuna.Trial) and next(losses, 0):
            end_backends(storage)
        return space(trial)

    monkeypatch.setattr(bowl, "space", cut_off)
    with open_study(here(), bowl, join=True) as study:
        search(study, Inline(study), trials=6)
        trials = list(study.trials())
        assert each_draw_was_tried_once(trials, 6) and study.n_finished() == 6 and len(trials) == 9
    assert found(StoredStudy.read(here(), "bowl-builtin")) == found(study)


def test_a_coordinator_that_was_held_for_dead_goes_on_with_other_trials(bowl, storage, monkeypatch):
    monkeypatch.setattr(postgres, "LEASE", 0)
    with open_study(here(), bowl, join=True) as slow:
        trial = Strategy(slow).ask()
        with open_study(here(), bowl, join=True) as other:
            other.heartbeat()
            assert other.trial(trial.number).state == "interrupted"
        search(slow, Inline(slow), trials=3)
        assert slow.n_finished() == 3 and slow.trial(trial.number).state == "interrupted"


def test_coordinators_that_search_as_commands_keep_one_log(storage, database):
    command = ["search", "--task", "bowl", "--storage", storage, "--join"]
    command += ["--trainers", "inline", "--trials", "12", "--confirm", "2"]
    processes, *streams = zip(*(forks.start(*command) for _ in range(2)))
    printed = []
    for stream in itertools.chain(*streams):
        with stream:
            printed.append(stream.read())
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0], printed
    assert StoredStudy.read(here(), "bowl-builtin").n_finished() == 12
    assert audit.audit(here(), "bowl-builtin", log_store()) == [], printed
