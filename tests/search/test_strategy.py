"""Seeds: one for each purpose and draw. What a draw is made from."""

from types import SimpleNamespace

from search import strategy


def test_seeds_are_distinct_and_reproducible():
    seeds = [
        strategy.derive_seed(study, purpose, draw)
        for study in range(3)
        for purpose in ("sampler", "training")
        for draw in range(100)
    ]
    assert len(set(seeds)) == len(seeds) == 600
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert strategy.derive_seed(0, "training", 0) == seeds[100]


def test_a_draw_is_made_from_the_best_and_the_latest_however_many_there_are():
    ended = list(range(10_000))
    best = [SimpleNamespace(number=number) for number in (*range(100, 130), 9_999)]
    learnt = strategy.learnt(best, ended)
    assert learnt == [*range(100, 100 + strategy.GOOD), *ended[-strategy.LATEST :]]
    assert strategy.learnt(best[:3], [100, 101, 102, 103]) == [100, 101, 102, 103]
