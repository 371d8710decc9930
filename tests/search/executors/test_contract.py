"""The contract of executors for each trial: see `search.executors.executor`.

All tests of one kind of executor share one, which each must leave as it found it.
"""

import pytest
from executor_tests import (
    KILLED,
    RAY,
    Recorder,
    Source,
    is_alive,
    listen_until,
    open_executor,
    shown,
    train,
    until_free,
    wait_until,
)

from objectives import moody as moody_task
from search.executors.processes import Processes
from search.trainers.messages import GO_ON, PAUSE, STOP
from search.trainers.trainer import Trainer

PROCESSES = [pytest.param(each, marks=pytest.mark.integration) for each in ("process", "two processes")]
ELSEWHERE = [*PROCESSES, RAY]  # where a trainer can end, and the coordinator lives on
WELL, WELL_SCORE = {"mood": "well"}, ("finished", (0.5, 0.01))
in_each_elsewhere = pytest.mark.parametrize("kind", ELSEWHERE, indirect=True, scope="module")


@pytest.fixture(scope="module", params=["inline", *ELSEWHERE])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def shared(request, kind):
    with open_executor(request, kind, moody_task) as executor:
        yield executor


@pytest.fixture
def moody(shared):
    """An executor of the task whose mood decides how a training ends."""
    yield shared
    listen_until(shared, Recorder(), lambda: shared.free == shared.jobs)
    assert not shared.training


# Train


def test_a_trial_that_goes_on_reports_each_epoch_and_finishes(moody):
    listener = Recorder()
    assert train(moody, listener, 0, WELL) == [WELL_SCORE]
    assert listener.epochs(0) == [1, 2, 3]
    assert {entry["diary"] for entry in listener.entries[0]} == {"I am well."}
    listen_until(moody, listener, lambda: moody.free == moody.jobs)
    assert moody.training == set() and len(listener.ends[0]) == 1


def test_trials_that_start_together_share_a_trainer_and_each_reports_and_finishes(moody):
    listener = Recorder()
    until_free(moody, listener)
    free = moody.free
    moody.start_together(dict.fromkeys((1, 2, 3), WELL))
    assert moody.free == free - 1 and moody.training <= {1, 2, 3}
    listen_until(moody, listener, lambda: len(listener.ends) == 3)
    assert all(listener.ends[number] == [WELL_SCORE] for number in (1, 2, 3))
    assert all(listener.epochs(number) == [1, 2, 3] for number in (1, 2, 3))
    assert set(listener.gains) == {1, 2, 3}


def test_one_of_those_that_train_together_pauses_and_another_stops(moody):
    verdicts = {1: PAUSE, 2: STOP, 3: GO_ON}
    listener = Recorder(lambda number, entry: verdicts[number] if entry["epoch"] == 1 else GO_ON)
    until_free(moody, listener)
    moody.start_together(dict.fromkeys(verdicts, WELL))
    listen_until(moody, listener, lambda: 3 in listener.ends)
    assert listener.ends == {3: [WELL_SCORE]} and listener.epochs(1) == listener.epochs(2) == [1]
    assert train(moody, listener, 1, WELL) == [WELL_SCORE] and listener.epochs(1) == [1, 2, 3]


def test_as_many_trials_as_there_are_trainers_train_at_once(moody):
    listener = Recorder()
    listen_until(moody, listener, lambda: moody.free == moody.jobs)
    for number in range(moody.jobs):
        moody.start(number, WELL)
    assert moody.free == 0
    listen_until(moody, listener, lambda: len(listener.ends) == moody.jobs)
    assert listener.ends == {number: [WELL_SCORE] for number in range(moody.jobs)}
    assert moody.free == moody.jobs and not moody.training


def test_values_of_a_task_arrive_as_they_are(moody):
    """NaN, lone surrogates, a number that no float holds, a text of a million letters."""
    talkative, listener, expected = {"mood": "talkative"}, Recorder(), []
    trainer = Trainer(moody_task, moody_task.DATA.prepare("builtin"))
    end = trainer.advance(0, talkative, lambda entry: expected.append(entry) or GO_ON)
    assert end[0] == "failed" and end[1].startswith("RuntimeError: \\ud800\\x00 \\ud800\\x00")
    assert train(moody, listener, 0, talkative) == [end]
    assert len(expected) == 3
    assert repr([*map(shown, listener.entries[0])]) == repr([*map(shown, expected)])


# Verdicts


def test_a_trial_that_is_stopped_reports_no_more_and_frees_its_trainer(moody):
    listener = Recorder(lambda number, entry: STOP if number == 0 else GO_ON)
    until_free(moody, listener)
    moody.start(0, WELL)
    listen_until(moody, listener, lambda: listener.entries and moody.free == moody.jobs)
    assert train(moody, listener, 1, WELL) == [WELL_SCORE]
    assert (listener.epochs(0), listener.epochs(1)) == ([1], [1, 2, 3])
    assert 0 not in listener.ends


def test_a_trial_that_was_dropped_begins_with_its_first_epoch(moody):
    verdicts = iter([PAUSE])
    listener = Recorder(lambda number, entry: next(verdicts, GO_ON))
    until_free(moody, listener)
    moody.start(0, WELL)
    listen_until(moody, listener, lambda: listener.entries and moody.free == moody.jobs)
    moody.drop(0)
    assert train(moody, listener, 0, WELL) == [WELL_SCORE]
    assert listener.epochs(0) == [1, 1, 2, 3]


def test_dropping_a_trial_that_is_not_paused_changes_nothing(moody):
    moody.drop(7)
    assert train(moody, Recorder(), 0, WELL) == [WELL_SCORE]


def test_a_trial_that_is_resumed_while_others_pause_trains_on(moody):
    listener = Recorder(lambda number, entry: PAUSE if entry["epoch"] == 1 else GO_ON)
    for number in range(3):
        until_free(moody, listener)
        moody.start(number, WELL)
        listen_until(moody, listener, lambda number=number: number in listener.entries)
    listen_until(moody, listener, lambda: moody.free == moody.jobs)
    for number in (2, 0, 1):
        assert train(moody, listener, number, WELL) == [WELL_SCORE]
    assert [listener.epochs(number) for number in range(3)] == [[1, 2, 3]] * 3


@pytest.mark.integration
def test_a_trial_that_resumes_in_a_busy_trainer_trains_before_the_one_that_trains_there():
    longer = {"mood": "well", "epochs": 12}

    def verdict(number, entry):
        if (number, entry["epoch"]) == (1, 2):
            executor.start(0, longer)
        return PAUSE if (number, entry["epoch"]) == (0, 1) else GO_ON

    listener = Recorder(verdict)
    with Processes(Source(moody_task), 1) as executor:
        until_free(executor, listener)
        for number in (0, 1):
            executor.start(number, longer)
            listen_until(executor, listener, lambda: executor.free)
        listen_until(executor, listener, lambda: len(listener.ends) == 2)
    assert list(listener.ends) == [0, 1], "the one that trained makes way"
    assert [listener.epochs(number) for number in (0, 1)] == [[*range(1, 13)]] * 2, "nothing is trained twice"


# Failures


@pytest.mark.parametrize(
    "config, cause",
    [
        ({"mood": "error"}, "RuntimeError: out of sorts"),
        ({"unheard_of": 1}, "TypeError: Config.__init__() got an unexpected keyword argument 'unheard_of'"),
    ],
)
def test_a_trial_with_an_error_fails_and_its_trainer_trains_on(moody, config, cause):
    listener = Recorder()
    assert train(moody, listener, 0, config) == [("failed", cause)]
    assert train(moody, listener, 1, WELL) == [WELL_SCORE]


@in_each_elsewhere
def test_a_trainer_that_dies_is_replaced_and_its_trial_failed(moody):
    listener = Recorder()
    ((result, cause),) = train(moody, listener, 0, {"mood": "exit"})
    assert result == "failed" and cause.startswith("the trainer ")
    assert train(moody, listener, 1, WELL) == [WELL_SCORE]
    listen_until(moody, listener, lambda: moody.free == moody.jobs)
    assert len(listener.ends[0]) == 1


@in_each_elsewhere
def test_a_training_that_hangs_can_be_ended(moody):
    listener = Recorder()
    until_free(moody, listener)
    moody.start(0, {"mood": "hang"})
    listen_until(moody, listener, lambda: listener.entries)
    assert moody.training == {0}
    moody.end(0)
    listen_until(moody, listener, lambda: listener.ends)
    ((result, cause),) = listener.ends[0]
    assert result == "failed"
    assert cause == KILLED if isinstance(moody, Processes) else cause.startswith("the trainer ended: ")
    assert moody.training == set()
    assert train(moody, listener, 1, WELL) == [WELL_SCORE]
    wait_until(lambda: not is_alive(listener.entries[0][0]["process"]))


@in_each_elsewhere
def test_all_that_train_together_are_lost_with_their_trainer(moody):
    listener = Recorder()
    until_free(moody, listener)
    moody.start_together({0: {"mood": "kill"}, 1: WELL, 2: WELL})
    listen_until(moody, listener, lambda: len(listener.ends) == 3)
    assert {result for ((result, _),) in listener.ends.values()} == {"lost"}
    assert train(moody, listener, 3, WELL) == [WELL_SCORE]


@in_each_elsewhere
def test_trials_that_wait_for_a_trainer_that_dies_are_trained_by_the_next(moody):
    paused = set()

    def pause_once(number, entry):
        first = number not in paused
        paused.add(number)
        return PAUSE if number < 2 and first else GO_ON

    listener = Recorder(pause_once)
    for number in (0, 1):
        until_free(moody, listener)
        moody.start(number, WELL)
        listen_until(moody, listener, lambda number=number: number in listener.entries)
    listen_until(moody, listener, lambda: moody.free == moody.jobs)
    for number in range(2, 2 + moody.jobs):  # so that all trainers are busy
        moody.start(number, {"mood": "hang"})
    listen_until(moody, listener, lambda: len(listener.entries) == 2 + moody.jobs)
    for number in (0, 1):
        moody.start(number, WELL)
    for number in range(2, 2 + moody.jobs):
        moody.end(number)
    listen_until(moody, listener, lambda: len(listener.ends) == 2 + moody.jobs)
    for number in (0, 1):
        assert listener.ends[number] == [WELL_SCORE]
        assert listener.epochs(number) == [1, 1, 2, 3]  # its trainer had ended: it began anew


@pytest.mark.thorough  # it waits out how long a trainer is patient, twice
@pytest.mark.parametrize("kind", ["process", RAY], indirect=True, scope="module")
def test_a_trainer_whose_training_does_not_stop_is_replaced(moody):
    listener = Recorder(lambda number, entry: STOP if number == 0 else GO_ON)
    until_free(moody, listener)
    moody.start(0, {"mood": "stubborn"})
    listen_until(moody, listener, lambda: listener.entries)
    process = listener.entries[0][0]["process"]
    assert is_alive(process)
    listen_until(moody, listener, lambda: not is_alive(process) and moody.free)
    assert train(moody, listener, 1, WELL) == [WELL_SCORE]
    assert 0 not in listener.ends and listener.epochs(0) == [1]
