"""The queue: whose turn it is, and what may change when."""

import threading

import pytest

from search.client.models import State
from search.errors import StudyConflict, UsageError
from search.services.queue.queue import MAX_OPEN, Queue

S = State
ALLOWED = {  # what a person may do in which states, and the state after it
    "pause": {S.QUEUED: S.PAUSED, S.SEARCHING: S.SEARCHING, S.PAUSED: S.PAUSED},
    "resume": {S.QUEUED: S.QUEUED, S.PAUSED: S.QUEUED, S.FAILED: S.QUEUED},
    "cancel": {
        S.QUEUED: S.CANCELLED,
        S.SEARCHING: S.SEARCHING,
        S.PAUSED: S.CANCELLED,
        S.FAILED: S.CANCELLED,
        S.CANCELLED: S.CANCELLED,
    },
    "extend": {each: each for each in (S.QUEUED, S.SEARCHING, S.PAUSED, S.FAILED)} | {S.DONE: S.QUEUED},
    "work": {each: each for each in (S.QUEUED, S.SEARCHING, S.PAUSED, S.FAILED)} | {S.DONE: S.QUEUED},
}
MORE = {"extend": (9, None), "work": ("it was asked for",)}  # further arguments


def set_to(queue, search, state):
    """Bring a search into a state, as the runner does."""
    if state == S.SEARCHING:
        queue.begin(search.id, "search", 1, "it is its turn")
    elif state != S.QUEUED:
        queue.set_state(search.id, state, "service", "so it came")


def order(queue):
    return [search.id for search in queue.turns()]


@pytest.mark.parametrize("action", ALLOWED)
@pytest.mark.parametrize("state", State)
def test_change_is_allowed_or_refused_by_the_state(queue, ask, action, state):
    search = ask()
    set_to(queue, search, state)
    before = queue.find(search.id)
    if state not in ALLOWED[action]:
        with pytest.raises(StudyConflict, match=f"search {search.id} is {state}: it would have to be"):
            getattr(queue, action)(search.id, "bob", *MORE.get(action, ()))
        assert len(queue.find(search.id).changes) == len(before.changes)
        return
    getattr(queue, action)(search.id, "bob", *MORE.get(action, ()))
    after = queue.find(search.id)
    assert after.state == ALLOWED[action][state]
    new = after.changes[len(before.changes) :]
    assert all(change.person == "bob" and change.time >= before.changes[-1].time for change in new)
    assert bool(new) == (after.state != state or after.wanted != "")


def test_changes_of_a_search_name_person_time_and_reason(queue, ask):
    search = ask("ann")
    queue.pause(search.id, "staff")
    queue.resume(search.id, "ann")
    queue.cancel(search.id, "ann")
    changes = queue.find(search.id).changes
    assert [(change.state, change.person) for change in changes] == [
        *[(S.QUEUED, "ann"), (S.PAUSED, "staff"), (S.QUEUED, "ann"), (S.CANCELLED, "ann")]
    ]
    assert [change.time for change in changes] == sorted(change.time for change in changes)
    assert all(change.reason for change in changes)


def test_turns_of_persons_who_used_less_come_first(queue, ask):
    ann, bob, cid = ask("ann"), ask("bob"), ask("cid")
    for search, seconds in (ann, 30.0), (bob, 10.0), (cid, 20.0):
        queue.begin(search.id, "search", 2, "it is its turn")
        queue.spend(search.id, seconds)
        queue.set_state(search.id, S.DONE, "service", "done")
    assert queue.used() == pytest.approx({"ann": 60.0, "bob": 20.0, "cid": 40.0}, abs=0.5)
    waiting = {owner: ask(owner).id for owner in ("ann", "bob", "cid", "new")}
    assert order(queue) == [waiting[owner] for owner in ("new", "bob", "cid", "ann")]


def test_second_search_of_a_person_waits_behind_the_first_of_all(queue, ask):
    first, second, third = ask("ann"), ask("ann"), ask("ann")
    other = ask("bob")
    assert order(queue) == [first.id, other.id, second.id, third.id]
    queue.begin(first.id, "search", 1, "it is its turn")
    assert order(queue) == [other.id, second.id, third.id]


def test_expected_starts_are_when_trainers_are_free(queue, ask):
    running = ask("ann", trials=None, timeout=50)
    queue.begin(running.id, "search", 1, "it is its turn")
    first, second = ask("bob", trials=None, timeout=100), ask("cid", trials=None, timeout=10)
    assert queue.expected(1) == pytest.approx({first.id: 50, second.id: 150}, abs=1)
    assert queue.expected(2) == pytest.approx({first.id: 0, second.id: 50}, abs=1)
    third = ask("bob", trials=None, timeout=10)  # one search a person: it waits for her first one
    expected = {first.id: 0, second.id: 50, third.id: 100}
    assert queue.expected(2) == pytest.approx(expected, abs=1)


def test_quota_counts_core_seconds_of_a_person_alone(engine, queue, ask):
    limited, search = Queue(engine, quota=10.0), ask("ann")
    queue.begin(search.id, "search", 4, "it is its turn")
    queue.spend(search.id, 2.6)
    assert not limited.has_quota("ann") and limited.has_quota("bob") and queue.has_quota("ann")


def test_key_of_an_earlier_request_gives_its_search(queue, ask):
    first = ask("ann", key="k")
    assert ask("ann", key="k").id == first.id
    assert ask("bob", key="k").id != first.id
    with pytest.raises(StudyConflict, match="'k' was used for another request: take a new one"):
        ask("ann", key="k", trials=5)
    assert len(queue.all("ann")) == 1


@pytest.mark.parametrize("same", [{"key": "k"}, {"name": "mine"}, {}])
def test_requests_that_come_at_once_are_one_search_with_a_key_and_one_with_a_name(queue, ask, same):
    barrier, made, refused = threading.Barrier(8), [], []

    def send():
        barrier.wait()
        try:
            made.append(ask("ann", **same))
        except StudyConflict:
            refused.append(same)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {"key": (1, 0), "name": (1, 7)}.get(next(iter(same), ""), (8, 0))
    assert (len({search.id for search in made}), len(refused)) == expected
    assert len({search.study for search in queue.all()}) == len(queue.all())


@pytest.mark.parametrize("limits", [(None, None), (4, None), (3, None), (None, 10.0)])
def test_limits_that_are_not_higher_are_refused(queue, ask, limits):
    search = ask(trials=4)
    with pytest.raises(UsageError):
        queue.extend(search.id, "ann", *limits)
    assert queue.find(search.id).trials == 4


def test_pause_after_a_wish_to_cancel_does_not_undo_it(queue, ask):
    search = ask()
    queue.begin(search.id, "search", 1, "it is its turn")
    queue.cancel(search.id, "ann")
    queue.pause(search.id, "bob")
    queue.begin(search.id, "export", 1, "the next step")  # the process had ended just then
    settled = queue.settle(search.id)
    assert (settled.state, settled.changes[-1].person) == (S.CANCELLED, "ann")


def test_person_has_a_limited_number_of_open_searches(queue, ask):
    for _ in range(MAX_OPEN):
        ask("ann")
    with pytest.raises(StudyConflict, match=f"at most {MAX_OPEN}"):
        ask("ann")
    ask("bob")
    queue.cancel(1, "ann")
    ask("ann")
