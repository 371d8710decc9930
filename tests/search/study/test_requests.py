"""What other programs request of a search: own configurations, and void trials."""

import json

import pytest
from stores import here

from search.coordinator import Clock, Coordinator, search
from search.errors import UsageError
from search.executors.inline import Inline
from search.storage.memory import MemoryStore
from search.strategy.assessment import Limits
from search.strategy.strategy import Strategy
from search.study.opening import hold_study, open_study
from search.study.requests import Inbox, ask_for_trial, ask_to_void, check_params, is_asked, read
from search.study.stored import StoredStudy
from search.trainers.messages import STOP

ADA = "ada@lovelace"
WHY = f"own configuration, asked for by {ADA}"
REQUESTED = Limits(requested_only=True)


class Watcher:
    """Does something at an event, and keeps the lines about requests."""

    def __init__(self, do=lambda event, trial: None):
        self.lines, self._do = [], do

    def started(self, trial):
        self._do("started", trial)

    def reported(self, trial):
        self._do("reported", trial)

    def paused(self, trial):
        self._do("paused", trial)

    def finished(self, trial):
        self._do("finished", trial)

    def requested(self, line):
        self.lines.append(line)


def searched_on(study, trials, *watchers, **options):
    search(study, Inline(study), trials=trials, watchers=watchers, **options)
    return list(study.trials())


# What is asked is checked


def test_params_that_are_not_given_take_the_defaults(bowl):
    assert check_params(bowl, {}) == {"x": 0.9, "y": 50}
    assert check_params(bowl, {"y": 7}) == {"x": 0.9, "y": 7}
    whole = check_params(bowl, {"x": 1, "y": 7.0})  # as JSON may have them
    assert whole == {"x": 1.0, "y": 7} and type(whole["x"]) is float and type(whole["y"]) is int


@pytest.mark.parametrize(
    "given, wrong",
    [
        ({"z": 1}, "unknown hyperparameter 'z': valid are x, y"),
        ({"epochs": 1}, "unknown hyperparameter 'epochs': valid are x, y"),
        ({"x": 1.5}, "x=1.5 is not valid: a number, 0.0 to 1.0"),
        ({"x": float("nan")}, "x=nan is not valid: a number, 0.0 to 1.0"),
        ({"x": True}, "x=True is not valid: a number"),
        ({"x": None}, "x=None is not valid: a number"),
        ({"x": "0.5"}, "x='0.5' is not valid: a number"),
        ({"x": [0.5]}, r"x=\[0.5\] is not valid: a number"),
        ({"y": 2.5}, "y=2.5 is not valid: a whole number, 0 to 100"),
        ({"y": 10**400}, "y=1000.* is not valid: a whole number, 0 to 100"),
    ],
)
def test_params_outside_their_ranges_are_one_line_and_nothing_is_asked(bowl, given, wrong):
    with open_study(here(), bowl) as study:
        with pytest.raises(UsageError, match=wrong) as raised:
            ask_for_trial(here(), study, given, ADA)
        assert "\n" not in str(raised.value) and not is_asked(study)


@pytest.fixture
def conditional(write_task):
    """A task with steps, choices, a range that depends on a value, and one that some values have."""
    fields = """x: float = 0.5
    number: int = 2
    even: int = 2
    below: int = 1
    mode: str = "plain"
    size: object = None
    extra: int = 1
"""
    space = """number = trial.suggest_int("number", 1, 9)
    if number == 3:
        raise ValueError("not three")
    extra = trial.suggest_int("extra", 1, 9) if number > 4 else 1
    return Config(
        x=trial.suggest_float("x", 0, 1, step=0.25),
        number=number,
        even=trial.suggest_int("even", 0, 20, step=2),
        below=trial.suggest_int("below", 1, number),
        mode=trial.suggest_categorical("mode", ["plain", "two words"]),
        size=trial.suggest_categorical("size", [None, True, 3]),
        extra=extra,
    )"""
    return write_task(
        "conditional",
        ("x: float = 0.5  # the number\n", fields),
        ('return Config(x=trial.suggest_float("x", 0, 1))', space),
    )


@pytest.mark.parametrize(
    "given, full",
    [
        ({}, {"x": 0.5, "number": 2, "even": 2, "below": 1, "mode": "plain", "size": None}),
        ({"number": 5, "extra": 9, "below": 5}, {"number": 5, "extra": 9, "below": 5}),
        ({"number": 5}, {"number": 5, "extra": 1}),
        ({"mode": "two words", "size": True, "x": 0.75}, {"mode": "two words", "size": True, "x": 0.75}),
        ({"size": 3}, {"size": 3}),
    ],
)
def test_params_of_a_conditional_space_are_those_of_their_branch(conditional, given, full):
    params = check_params(conditional, given)
    assert full.items() <= params.items() and ("extra" in params) == (params["number"] > 4)


@pytest.mark.parametrize(
    "given, wrong",
    [
        ({"extra": 2}, "extra=2 is not valid: not searched beside number 2, x 0.5, "),
        ({"below": 4}, "below=4 is not valid: a whole number, 1 to 2"),
        ({"even": 3}, "even=3 is not valid: a whole number, 0 to 20 in steps of 2"),
        ({"x": 0.3}, r"x=0.3 is not valid: a number, 0.0 to 1.0 in steps of 0.25"),
        ({"mode": "fancy"}, "mode='fancy' is not valid: one of 'plain', 'two words'"),
        ({"size": 1}, "size=1 is not valid: one of None, True, 3"),  # which equals True
        ({"number": 3}, "task 'conditional' rejects number 3: space: ValueError: not three"),
    ],
)
def test_params_of_a_conditional_space_are_checked_in_their_branch(conditional, given, wrong):
    with pytest.raises(UsageError, match=wrong):
        check_params(conditional, given)


@pytest.mark.parametrize(
    "action, numbers, reason, who, wrong",
    [
        ("delete", [0], "x", ADA, "unknown action 'delete': valid are restore, void"),
        ("void", [], "x", ADA, "no trials are named"),
        ("void", [12], "x", ADA, "trial 12 is not in study 'searched': valid are 0-11"),
        ("void", ["1"], "x", ADA, "trial '1' is not in study"),
        ("void", [True], "x", ADA, "trial True is not in study"),
        ("void", [0], " ", ADA, "reason ' ' is not valid: one line of 1 to 300"),
        ("void", [0], "a\nb", ADA, "reason .* is not valid: one line"),
        ("void", [0], "x", "", "who '' is not valid: one line of 1 to 100"),
    ],
)
def test_a_wrong_request_to_void_is_one_line_and_nothing_is_asked(
    searched, action, numbers, reason, who, wrong
):
    with pytest.raises(UsageError, match=wrong):
        ask_to_void(here(), searched, action, numbers, reason, who)
    assert not is_asked(searched)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"ask": "dance", "numbers": [1], "reason": "x", "who": ADA},
        {"ask": "void", "numbers": ["1"], "reason": "x", "who": ADA},
        {"ask": "void", "numbers": [1], "reason": 7, "who": ADA},
        {"ask": "trial", "params": [1], "who": ADA},
        {"ask": "trial", "params": {}},
    ],
)
def test_a_record_that_is_no_request_is_said_to_be_none(record):
    with pytest.raises(UsageError):
        read(record)


# Own configurations


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


# Void trials


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
