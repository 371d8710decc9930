"""Seeds: one for each purpose and draw. What a draw is made from. What won other tasks comes first."""

import pytest

from search import paths, tasks
from search.frozen_script import files
from search.strategy import sampler
from search.strategy.sampler import warm_starts


def test_seeds_are_distinct_and_reproducible():
    seeds = [
        sampler.derive_seed(study, purpose, draw)
        for study in range(3)
        for purpose in ("sampler", "training")
        for draw in range(100)
    ]
    assert len(set(seeds)) == len(seeds) == 600
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert sampler.derive_seed(0, "training", 0) == seeds[100]


def test_a_draw_is_made_from_the_best_and_the_latest_however_many_there_are():
    known = {number: -abs(number - 100) for number in range(0, 10_000, 2)}
    diverged = list(range(1, 10_000, 2))
    seen = sampler.select_observations(known, diverged, [])
    best = range(100 - sampler.N_BEST + 1, 100 + sampler.N_BEST, 2)
    assert seen == [*best, *range(10_000 - sampler.N_RECENT, 10_000)]
    assert sampler.select_observations({3: 0.5, 1: 0.7}, [0, 2], [5]) == [0, 1, 2, 3, 5]


def frozen(name, *defaults):
    files.write(paths.frozen(name), "class Config:\n" + "".join(f"    {line}\n" for line in defaults))


def test_a_sibling_that_has_all_ranges_is_a_start(bowl):
    frozen("langid", "x: float = 0.25", "y: float = 1e9", "more: str = 'x'")
    frozen("digits", "x: float = 0.25")
    assert warm_starts(bowl) == [{"x": 0.25, "y": 100}]


def test_a_choice_that_is_no_number_is_taken_where_it_is_there_too(moody):
    task = moody("nan")
    frozen("langid", "mood: str = 'nan'")
    frozen("digits", "mood: str = 'sad'")
    assert warm_starts(task) == [{"mood": "nan"}]


@pytest.mark.parametrize("garbage", ["", "(", "\0", "class Config: pass", "class Config:\n  x: float = y\n"])
def test_a_sibling_that_cannot_be_read_is_none(bowl, garbage):
    files.write(paths.frozen("langid"), garbage)
    assert warm_starts(bowl) == []


def test_a_sibling_of_other_values_is_none(bowl):
    frozen("langid", "x: float = 'high'", "y: int = None")
    assert warm_starts(bowl) == []


def test_a_smaller_batch_gets_a_lower_rate(monkeypatch):
    task = tasks.find("digits")
    values = {"hidden_size": 300, "layers": 2, "learning_rate": 0.004, "batch_size": 480}
    frozen("langid", *(f"{name}: float = {value}" for name, value in values.items()))
    [start] = warm_starts(task)
    assert start["batch_size"] < 480
    assert start["learning_rate"] == pytest.approx(0.004 * (start["batch_size"] / 480) ** 0.5)
