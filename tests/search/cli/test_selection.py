"""Which trials are meant, and what holds for them."""

import tracemalloc

import pytest

from search.cli import selection
from search.cli.options import StudyTrials
from search.errors import UsageError
from search.tasks.provenance import git


@pytest.mark.parametrize(
    "text, numbers",
    [("3", [3]), ("3-5", [3, 4, 5]), ("0,11", [0, 11]), (" 2 - 3 , 9", [2, 3, 9]), ("4,3-4", [3, 4])],
)
def test_numbers_and_ranges(searched, text, numbers):
    assert selection.find_trials(list(searched.trials()), StudyTrials(trials=text)) == numbers


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "5-3", "3;4", "1.5", "٣", "3,,4"])
def test_what_is_no_range_is_refused(searched, text):
    with pytest.raises(UsageError, match="TRIALS .* is not valid: numbers and ranges, as 3-9,14"):
        selection.find_trials(list(searched.trials()), StudyTrials(trials=text))


def test_a_trial_that_is_not_there_is_refused(searched):
    with pytest.raises(UsageError, match="there is no trial 12, only 0 to 11"):
        selection.find_trials(list(searched.trials()), StudyTrials(trials="9-14"))


def test_a_range_of_millions_takes_no_memory(searched):
    trials = list(searched.trials())
    tracemalloc.start()
    with pytest.raises(UsageError, match="there is no trial 12,"):
        selection.find_trials(trials, StudyTrials(trials="0-9999999"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_clock_here_can_show_is_refused(searched, text):
    with pytest.raises(UsageError, match="is neither a time"):
        selection.find_trials(list(searched.trials()), StudyTrials(since=text))


def test_since_a_time(searched):
    trials = list(searched.trials())
    for text in (str(trials[7].started), trials[7].started.astimezone().isoformat()):
        assert selection.find_trials(trials, StudyTrials(since=text)) == [7, 8, 9, 10, 11]
    with pytest.raises(UsageError, match="no trial is meant by '2999-01-01'"):
        selection.find_trials(trials, StudyTrials(since="2999-01-01"))


@pytest.mark.skipif(git("rev-parse", "HEAD~1") is None, reason="this is no checkout with a history")
def test_since_a_commit(searched):
    trials = list(searched.trials())
    assert selection.find_trials(trials, StudyTrials(since="HEAD")) == list(range(12))
    assert selection.find_trials(trials, StudyTrials(since="HEAD~1")) == list(range(12))


@pytest.mark.parametrize("text", ["yesterday", "--all", "HEAD~99999", ""])
def test_what_is_neither_a_time_nor_a_commit_is_refused(searched, text):
    with pytest.raises(UsageError, match="SINCE .* is neither a time"):
        selection.find_trials(list(searched.trials()), StudyTrials(since=text))


def test_by_the_fingerprint_of_the_code(searched):
    trials = list(searched.trials())
    code = trials[0].fingerprint["code"]
    assert selection.find_trials(trials, StudyTrials(code=code[:6])) == list(range(12))
    for wrong in ("", "nothing"):
        with pytest.raises(UsageError, match="no trial is meant"):
            selection.find_trials(trials, StudyTrials(code=wrong))


def test_one_way_to_name_them_is_needed(searched):
    for ways in ({}, {"trials": "1", "code": "a"}):
        with pytest.raises(UsageError, match="which trials"):
            selection.find_trials(list(searched.trials()), StudyTrials(**ways))
