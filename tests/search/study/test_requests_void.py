"""Trials that other programs make void while they are searched."""

import json

from asked import ADA, Watcher, searched_on
from stores import here

from search.coordinator import Clock, Coordinator
from search.executors.inline import Inline
from search.storage.memory import MemoryStore
from search.strategy.strategy import Strategy
from search.study.opening import hold_study, open_study
from search.study.requests import Inbox, ask_for_trial, ask_to_void, is_asked
from search.trainers.messages import STOP


def test_trials_are_made_void_while_they_are_searched_and_count_again(bowl):
    with open_study(here(), bowl) as study:
        searched_on(study, 8)
        best = study.best().number
        ask_to_void(here(), study, "void", [best, 0], "the mask was wrong", ADA)
        watcher = Watcher()
        searched_on(study, 8, watcher)
        assert watcher.lines[0].startswith("Trials ") and f"asked for by {ADA}: the mask" in watcher.lines[0]
        assert study.trial(best).void.who == ADA and study.best().number != best
        draws = [trial.draw for trial in study.history() if trial.state != "interrupted"]
        assert sorted(draws) == list(range(8))  # the draws were made again
        ask_to_void(here(), study, "restore", [0], "it was right", ADA)
        searched_on(study, 8)
        assert study.trial(0).void is None and not is_asked(study)


def test_a_trial_that_waits_when_it_is_made_void_is_ended_and_its_draw_made_again(bowl, monkeypatch):
    monkeypatch.setattr("search.study.requests.LOOK_SECONDS", 0.0)
    voided = []

    def void(event, trial):
        if event == "paused" and not voided:
            voided.append(trial)
            ask_to_void(here(), study, "void", [trial.number], "wrong", ADA)

    with open_study(here(), bowl) as study:
        searched_on(study, 12, Watcher(void))
        trial = study.trial(voided[0].number)
        assert (trial.state, trial.reason) == ("pruned", "it was made void while it waited")
        assert study.n_finished() == 12
        assert [each.params for each in study.history() if each.draw == trial.draw] == [trial.params]


def test_a_trial_that_trains_when_it_is_made_void_ends_at_its_next_epoch(bowl):
    entry = {"epoch": 1, "seconds": 0.1, "time": 1e9, "train_loss": 1.0, "validation_loss": 1.0}
    with open_study(here(), bowl) as study:
        coordinator = Coordinator(Strategy(study), Inline(study), [], Clock())
        coordinator.start(coordinator.next_trials())
        ask_to_void(here(), study, "void", [0], "wrong", ADA)
        coordinator.take_requests()
        assert study.trial(0).void and study.trial(0).state == "running"
        assert coordinator.reported(0, {**entry, "validation_height": 1.0}) == STOP
        assert study.trial(0).reason == "it was made void while it trained"
        assert coordinator.next_trials()[0].draw == 0


def test_trials_are_made_void_once_however_often_the_request_is_read(searched):
    request = ask_to_void(here(), searched, "void", [1], "wrong", ADA)
    record = dict(here().requests("searched").pending())[request]
    Inbox(searched, print).look()
    searched.void("restore", [1], "it was right")
    path = here().folder / "searched.requests" / f"{request}.json"
    path.write_text(json.dumps(record))
    Inbox(searched, print).look()
    assert searched.trial(1).void is None and not is_asked(searched)
    assert [entry.action for entry in searched.void_entries()] == ["void", "restore"]
    searched.__exit__()
    assert hold_study(here(), "searched").void_entries()[0].request == request


def test_coordinators_that_share_a_study_train_a_request_once_and_see_each_others_void_trials(bowl):
    store = MemoryStore()
    first, second = (open_study(store, bowl, "s", join=True) for _ in range(2))
    with first, second:
        searched_on(first, 4)
        inboxes = Inbox(first, print), Inbox(second, print)
        ask_for_trial(store, first, {"x": 0.3}, ADA)
        assert all(inbox.look(at_once=True) for inbox in inboxes)
        started = [
            study.exclusive(lambda: inbox.next_trial(Strategy(study).try_own))  # noqa: B023
            for study, inbox in zip((first, second), inboxes)
        ]
        assert started[0].draw == -1 and started[1] is None
        ask_to_void(store, second, "void", [1], "wrong", ADA)
        inboxes[0].look(at_once=True)
        assert second.exclusive(lambda: second.trial(1).void.who) == ADA
        inboxes[1].look(at_once=True)
        assert len(second.void_entries()) == 1
