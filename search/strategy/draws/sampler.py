"""Where a configuration is drawn from: at random, and later from Optuna's TPE. Each draw has its own seed.

Tree-structured Parzen estimator: Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011.
"""

import hashlib
import heapq
import warnings
from collections.abc import Collection, Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler

N_STARTUP_TRIALS = 30  # draws at random before TPE models what it has seen
RANDOM_EVERY = 8  # afterwards one draw in so many is random: the early leaders must not be all that is tried
N_BEST = 25  # trials at most that TPE takes for good ones: a tenth of all, up to this number
N_RECENT = 225  # trials that TPE learns from besides: more say little, and cost time at every draw


def derive_seed(seed: int, purpose: str, draw: int) -> int:
    """A seed of 31 bits, for one purpose and one draw of a study.

    Each draw has its own. So a resumed study repeats no draw, and does not depend on its interruptions.
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose} {draw}".encode()).digest()[:4]) >> 1


def sampler(seed: int, fixed: Mapping[str, Any], draw: int | None) -> BaseSampler:
    """The sampler of one draw.

    Args:
        fixed: hyperparameters that are not sampled.
        draw: its number; None for a replicate, whose hyperparameters are all fixed.
    """
    drawn: BaseSampler
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        if draw is None or draw < N_STARTUP_TRIALS or draw % RANDOM_EVERY == 0:
            drawn = optuna.samplers.RandomSampler(seed=seed)
        else:
            drawn = optuna.samplers.TPESampler(seed=seed, n_startup_trials=0, group=True)
        return optuna.samplers.PartialFixedSampler(dict(fixed), drawn)


def select_observations(
    levels: Mapping[int, float], rejected: Collection[int], running: Collection[int]
) -> list[int]:
    """The numbers of the trials that the next draw learns from: the best, the most recent, and those running.

    Args:
        levels: number -> level, of which more is better.
        rejected: the numbers of trials that diverged, or were infeasible.
        running: the numbers of trials that train now. TPE avoids their
            neighbourhood, as if they were bad.
    """
    best = heapq.nlargest(N_BEST, levels, key=lambda number: levels[number])
    return sorted({*best, *sorted([*levels, *rejected])[-N_RECENT:], *running})
