"""The journal: one writer, whole records."""

import fcntl
import multiprocessing
import os
import resource
from concurrent.futures import ThreadPoolExecutor, wait

import optuna
import pytest

from search.errors import StoreError, StudyConflict
from search.storage import journal
from search.storage.optuna_storage import StudyStorage


def records(path, count):
    study = optuna.create_study(storage=optuna.storages.JournalStorage(journal.Journal(path)), study_name="s")
    for number in range(count):
        study.add_trial(optuna.trial.create_trial(value=number))
    return study


def read(path):
    storage = optuna.storages.JournalStorage(journal.Journal(path))
    return [trial.value for trial in optuna.load_study(study_name="s", storage=storage).trials]


def test_what_is_written_is_read_by_us_and_by_plain_optuna(tmp_path):
    records(tmp_path / "j", 5)
    assert read(tmp_path / "j") == [0, 1, 2, 3, 4]
    plain = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "j")))
    assert len(optuna.load_study(study_name="s", storage=plain).trials) == 5


def test_every_torn_end_is_cut_back_to_the_last_whole_record(tmp_path):
    records(tmp_path / "j", 3)
    content = (tmp_path / "j").read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    for end in range(last, len(content)):
        (tmp_path / "j").write_bytes(content[:end])
        journal.cut_incomplete_tail(tmp_path / "j")
        assert (tmp_path / "j").read_bytes() == content[:last]
        assert read(tmp_path / "j") == [0, 1]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_line_of_brackets_is_refused_before_json_reaches_the_recursion_limit(tmp_path, place):
    records(tmp_path / "j", 2)
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    lines.insert(place, b"[" * 100_000 + b"\n")
    (tmp_path / "j").write_bytes(b"".join(lines))
    with pytest.raises(ValueError, match="^a record begins with 100 brackets$"):
        read(tmp_path / "j")


def test_brackets_in_a_text_of_a_record_are_read(tmp_path):
    text = "\n" + "[" * 100_000
    records(tmp_path / "j", 1).set_user_attr("text", text)
    storage = optuna.storages.JournalStorage(journal.Journal(tmp_path / "j"))
    assert optuna.load_study(study_name="s", storage=storage).user_attrs == {"text": text}


def test_a_record_can_be_read_as_soon_as_it_is_written(tmp_path):
    study = records(tmp_path / "j", 2)
    for number in range(2, 5):
        study.add_trial(optuna.trial.create_trial(value=number))
        assert [trial.value for trial in study.trials] == read(tmp_path / "j") == list(range(number + 1))


def test_a_file_that_can_grow_no_more_loses_no_whole_record(tmp_path):
    study = records(tmp_path / "j", 3)
    whole, (soft, hard) = (tmp_path / "j").read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, hard))  # a record is longer
    try:
        with pytest.raises(StoreError, match="cannot write to .*/j: File too large; what it holds is whole"):
            study.add_trial(optuna.trial.create_trial(value=3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "j").read_bytes() == whole
    study.add_trial(optuna.trial.create_trial(value=4))
    assert read(tmp_path / "j") == [0, 1, 2, 4]


def test_a_sampler_sees_what_is_shown_and_the_study_all(tmp_path):
    records(tmp_path / "j", 9)
    storage = StudyStorage(journal.Journal(tmp_path / "j"))
    study = optuna.load_study(study_name="s", storage=storage)
    with storage.showing([storage.get_trial(number) for number in (2, 5)]):
        assert [trial.number for trial in study.trials] == [2, 5]
        assert study.ask().number == 9
    assert len(study.trials) == 10
    assert [trial.number for trial in storage.since(7)] == [7, 8, 9]


def hold(path, held, done):
    with journal.lock(path):
        held.set()
        done.wait(30)


def test_a_second_process_is_told_who_holds_it(tmp_path):
    context = multiprocessing.get_context("fork")
    held, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path / "s.journal", held, done))
    process.start()
    assert held.wait(30)
    with pytest.raises(StudyConflict, match=rf"'s'.*process {process.pid}$"):
        journal.lock(tmp_path / "s.journal")
    done.set()
    process.join()
    with journal.lock(tmp_path / "s.journal"):
        assert (tmp_path / "s.lock").read_text() == str(os.getpid())


def test_who_finds_a_journal_locked_waits_until_its_holder_is_named(tmp_path):
    with open(tmp_path / ".lock", "a") as turn, open(tmp_path / "s.lock", "w") as held:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(held, fcntl.LOCK_EX)
        with ThreadPoolExecutor(1) as pool:
            refused = pool.submit(journal.lock, tmp_path / "s.journal")
            wait([refused], 0.2)
            held.write("123")
            held.flush()
            fcntl.flock(turn, fcntl.LOCK_UN)
            with pytest.raises(StudyConflict, match="process 123$"):
                refused.result()
