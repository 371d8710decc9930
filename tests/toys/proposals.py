"""Trials that a test wants to start just so."""

from search.strategy.draws.sampler import sampler
from search.study.study import Proposal


def fixed(params: dict, draw: int) -> Proposal:
    """A proposal of these hyperparameters."""
    return Proposal(sampler=sampler(draw, params, 0), training_seed=draw, draw=draw)
