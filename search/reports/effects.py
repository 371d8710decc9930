"""Which hyperparameters mattered, how, and what they cost: sentences with numbers.

Each sentence says how far to trust it. Where there are too few trials, the only sentence says so. The
sentences describe the trials that were run: a sampler does not draw evenly from all of a range.
"""

import copy
import math
import random
import statistics
import warnings
from collections.abc import Mapping, Sequence

import numpy
import optuna
from scipy import stats

from search.reports.evidence import (
    MIN_SCORED,
    SIGNIFICANCE,
    Sentence,
    best_quarter,
    compares_ratios,
    format_value,
    in_order,
    is_number,
    mean_and_error,
    noise,
    percent,
    ranked,
    score_of,
    too_few,
    tried,
    within_noise,
)
from search.study.trial import Trial
from search.study.view import StudyView
from search.text import duration, settings

MAX_GROUPS = 6  # up to so many different values are groups of their own; more make three groups
SHUFFLES = 100  # of the ranks, to learn what chance produces
LEARNING_RATE, BATCH_SIZE = "learning_rate", "batch_size"  # as tasks call them
MIN_FREEDOM = 4  # degrees of freedom of a fit of training times


# What mattered


def mattered(study: StudyView, shares: Mapping[str, float], chance_share: float) -> list[Sentence]:
    """Sentences about the hyperparameters, the most important first.

    Args:
        study: the study.
        shares, chance_share: see `importances`.
    """
    if few := too_few(study):
        return [few]
    names = sorted(study.ranges(), key=lambda name: -shares.get(name, 0))
    sentences = [importance(study, shares, chance_share), *(effect(study, name) for name in names)]
    sentences += [rate_and_batch(study), cost(study), cheaper(study)]
    return [sentence for sentence in sentences if sentence]


def importances(study: StudyView) -> tuple[dict[str, float], float]:
    """Each hyperparameter's share of the difference between the best trials and all, by PED-ANOVA.

    Returns the shares, the largest first, and the share that chance alone produces: with shuffled ranks, no
    hyperparameter has a larger one in 95 of 100 cases. Returns {} and 0 where there are too few trials,
    fewer than two hyperparameters, or no difference.

    PED-ANOVA: Watanabe et al., 2023.
    """
    trials = tried(study)
    if too_few(study) or len(study.ranges()) < 2:
        return {}, 0.0
    ranks, stand_in = ranked(study, trials), _all_completed(study, trials)
    divergences = _divergences(stand_in, ranks)
    if (total := sum(divergences.values())) == 0:
        return {}, 0.0
    chance, largest = random.Random(0), []
    for _ in range(SHUFFLES):
        chance.shuffle(ranks)
        largest.append(max(_divergences(stand_in, ranks).values()))
    shares = {name: amount / total for name, amount in sorted(divergences.items(), key=lambda item: -item[1])}
    return shares, sorted(largest)[math.ceil((1 - SIGNIFICANCE) * SHUFFLES) - 1] / total


def _all_completed(study: StudyView, trials: Sequence[Trial]) -> optuna.Study:
    """Trials as an Optuna study in which all are completed, in their order."""
    numbers, stand_in = {trial.number for trial in trials}, optuna.create_study()
    for frozen in study.for_plots().get_trials(deepcopy=False):
        if frozen.number in numbers:
            completed = copy.copy(frozen)
            completed.state, completed.value = optuna.trial.TrialState.COMPLETE, 0.0
            stand_in.add_trial(completed)
    return stand_in


def _divergences(stand_in: optuna.Study, ranks: Sequence[float]) -> dict[str, float]:
    """How far each hyperparameter's values among the best are from its values among all; 0 if alike."""
    quantile = max(0.25, MIN_SCORED / len(ranks))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    with warnings.catch_warnings(action="ignore"):  # that low targets are best: ranks are
        return evaluator.evaluate(stand_in, target=lambda frozen: ranks[frozen.number])


def importance(study: StudyView, shares: Mapping[str, float], chance_share: float) -> Sentence | None:
    """The shares, and whether chance alone produces as much."""
    if not shares:
        return None
    listed = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    best, trials = len(best_quarter(study)), len(tried(study))
    text = f"what sets the best {best} of {trials} trials apart: {listed}."
    beyond = [name for name, share in shares.items() if share > chance_share]
    chance = f"Chance alone gives one of them {chance_share:.0%} in 5% of searches"
    verdict = (
        f"{' and '.join(beyond)} stand{'' if beyond[1:] else 's'} out." if beyond else "none stands out."
    )
    return Sentence("importance", f"{text} {chance}: {verdict}")


# How it mattered


def groups(trials: Sequence[Trial], name: str) -> list[list[Trial]]:
    """Trials grouped by their value of a hyperparameter, the group of the lowest values first."""
    trials = [trial for trial in trials if name in trial.params]
    values = {trial.params[name] for trial in trials}
    if all(map(is_number, values)) and len(values) > MAX_GROUPS:
        ordered = sorted(trial.params[name] for trial in trials)
        low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
        number_of = {value: (value >= low) + (value >= high) for value in values}
    else:
        number_of = {value: number for number, value in enumerate(in_order(values))}
    grouped: dict[int, list[Trial]] = {}
    for trial in trials:
        grouped.setdefault(number_of[trial.params[name]], []).append(trial)
    return [grouped[number] for number in sorted(grouped)]


def label(group: Sequence[Trial], name: str) -> str:
    """The values of a group: "10 to 25", "3"."""
    values = in_order({trial.params[name] for trial in group})
    first, last = format_value(values[0]), format_value(values[-1])
    return first if len(values) == 1 else f"{first} to {last}"


def effect(study: StudyView, name: str) -> Sentence:
    """The best and the worst values of a hyperparameter, and how often chance alone differs as much.

    By the rank test of Kruskal and Wallis, for as many tests as there are hyperparameters (Bonferroni).
    """
    trials = tried(study)
    ranks = dict(zip((trial.number for trial in trials), ranked(study, trials), strict=True))
    grouped = groups(trials, name)
    if not grouped:
        return Sentence(name, "no trial has it.")
    if len(grouped) < 2:
        return Sentence(name, f"only {label(grouped[0], name)} was tried.")
    group_ranks = [[ranks[trial.number] for trial in group] for group in grouped]
    order = sorted(range(len(grouped)), key=lambda number: statistics.fmean(group_ranks[number]))
    results = [
        f"{label(group, name)} ({_result(study, group, its_ranks, len(trials))})"
        for group, its_ranks in zip(grouped, group_ranks, strict=True)
    ]
    probability = 1.0 if len(set(ranks.values())) < 2 else float(stats.kruskal(*group_ranks).pvalue)
    probability = min(1.0, probability * len(study.ranges()))
    verdict = (
        "it matters"
        if probability <= SIGNIFICANCE
        else "not sure"
        if probability < 0.5
        else "no visible effect"
    )
    chance = f"chance alone does as much in {percent(probability)} of searches"
    return Sentence(name, f"{verdict}: best {results[order[0]]}, worst {results[order[-1]]}; {chance}.")


def _result(study: StudyView, group: Sequence[Trial], ranks: Sequence[float], among: int) -> str:
    """The result of a group in words: its mean rank, and the mean score of its completed trials."""
    scored = [trial for trial in group if trial.score is not None]
    rank = f"mean rank {statistics.fmean(ranks):.1f} of {among}"
    text = f"{rank}; {len(scored)} of {len(group)} trained to the end"
    kind = "geometric mean" if compares_ratios(study) else "mean"
    return f"{text}, {kind} {study.description.metric} {mean_and_error(study, scored)}" if scored else text


def rate_and_batch(study: StudyView) -> Sentence | None:
    """Whether larger batches need other learning rates, from the better half of the completed trials."""
    scored = [
        trial
        for trial in study.completed()
        if all(is_number(trial.params.get(name)) for name in (LEARNING_RATE, BATCH_SIZE))
    ]
    if not scored:
        return None
    about, better = f"{LEARNING_RATE} against {BATCH_SIZE}", scored[: math.ceil(len(scored) / 2)]
    among = f"among the better {len(better)} of {len(scored)} trials that were trained to the end"
    rates, sizes = ([trial.params[name] for trial in better] for name in (LEARNING_RATE, BATCH_SIZE))
    if len(better) < MIN_SCORED or len(set(rates)) < 2 or len(set(sizes)) < 2:
        return Sentence(about, f"{among} too few differ to tell.")
    rank = float(stats.spearmanr(sizes, rates).statistic)
    low, high = (
        math.tanh(math.atanh(rank * 0.999) + side * 1.96 * 1.03 / (len(better) - 3) ** 0.5)
        for side in (-1, 1)
    )
    text = f"rank correlation {rank:.2f} (95%: {low:.2f} to {high:.2f}) {among}: "
    if low <= 0 <= high:
        text += "too little to tell whether larger batches need other learning rates."
    else:
        text += f"larger batches went with {'higher' if rank > 0 else 'lower'} learning rates."
    return Sentence(about, text)


# What it costs


def cost(study: StudyView) -> Sentence | None:
    """How much longer an epoch takes when a hyperparameter doubles and all else stays equal.

    Least squares of the logarithms, over all trials that have a curve.
    """
    trials = [trial for trial in tried(study) if any(entry.get("seconds") for entry in trial.curve)]
    names = [name for name in study.ranges() if _can_double([trial.params.get(name) for trial in trials])]
    freedom = len(trials) - len(names) - 1
    if not names or freedom < MIN_FREEDOM:
        return None
    logs = numpy.log2([[2.0, *(trial.params[name] for name in names)] for trial in trials])
    seconds = numpy.log2([_epoch_seconds(trial) for trial in trials])
    powers, _, rank, _ = numpy.linalg.lstsq(logs, seconds)
    if rank < len(names) + 1:
        return None
    variance = ((seconds - logs @ powers) ** 2).sum() / freedom
    errors = numpy.sqrt(variance * numpy.diag(numpy.linalg.inv(logs.T @ logs))) * stats.t.ppf(0.975, freedom)
    factors = [
        f"twice the {name} takes {2**power:.2f} times as long (95%: {2**low:.2f} to {2**high:.2f})"
        for name, power, low, high in zip(names, powers[1:], (powers - errors)[1:], (powers + errors)[1:])
        if low > 0 or high < 0
    ]
    if not factors:
        return Sentence("training time", f"{len(trials)} trials show no hyperparameter that changes it.")
    rest = "" if len(factors) == len(names) else "; no other effect is certain"
    return Sentence("training time", f"{'; '.join(factors)}, over {len(trials)} trials{rest}.")


def _can_double(values: Sequence[object]) -> bool:
    positive = all(isinstance(value, int | float) and value > 0 for value in values)
    return positive and len(set(values)) > 1


def _epoch_seconds(trial: Trial) -> float:
    return float(statistics.median(entry["seconds"] for entry in trial.curve if entry.get("seconds")))


def front(study: StudyView) -> list[Trial]:
    """The completed trials that no other beats in both time and score, the fastest first."""
    found: list[Trial] = []
    for trial in sorted(study.completed(), key=lambda trial: (trial.seconds, study.sort_key(trial))):
        if not found or study.sort_key(trial)[0] < study.sort_key(found[-1])[0]:
            found.append(trial)
    return found


def cheaper(study: StudyView) -> Sentence:
    """The fastest trial whose score is within noise of the best."""
    about, best = "score against time", study.best()
    quick = next(trial for trial in front(study) if within_noise(trial, best))
    if quick.number == best.number:
        took = duration(best.seconds)
        return Sentence(about, f"no faster trial comes near the best score, which took {took}.")
    behind = f"{abs(score_of(best) - score_of(quick)):.2g} ± {noise(quick, best):.2g} behind the best score"
    times = f"{duration(quick.seconds)}, the best {duration(best.seconds)}"
    return Sentence(about, f"trial {quick.number} is {behind} and took {times}: {settings(quick.params)}.")
