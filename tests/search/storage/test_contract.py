"""What every store of studies does: files, PostgreSQL and memory, by the same tests."""

import threading
from contextlib import closing

import pytest

from search import paths
from search.errors import StudyConflict, UsageError
from search.storage.files import FileStore
from search.storage.memory import MemoryStore
from search.storage.postgres import PostgresStore

RECORDS = [{"op_code": 0, "name": "one"}, {"op_code": 2, "text": "é \ud800"}, {"op_code": 4}]


def files(request):
    return FileStore(paths.studies())


def memory(request):
    return MemoryStore()


def postgres(request):
    return PostgresStore(request.getfixturevalue("storage"))


@pytest.fixture(params=[files, memory, postgres], ids=lambda make: make.__name__)
def store(request, home):
    paths.studies().mkdir(parents=True)
    return request.param(request)


def test_a_new_store_has_no_studies(store):
    assert store.names() == [] and store.strays() == [] and not store.exists("one")


def test_created_studies_are_there_by_name_with_their_records(store):
    for name in ("two", "one", "0.x"):
        store.create(name, RECORDS)
    assert store.names() == ["0.x", "one", "two"] and store.exists("one")
    assert list(store.open("one").read_logs(0)) == RECORDS
    assert list(store.open("one").read_logs(2)) == RECORDS[2:]


def test_appended_records_are_read_back_by_the_writer_and_by_others(store):
    store.create("one", RECORDS)
    writer, reader = store.open("one"), store.open("one")
    assert list(writer.read_logs(0)) == list(reader.read_logs(0)) == RECORDS
    writer.append_logs([{"op_code": 5}, {"op_code": 6}])
    assert list(writer.read_logs(3)) == [{"op_code": 5}, {"op_code": 6}]
    writer.commit()
    reader.refresh()
    assert list(reader.read_logs(3)) == [{"op_code": 5}, {"op_code": 6}]
    assert len(list(store.open("one").read_logs(0))) == 5


def test_a_lock_is_held_by_one_until_it_is_closed(store):
    store.create("one", RECORDS)
    store.create("two", RECORDS)
    assert store.holder("one") is None
    with closing(store.lock("one")), closing(store.lock("two")):
        assert store.holder("one")
        with pytest.raises(StudyConflict, match="study 'one' is being searched by"):
            other_view(store).lock("one")
    assert store.holder("one") is None
    store.lock("one").close()


def test_coordinators_share_a_lock_and_exclude_each_other_or_joining_is_refused(store):
    store.create("one", RECORDS)
    if isinstance(store, FileStore):
        with pytest.raises(UsageError, match="JOIN=1 needs a database"):
            store.join("one")
        return
    first, second = store.join("one"), other_view(store).join("one")
    assert first.coordinator != second.coordinator and first.alive() == set()
    first.renew()
    second.renew()
    assert first.alive() == second.alive() == {first.coordinator, second.coordinator}
    inside, let_go, order = threading.Event(), threading.Event(), []

    def hold():
        inside.set()
        let_go.wait(30)
        order.append("first")

    threads = [threading.Thread(target=first.exclusive, args=(hold,))]
    threads[0].start()
    assert inside.wait(30)
    threads.append(threading.Thread(target=second.exclusive, args=(lambda: order.append("second"),)))
    threads[1].start()
    let_go.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second"] and second.exclusive(lambda: 7) == 7


def test_a_shared_lock_lets_others_share_and_nobody_else_in(store):
    if isinstance(store, FileStore):
        pytest.skip("files are not shared")
    store.create("one", RECORDS)
    sharers = closing(store.lock("one", shared=True)), closing(other_view(store).lock("one", shared=True))
    with sharers[0], sharers[1], pytest.raises(StudyConflict):
        other_view(store).lock("one")
    store.lock("one").close()


def test_a_sound_study_has_no_problems_and_its_text_can_be_searched(store):
    store.create("one", [{"op_code": 0, "text": "sesame"}])
    assert list(store.problems("one")) == []
    assert b"sesame" in store.content("one") and "one" in store.where("one")
    store.keep_copy("one")
    assert all(path.exists() for path in store.files("one"))


def test_requests_wait_in_order_until_they_are_removed_and_touch_no_study(store):
    store.create("one", RECORDS)
    own, others = store.requests("one"), other_view(store).requests("one")
    assert own.pending() == []
    records = [{"params": {"x": 0.5, "text": "é \ud800"}}, {"void": [1, 2]}, {}]
    with closing(store.lock("one")):  # whoever holds the study
        ids = [others.put(record) for record in records]
    assert ids == sorted(set(ids)) and own.pending() == others.pending() == list(zip(ids, records))
    assert store.requests("two").pending() == []
    own.remove(ids[1])
    own.remove(ids[1])
    assert others.pending() == [(ids[0], records[0]), (ids[2], records[2])]
    assert store.names() == ["one"] and store.strays() == [] and list(store.problems("one")) == []
    assert list(store.open("one").read_logs(0)) == RECORDS


def test_requests_that_are_put_by_many_at_once_are_all_kept(store):
    store.create("one", RECORDS)
    put: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: put.append(other_view(store).requests("one").put({"n": n})))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pending = store.requests("one").pending()
    assert [request for request, _ in pending] == sorted(put)
    assert sorted(record["n"] for _, record in pending) == list(range(8))


def test_a_request_in_a_damaged_file_is_empty_and_half_a_request_is_none(store):
    if not isinstance(store, FileStore):
        pytest.skip("only files can be damaged so")
    requests = store.requests("one")
    request = requests.put({"n": 1})
    [file] = (paths.studies() / "one.requests").iterdir()
    file.write_bytes(b"{")
    (file.parent / "2.new").write_bytes(b"{}")  # its writer was killed: nobody was told of it
    assert requests.pending() == [(request, {})]


def other_view(store):
    """The same store as another process has it."""
    return PostgresStore(store.url) if isinstance(store, PostgresStore) else store
