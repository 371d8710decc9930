"""The processes of searches: real ones, which are found again, told to end, and killed."""

import os
import signal

import pytest
from stores import here

from search.client.models import SearchRequest, State
from search.services.queue import process
from search.services.queue.runner import LEAST_SECONDS, MAX_KILLS, STOPPED
from search.study import requests
from search.study.stored import StoredStudy

pytestmark = [pytest.mark.thorough, pytest.mark.xdist_group("nursery"), pytest.mark.usefixtures("nursery")]

MANY = 100_000  # trials, which nobody waits for


def trials(search):
    return list(StoredStudy.read(here(), search.study).trials()) if here().exists(search.study) else []


def trains(search):
    return search.state == State.SEARCHING and len(trials(search)) > 2


def is_(*states):
    return lambda search: search.state in states


def kill(search):
    """Kill the process of a search, and wait until all of it has ended."""
    os.kill(process.pid(search.id), signal.SIGKILL)
    while process.is_locked(search.id):
        pass


def numbers(search):
    return [trial.number for trial in trials(search)]


def test_search_is_done_and_has_a_script_and_a_handin(make_runner, ask, until):
    runner, search = make_runner(), ask("ann", trials=4)
    done = until(runner, search.id, is_(State.DONE))
    assert (process.folder(search.id) / "export" / "bowl.py").exists()
    assert (process.folder(search.id) / "handin" / f"{search.study}-handin.zip").exists()
    assert [change.state for change in done.changes] == [State.QUEUED, *[State.SEARCHING] * 3, State.DONE]
    assert done.core_seconds > 0 and done.started is None and not runner.fault


def test_one_search_of_a_person_runs_at_a_time(make_runner, ask, until, queue):
    runner, searches = (
        make_runner(jobs=4),
        [ask(owner, task="slow", trials=MANY) for owner in ("ann", "ann", "bob")],
    )
    until(runner, searches[0].id, trains)
    states = [queue.find(search.id).state for search in searches]
    assert states == [State.SEARCHING, State.QUEUED, State.SEARCHING]
    for search in searches:
        queue.cancel(search.id, "staff")
    for search in searches:
        until(runner, search.id, is_(State.CANCELLED))


def test_new_runner_finds_a_running_search_and_starts_no_second(make_runner, ask, until, queue):
    first, search = make_runner(), ask(task="slow", trials=MANY)
    until(first, search.id, trains)
    pid = process.pid(search.id)
    del first
    second = make_runner()
    second.recover()
    for _ in range(5):
        second.tick()
    assert process.pid(search.id) == pid and second.is_alive(search.id)
    assert queue.find(search.id).state == State.SEARCHING
    queue.pause(search.id, "ann")  # which the new one can do, too
    paused = until(second, search.id, is_(State.PAUSED))
    assert paused.changes[-1].person == "ann" and not process.is_locked(search.id)


@pytest.mark.parametrize("wanted, state", [("pause", State.PAUSED), ("cancel", State.CANCELLED)])
def test_wish_survives_a_service_that_ends_before_it_is_done(make_runner, ask, until, queue, wanted, state):
    search = ask(task="slow", trials=MANY)
    until(make_runner(), search.id, trains)
    getattr(queue, wanted)(search.id, "ann")
    ended = until(make_runner(), search.id, is_(state))
    assert ended.changes[-1].person == "ann" and ended.wanted == ""
    assert not process.is_locked(search.id)


def test_killed_search_resumes_and_loses_no_trial(make_runner, ask, until, queue):
    runner, search = make_runner(), ask(task="slow", trials=MANY)
    until(runner, search.id, trains)
    kill(search)
    before = numbers(search)
    until(runner, search.id, lambda search: search.kills == 1)
    reasons = [change.reason for change in queue.find(search.id).changes]
    assert "its process was killed: it resumes" in reasons
    until(runner, search.id, lambda search: len(trials(search)) > len(before))
    assert numbers(search)[: len(before)] == before
    assert len(set(numbers(search))) == len(numbers(search))
    queue.cancel(search.id, "ann")
    until(runner, search.id, is_(State.CANCELLED))


def test_search_whose_process_was_killed_after_it_did_what_was_asked_is_done(make_runner, ask, until, queue):
    runner, search = make_runner(), ask()
    done = until(runner, search.id, is_(State.DONE))
    queue.work(search.id, "ann", "to do what was asked of it")  # of which nothing is left
    ended = until(runner, search.id, lambda search: search.state == State.DONE or runner.fault)
    assert [change.state for change in ended.changes[len(done.changes) :]] == [
        State.QUEUED,
        *[State.SEARCHING] * 2,  # for the script and the hand-in
        State.DONE,
    ]


def test_search_that_is_killed_again_and_again_has_failed_and_can_be_resumed(make_runner, ask, until, queue):
    runner, search = make_runner(), ask(task="slow", trials=MANY)
    for kills in range(1, MAX_KILLS + 2):
        until(runner, search.id, lambda search: trains(search) and process.pid(search.id))
        kill(search)
        until(runner, search.id, lambda search, n=kills: search.kills == n or search.state == State.FAILED)
    assert queue.find(search.id).reason == f"its process was killed {MAX_KILLS + 1} times"
    queue.resume(search.id, "ann")
    until(runner, search.id, trains)
    queue.cancel(search.id, "ann")
    until(runner, search.id, is_(State.CANCELLED))


def test_search_that_fails_says_its_last_error(make_runner, queue, until):
    runner = make_runner()
    search = queue.add("ann", SearchRequest(task="bowl", trials=3), "nowhere")
    failed = until(runner, search.id, is_(State.FAILED))
    assert "'nowhere'" in failed.reason and "\n" not in failed.reason
    assert f"error: {failed.reason}" in (process.folder(search.id) / "output.txt").read_text()


def test_search_whose_studies_cannot_be_written_resumes_once_they_can(make_runner, ask, until, queue, home):
    runner, search = make_runner(), ask(trials=3)
    studies = home / "mlruns" / "studies"
    studies.parent.mkdir(parents=True, exist_ok=True)
    studies.write_text("no folder")
    until(runner, search.id, lambda search: search.kills == 1)
    reasons = [change.reason for change in queue.find(search.id).changes]
    assert "its database or its disk was not available: it resumes" in reasons
    studies.unlink()
    assert until(runner, search.id, is_(State.DONE)).kills == 0


def test_search_whose_study_another_program_holds_waits_for_it(make_runner, ask, until, queue):
    runner, search, other = make_runner(), ask("ann", task="slow", trials=MANY), ask("bob", trials=MANY)
    held = here().lock(search.study)
    until(runner, other.id, is_(State.SEARCHING))
    assert queue.find(search.id).state == State.QUEUED
    held.close()
    queue.cancel(other.id, "bob")
    begun = until(runner, search.id, is_(State.SEARCHING))
    assert begun.kills == 0
    queue.cancel(search.id, "ann")
    until(runner, search.id, is_(State.CANCELLED))


def test_limits_that_are_raised_while_it_searches_are_reached(make_runner, ask, until, queue):
    runner, search = make_runner(), ask(trials=3)
    until(runner, search.id, is_(State.SEARCHING))
    queue.extend(search.id, "ann", 6, None)
    done = until(runner, search.id, is_(State.DONE))
    assert StoredStudy.read(here(), search.study).n_finished() >= 6
    assert any("limits were raised" in change.reason for change in done.changes)
    queue.extend(search.id, "ann", 9, None)
    until(runner, search.id, is_(State.DONE))
    assert StoredStudy.read(here(), search.study).n_finished() >= 9


@pytest.mark.parametrize("step", ["search", "export", "handin", ""])
def test_request_is_carried_out_whatever_step_a_search_is_in(make_runner, ask, until, queue, step):
    runner, search = make_runner(), ask(trials=3)
    if step:
        until(runner, search.id, lambda search: search.step == step and search.state == State.SEARCHING)
    if not step or step == "search":
        until(runner, search.id, is_(State.DONE) if not step else trains)
    study = StoredStudy.read(here(), search.study)
    number = requests.ask_for_trial(here(), study, {"x": 0.25, "y": 7}, "ann")
    queue.work(search.id, "ann", "to train a configuration")
    until(runner, search.id, is_(State.DONE))
    until(runner, search.id, is_(State.DONE))
    own = [trial for trial in trials(search) if trial.request == number]
    assert [(trial.params, trial.state) for trial in own] == [({"x": 0.25, "y": 7}, "completed")]
    assert here().requests(search.study).pending() == []


def test_request_of_a_service_that_was_killed_is_taken_up_by_the_next(make_runner, ask, until):
    search = ask(trials=3)
    done = until(make_runner(), search.id, is_(State.DONE))
    requests.ask_to_void(here(), StoredStudy.read(here(), done.study), "void", [0], "a bug", "ann")
    runner = make_runner()  # of the next service: the last was killed before it wrote that there is work
    runner.recover()
    until(runner, search.id, is_(State.SEARCHING))
    until(runner, search.id, is_(State.DONE))
    assert StoredStudy.read(here(), search.study).trial(0).void


def test_search_that_ends_only_after_its_service_resumes_with_the_next(make_runner, ask, until, queue):
    runner, search = make_runner(), ask(task="slow", trials=MANY)
    until(runner, search.id, trains)
    runner.stop(0.0)
    assert (queue.find(search.id).wanted, queue.find(search.id).reason) == ("paused", STOPPED)
    runner = make_runner()
    runner.recover()
    until(runner, search.id, lambda search: search.changes[-1].reason == "it is its turn")
    reasons = [change.reason for change in queue.find(search.id).changes]
    assert "the service started again" in reasons
    queue.cancel(search.id, "ann")
    until(runner, search.id, is_(State.CANCELLED))


def test_service_that_stops_pauses_searches_and_the_next_one_resumes_them(make_runner, ask, until, queue):
    runner, search = make_runner(), ask(task="slow", trials=MANY)
    until(runner, search.id, trains)
    assert runner.stop(10.0)
    assert queue.find(search.id).state == State.PAUSED and not process.is_locked(search.id)
    until(make_runner(), search.id, trains)
    queue.cancel(search.id, "ann")
    until(make_runner(), search.id, is_(State.CANCELLED))


def test_fault_of_one_search_stops_no_other(make_runner, ask, until, queue):
    runner, broken, other = make_runner(), ask("ann", trials=3), ask("bob", trials=3)
    queue.begin(broken.id, "search", 1, "it is its turn")
    process.folder(broken.id).parent.mkdir(parents=True, exist_ok=True)
    process.folder(broken.id).write_text("no folder")
    until(runner, other.id, is_(State.DONE))
    assert "FileExistsError" in runner.fault or "NotADirectoryError" in runner.fault
    process.folder(broken.id).unlink()
    until(runner, broken.id, is_(State.DONE))
    assert runner.fault == ""


def test_quota_pauses_a_search_that_runs(make_runner, ask, until, queue):
    runner, search = make_runner(), ask("ann", task="slow", trials=MANY)
    until(runner, search.id, trains)
    queue.quota = LEAST_SECONDS / 1000
    paused = until(runner, search.id, is_(State.PAUSED))
    assert paused.reason == "ann has used all core-seconds of the quota"
    runner.tick()
    assert queue.find(search.id).state == State.PAUSED
