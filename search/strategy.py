"""What to try next, and when to give a trial up: Optuna's TPE and median pruning.

Tree-structured Parzen estimator: Bergstra et al., Algorithms for Hyper-Parameter Optimization,
2011. Median rule: Golovin et al., Google Vizier, 2017.
"""

import hashlib
import statistics
import warnings

import optuna

STARTUP = 10  # draws at random before TPE models what it has seen
COMPARED = 4  # completed trials before one is given up by comparison


def derive_seed(seed, purpose, draw):
    """A seed of 31 bits, for one purpose and one draw of a study.

    Every draw has its own, so that a study that is resumed neither repeats its draws nor
    depends on where it was interrupted.
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose} {draw}".encode()).digest()[:4]) >> 1


def sampler(seed, fixed):
    """The sampler of one draw. `fixed` holds hyperparameters that are not up to it."""
    tpe = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        return optuna.samplers.PartialFixedSampler(fixed, tpe)


def pruner(epochs):
    """The pruner of a study whose trials train for so many epochs."""
    return optuna.pruners.MedianPruner(n_startup_trials=COMPARED, n_warmup_steps=epochs // 4)


def why_hopeless(study, trial, epoch):
    """Why a running trial should be given up at this epoch, in words; None where it should not."""
    if not trial.should_prune():
        return None
    completed = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    others = [other.intermediate_values[epoch] for other in completed if epoch in other.intermediate_values]
    better = max if study.direction == optuna.study.StudyDirection.MAXIMIZE else min
    best = better(study.get_trials(deepcopy=False)[trial.number].intermediate_values.values())
    median = f"the median of {len(others)} completed trials {statistics.median(others):.4g}"
    return f"at epoch {epoch} its best was {best:.4g}, and {median}"
