"""Void entries and what holds for a trial; numbers as people write them."""

from search.study.trial import VoidEntry, active, number_ranges, void_entries


def test_active_the_latest_entry_of_a_trial_holds():
    voided, superseded = VoidEntry.now("void", [3, 1], "a"), VoidEntry.now("superseded", [3], "b")
    restored = VoidEntry.now("restore", [1, 9], "c")
    assert active([voided, superseded, restored]) == {3: superseded}
    assert voided.trials == (1, 3) and "@" in voided.who


def test_void_entries_are_read_as_they_were_stored_in_order():
    entries = [VoidEntry.now("superseded", [number], "why") for number in range(12)]
    stored = {f"crossing {number}": entry.as_record() for number, entry in enumerate(entries)}
    assert stored["crossing 0"]["action"] == "aside"  # as since version 0.1
    assert void_entries(dict(reversed(stored.items()))) == entries


def test_number_ranges_are_as_people_write_them():
    assert number_ranges([14, 3, 4, 5, 9]) == "3-5, 9, 14"
