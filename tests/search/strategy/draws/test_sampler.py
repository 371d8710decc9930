"""Seeds: one for each purpose and draw. What a draw is made from."""

from search.strategy.draws import sampler


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
