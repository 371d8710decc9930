"""Seeds: one for each purpose and draw."""

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
