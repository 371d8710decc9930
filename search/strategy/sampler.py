"""What to try next, by Optuna's TPE; which trials go on is said in `search.strategy.halving`.

Tree-structured Parzen estimator: Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011.
"""

import hashlib
import heapq
import math
import statistics
import warnings

import optuna

STARTUP = 30  # draws at random before TPE models what it has seen
RANDOM = 8  # after that one draw in so many still is: what leads early on must not be all that is tried
GOOD = 25  # trials at the most that TPE takes for good ones: a tenth of all, up to here
LATEST = 225  # trials that it learns from besides: the others say little more, and cost time at every draw
NEAR = 0.2  # of a range: nearer in each hyperparameter, and a draw is said to exploit


def derive_seed(seed, purpose, draw):
    """A seed of 31 bits, for one purpose and one draw of a study.

    Every draw has its own, so that a study that is resumed neither repeats its draws nor
    depends on where it was interrupted.
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose} {draw}".encode()).digest()[:4]) >> 1


def sampler(seed, fixed, draw):
    """The sampler of one draw. `fixed` holds hyperparameters that are not up to it; a repeat is no draw."""
    if draw is None or draw < STARTUP or draw % RANDOM == 0:
        drawn = optuna.samplers.RandomSampler(seed=seed)
    else:
        drawn = optuna.samplers.TPESampler(seed=seed, n_startup_trials=0, group=True)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        return optuna.samplers.PartialFixedSampler(fixed, drawn)


def learnt(known, hopeless, training):
    """The numbers of the trials that the next draw is made from: the GOOD best, the LATEST, and what trains.

    Args:
        known: number -> level, of which more is better.
        hopeless: the numbers of those that diverged, or were infeasible.
        training: those that train now. TPE takes them for bad ones, and so draws nothing near them.
    """
    best = heapq.nlargest(GOOD, known, key=known.get)
    return sorted({*best, *sorted([*known, *hopeless])[-LATEST:], *training})


def why_proposed(completed, asked, about):
    """Why a configuration is tried, in words.

    Args:
        completed: the trials that have a score, the best first.
        asked: Optuna's trial, whose hyperparameters are drawn.
        about: "confirms" and "repeat", or "draw", "retry_of", "start" and "enqueued".
    """
    if "confirms" in about:
        return f"repeat {about['repeat']} of trial {about['confirms']}, on a fresh seed"
    if about["retry_of"] is not None:
        return f"retry of trial {about['retry_of']}"
    if about.get("enqueued"):
        return "enqueued by another program"
    if about["draw"] == 0:
        return "baseline: the task's defaults"
    if about["start"]:
        return "start: what won another task"
    params, distributions = asked.params, asked.distributions  # Optuna copies them each time
    if not asked.relative_params or not params:
        return "drawn at random"
    if not completed:
        return "TPE: from first epochs alone, as no trial has a score yet"
    best = completed[: min(GOOD, max(1, math.ceil(len(completed) / 10)))]
    apart = {trial.number: _apart(trial.params, params, distributions) for trial in best}
    nearest = min(best, key=lambda trial: statistics.fmean(apart[trial.number].values()))
    name, farthest = max(apart[nearest.number].items(), key=lambda item: item[1])
    change = f"{name} {_shown(nearest.params.get(name, 'none'))} to {_shown(params[name])}"
    if farthest > NEAR:
        return f"TPE: exploring, away from trial {nearest.number} ({change})"
    return f"TPE: exploiting, near trial {nearest.number}" + (f" ({change})" if farthest else "")


def _apart(one, other, distributions):
    """How far two configurations are apart in each hyperparameter, as a share of its range.

    `one` may lack some that `other` has: those are wholly apart.
    """
    apart = {}
    for name, ranges in distributions.items():
        if name not in one:
            apart[name] = 1.0
        elif isinstance(ranges, optuna.distributions.CategoricalDistribution):
            apart[name] = float(one[name] != other[name])
        else:
            low, high, a, b = (
                math.log(value) if ranges.log else value
                for value in (ranges.low, ranges.high, one[name], other[name])
            )
            apart[name] = abs(a - b) / ((high - low) or 1)
    return apart


def why_diverged(params, distributions):
    """What is probably to blame where a loss is no longer finite, in words; "" where nothing stands out."""
    name = "learning_rate"
    range_, rate = distributions.get(name), params.get(name)
    if rate is None or not getattr(range_, "log", False):
        return ""
    low, high = math.log(range_.low), math.log(range_.high)
    if (math.log(rate) - low) < 0.5 * (high - low):
        return ""
    shape = [f"{other} {_shown(value)}" for other, value in params.items() if other != name]
    return f": {name} {_shown(rate)} is probably too high for {', '.join(shape)}"


def _shown(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)
