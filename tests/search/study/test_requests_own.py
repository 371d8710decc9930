"""Own configurations, which other programs request of a search."""

import json

from asked import ADA, Watcher, searched_on
from stores import here

from search.coordinator import search
from search.executors.inline import Inline
from search.strategy.assessment import Limits
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.requests import ask_for_trial, is_asked
from search.study.stored import StoredStudy

WHY = f"own configuration, asked for by {ADA}"
REQUESTED = Limits(requested_only=True)


def test_an_own_configuration_trains_at_once_and_to_its_end_and_can_win(bowl):
    with open_study(here(), bowl) as study:
        searched_on(study, 6)
        request = ask_for_trial(here(), study, {"x": 0.3, "y": 20}, ADA)
        assert is_asked(study) and study.trial_of(request) is None
        trials = searched_on(study, 12)
        own = trials[6]
        assert study.trial_of(request) == own and not is_asked(study)
        assert (own.state, own.epochs, own.proposal, own.draw) == ("completed", 5, WHY, -1)
        assert own.params == {"x": 0.3, "y": 20} and study.best() == own
        assert study.n_finished() == 12  # it counts
    assert StoredStudy.read(here(), "bowl-builtin").trial_of(request).number == 6


def test_an_own_configuration_that_is_bad_is_neither_paused_nor_pruned(bowl):
    events = []
    with open_study(here(), bowl) as study:
        searched_on(study, 30)
        ask_for_trial(here(), study, {"x": 1.0, "y": 100}, ADA)
        searched_on(study, 31, Watcher(lambda event, trial: events.append((event, trial.number))))
        assert study.trial(30).state == "completed" and ("paused", 30) not in events
        assert study.trial(30) == study.completed()[-1]


def test_own_configurations_change_none_of_the_studys_own_draws(bowl):
    def draws(name, ask):
        with open_study(here(), bowl, name) as study:
            for params in ask:
                ask_for_trial(here(), study, params, ADA)
            trials = searched_on(study, 10 + len(ask))
            return {t.draw: (t.params, t.config["seed"], t.proposal) for t in trials if t.draw >= 0}, trials

    plain, _ = draws("plain", [])
    asked, trials = draws("asked", [{"x": 0.1}, {"x": 0.2}, {"x": 0.1}])
    assert asked == plain and plain[0][2] == "baseline: the task's defaults"
    assert [trial.draw for trial in trials[:4]] == [-1, -2, -3, 0]
    assert len({trial.config["seed"] for trial in trials}) == 13


def test_an_own_configuration_is_trained_when_the_search_has_reached_its_limit(bowl):
    with open_study(here(), bowl) as study:
        searched_on(study, 4)
        asked = []

        def ask(event, trial):
            if event == "finished" and trial.is_own and len(asked) < 2:
                asked.append(ask_for_trial(here(), study, {"y": len(asked)}, ADA))

        ask_for_trial(here(), study, {"x": 0.3}, ADA)
        trials = searched_on(study, 4, Watcher(ask))  # which is reached
        assert [trial.draw for trial in trials[4:]] == [-1, -2, -3] and len(asked) == 2
        assert {trial.state for trial in trials[4:]} == {"completed"}


def test_only_what_is_requested_is_trained_and_paused_trials_stay_as_they_are(bowl):
    with open_study(here(), bowl) as study:
        ask_for_trial(here(), study, {"x": 0.3}, ADA)
        search(study, Inline(study), REQUESTED)
        strategy = Strategy(study)
        trials = [strategy.ask() for _ in range(2)]
        losses = {"train_loss": 1.0, "validation_loss": 1.0, "validation_height": 1.0}
        strategy.report(trials[1].number, {"epoch": 1, "seconds": 0.1, "time": 1e9, **losses})
        strategy.pause(trials[1].number)
    with open_study(here(), bowl) as study:  # the search was killed
        ask_for_trial(here(), study, {"x": 0.4}, ADA)
        search(study, Inline(study), REQUESTED)
        assert [trial.draw for trial in study.trials()] == [-1, 0, 1, -2]
        assert study.trial(2).paused and study.trial(3).state == "completed"


def test_an_own_configuration_that_is_interrupted_is_retried_first_with_its_seed(bowl):
    with open_study(here(), bowl) as study:
        request = ask_for_trial(here(), study, {"x": 0.3}, ADA)
        epochs = []
        stop = Watcher(lambda event, trial: epochs.append(trial.epochs))
        search(study, Inline(study), trials=5, watchers=[stop], stopping=lambda: len(epochs) > 2)
        assert study.trial(0).state == "interrupted" and is_asked(study)
    with open_study(here(), bowl) as study:
        trials = searched_on(study, 5)
        again = trials[1]
        assert (again.draw, again.retry_of, again.request) == (-1, 0, request)
        assert again.proposal == f"{WHY} (retry of trial 0)" and again.state == "completed"
        assert again.config == trials[0].config and study.trial_of(request) == again
        assert [trial.draw for trial in trials if trial.draw < 0] == [-1, -1] and not is_asked(study)


def test_a_search_that_is_killed_before_a_request_is_removed_trains_it_once(bowl):
    store = here()
    with open_study(store, bowl) as study:
        request = ask_for_trial(store, study, {"x": 0.3}, ADA)
        record = dict(store.requests(study.name).pending())[request]
        searched_on(study, 3)
    for again in range(2):
        path = store.folder / "bowl-builtin.requests" / f"{request}.json"
        path.write_text(json.dumps(record))  # as if its removal had not reached the disk
        with open_study(store, bowl) as study:
            trials = searched_on(study, 4 + again)
            assert [trial.draw for trial in trials].count(-1) == 1 and not is_asked(study)


def test_a_request_that_is_no_longer_valid_is_dropped_with_a_line(bowl):
    with open_study(here(), bowl) as study:
        requests, watcher = here().requests(study.name), Watcher()
        requests.put({"ask": "trial", "params": {"x": 3.0}, "who": ADA})
        requests.put({"ask": "void", "numbers": [7], "reason": "wrong", "who": ADA})
        requests.put({"ask": "dance"})
        search(study, Inline(study), REQUESTED, watchers=[watcher])
        assert list(study.trials()) == [] and not is_asked(study)
    assert sorted(watcher.lines) == [
        "A request (dropped: a request is not valid: {'ask': 'dance'})",
        f"The configuration x 3, asked for by {ADA} (dropped: x=3.0 is not valid: a number, 0.0 to 1.0)",
        f"Trials 7 are void, asked for by {ADA}: wrong "
        "(dropped: trial 7 is not in study 'bowl-builtin': valid are none yet)",
    ]


def test_the_draw_of_a_void_own_configuration_is_not_made_again(bowl):
    with open_study(here(), bowl) as study:
        ask_for_trial(here(), study, {"x": 0.3}, ADA)
        searched_on(study, 2)
        study.void("void", [0], "wrong")
        ask_for_trial(here(), study, {"x": 0.4}, ADA)
        trials = searched_on(study, 4)
        assert [trial.draw for trial in trials if trial.is_own] == [-1, -2]
