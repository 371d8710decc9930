"""Which hyperparameters set the best trials apart, beyond chance: PED-ANOVA, and shuffled ranks."""

import random
import warnings
from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import create_trial

from search.reports.evidence import MIN_ESTIMATES, Evidence, Sentence

SHUFFLES = 100  # of the ranks, to learn what chance produces


def importances(evidence: Evidence) -> tuple[dict[str, float], float]:
    """Each hyperparameter's share of the difference between the best trials and all, by PED-ANOVA.

    Returns the shares, the largest first, and the share that chance alone produces: with shuffled ranks, no
    hyperparameter has a larger one in 99 of 100 cases. Returns {} and 0 where there are too few trials,
    fewer than two hyperparameters, or no difference.

    PED-ANOVA: Watanabe et al., 2023.
    """
    if evidence.too_few() or len(evidence.study.ranges()) < 2:
        return {}, 0.0
    ranks, stand_in = list(evidence.ranks), _all_completed(evidence)
    divergences = _divergences(stand_in, ranks)
    if (total := sum(divergences.values())) == 0:
        return {}, 0.0
    chance, largest = random.Random(0), []
    for _ in range(SHUFFLES):
        chance.shuffle(ranks)
        largest.append(max(_divergences(stand_in, ranks).values()))
    shares = {name: amount / total for name, amount in sorted(divergences.items(), key=lambda item: -item[1])}
    return shares, sorted(largest)[-2] / total


def _all_completed(evidence: Evidence) -> optuna.Study:
    """The points as an Optuna study in which all are completed, in their order."""
    ranges, stand_in = evidence.study.ranges(), optuna.create_study()
    for point in evidence.points:
        params = point.trial.params
        distributions = {name: ranges[name] for name in params}
        stand_in.add_trial(create_trial(params=params, distributions=distributions, value=0.0))
    return stand_in


def _divergences(stand_in: optuna.Study, ranks: Sequence[float]) -> dict[str, float]:
    """How far each hyperparameter's values among the best are from its values among all; 0 if alike."""
    quantile = max(0.25, MIN_ESTIMATES / len(ranks))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    with warnings.catch_warnings(action="ignore"):  # that low targets are best: ranks are
        return evaluator.evaluate(stand_in, target=lambda frozen: ranks[frozen.number])


def importance(evidence: Evidence, shares: Mapping[str, float], chance_share: float) -> Sentence | None:
    """The shares, and whether chance alone produces as much."""
    if not shares:
        return None
    listed = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    best, trials = len(evidence.best_quarter), len(evidence.points)
    text = f"what sets the best {best} of {trials} trials apart: {listed}."
    beyond = [name for name, share in shares.items() if share > chance_share]
    chance = f"Chance alone gives one of them {min(1, chance_share):.0%} in {1 / SHUFFLES:.0%} of searches"
    verdict = (
        f"{' and '.join(beyond)} stand{'' if beyond[1:] else 's'} out." if beyond else "none stands out."
    )
    return Sentence("importance", f"{text} {chance}: {verdict}")
