"""What a study teaches of its hyperparameters, in sentences with numbers: what mattered, how, what it costs.

Every sentence says how far it can be trusted; where trials are too few it says that, and nothing else.
They describe what was tried: a sampler does not draw from all of a range evenly.
"""

import copy
import math
import random
import statistics
import warnings

import numpy
import optuna
from scipy import stats

from search.cli.display import duration, settings
from search.reports.evidence import (
    CHANCE,
    SCORED,
    Sentence,
    best_few,
    in_order,
    mean_error,
    noise,
    percent,
    ranked,
    relative,
    shown,
    too_few,
    tried,
    within_noise,
)

GROUPS = 6  # up to so many different values are groups of their own; more make three groups
SHUFFLES = 100  # of the ranks, to see what chance does
RATE, BATCH = "learning_rate", "batch_size"  # as tasks call them


# What mattered


def mattered(study, shares, by_chance):
    """Which hyperparameters mattered, the most important first, and how: a list of Sentence.

    Args:
        study: the study.
        shares, by_chance: see `importances`.
    """
    if few := too_few(study):
        return [few]
    names = sorted(study.ranges(), key=lambda name: -shares.get(name, 0))
    found = [importance(study, shares, by_chance), *(effect(study, name) for name in names)]
    return [sentence for sentence in [*found, together(study), cost(study), cheaper(study)] if sentence]


def importances(study):
    """Each hyperparameter's share of what tells the best trials from all, by PED-ANOVA, largest first.

    Returns the shares, and what chance alone makes of one: where the ranks are shuffled, no hyperparameter
    tells the best from all by more than this in 95 of 100 cases. Returns none and 0 where there is too
    little to tell apart.

    PED-ANOVA: Watanabe et al., 2023.
    """
    trials = tried(study)
    if too_few(study) or len(study.ranges()) < 2:
        return {}, 0
    ranks, alike = ranked(study, trials), _all_scored(study, trials)
    told = _told_apart(alike, ranks)
    if (total := sum(told.values())) == 0:
        return {}, 0
    chance, largest = random.Random(0), []
    for _ in range(SHUFFLES):
        chance.shuffle(ranks)
        largest.append(max(_told_apart(alike, ranks).values()))
    shares = {name: amount / total for name, amount in sorted(told.items(), key=lambda item: -item[1])}
    return shares, sorted(largest)[math.ceil((1 - CHANCE) * SHUFFLES) - 1] / total


def _all_scored(study, trials):
    """Trials as an Optuna study in which all are completed, in their order."""
    numbers, alike = {trial.number for trial in trials}, optuna.create_study()
    for frozen in study.for_plots().get_trials(deepcopy=False):
        if frozen.number in numbers:
            scored = copy.copy(frozen)
            scored.state, scored.value = optuna.trial.TrialState.COMPLETE, 0.0
            alike.add_trial(scored)
    return alike


def _told_apart(alike, ranks):
    """By how much each hyperparameter tells the best from all: a divergence, 0 for none."""
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=max(0.25, SCORED / len(ranks)))
    with warnings.catch_warnings(action="ignore"):  # that low is good: so it is here
        return evaluator.evaluate(alike, target=lambda frozen: ranks[frozen.number])


def importance(study, shares, by_chance):
    """What the shares say, and whether chance says as much."""
    if not shares:
        return None
    listed = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    text = f"of what tells the best {len(best_few(study))} of {len(tried(study))} trials from all: {listed}."
    beyond = [name for name, share in shares.items() if share > by_chance]
    chance = f"Chance alone makes one of {by_chance:.0%} in 5% of cases"
    verdict = (
        f"{' and '.join(beyond)} stand{'' if beyond[1:] else 's'} out." if beyond else "none stands out."
    )
    return Sentence("importance", f"{text} {chance}: {verdict}")


# How it mattered


def groups(trials, name):
    """Trials by their value of a hyperparameter: a list of groups, those of low values first."""
    trials = [trial for trial in trials if name in trial.params]
    values = {trial.params[name] for trial in trials}
    if all(isinstance(value, (int, float)) for value in values) and len(values) > GROUPS:
        ordered = sorted(trial.params[name] for trial in trials)
        low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
        group_of = lambda value: (value >= low) + (value >= high)  # noqa: E731
    else:
        group_of = in_order(values).index
    found = {}
    for trial in trials:
        found.setdefault(group_of(trial.params[name]), []).append(trial)
    return [found[group] for group in sorted(found)]


def label(group, name):
    """The values of a group: "10 to 25", "3"."""
    values = in_order({trial.params[name] for trial in group})
    return shown(values[0]) if len(values) == 1 else f"{shown(values[0])} to {shown(values[-1])}"


def effect(study, name):
    """Which values of a hyperparameter did best and worst, and how often chance alone does as much.

    By the rank test of Kruskal and Wallis, for as many tests as there are hyperparameters (Bonferroni).
    """
    trials = tried(study)
    ranks = dict(zip((trial.number for trial in trials), ranked(study, trials), strict=True))
    found = groups(trials, name)
    if not found:
        return Sentence(name, "none of these trials has it.")
    if len(found) < 2:
        return Sentence(name, f"only {label(found[0], name)} was tried.")
    in_groups = [[ranks[trial.number] for trial in group] for group in found]
    order = sorted(range(len(found)), key=lambda number: statistics.fmean(in_groups[number]))
    best, worst = (
        f"{label(found[number], name)} ({_did(study, found[number], in_groups[number], len(trials))})"
        for number in (order[0], order[-1])
    )
    often = 1.0 if len(set(ranks.values())) < 2 else stats.kruskal(*in_groups).pvalue
    often = min(1.0, often * len(study.ranges()))
    verdict = "it matters" if often <= CHANCE else "not sure" if often < 0.5 else "no effect to be seen"
    alone = f"chance alone does as much in {percent(often)} of searches"
    return Sentence(name, f"{verdict}: best {best}, worst {worst}; {alone}.")


def _did(study, group, ranks, of):
    """How a group did, in words."""
    scored = [trial for trial in group if trial.score is not None]
    text = (
        f"mean rank {statistics.fmean(ranks):.1f} of {of}; {len(scored)} of {len(group)} trained to the end"
    )
    kind = "geometric mean" if relative(study) else "mean"
    return f"{text}, {kind} {study.description.metric} {mean_error(study, scored)}" if scored else text


def together(study):
    """Whether larger batches want other learning rates, from the better half of the completed trials."""
    pairs = [(trial, [trial.params.get(name) for name in (RATE, BATCH)]) for trial in study.completed()]
    scored = [trial for trial, values in pairs if all(isinstance(value, (int, float)) for value in values)]
    if not scored:
        return None
    better = scored[: math.ceil(len(scored) / 2)]
    of = f"of the better {len(better)} of {len(scored)} trials that were trained to the end"
    rates, sizes = ([trial.params[name] for trial in better] for name in (RATE, BATCH))
    if len(better) < SCORED or len(set(rates)) < 2 or len(set(sizes)) < 2:
        return Sentence(f"{RATE} against {BATCH}", f"{of} too few differ to tell.")
    rank = stats.spearmanr(sizes, rates).statistic
    low, high = (
        math.tanh(math.atanh(rank * 0.999) + side * 1.96 * 1.03 / (len(better) - 3) ** 0.5)
        for side in (-1, 1)
    )
    text = f"rank correlation {rank:.2f} (95%: {low:.2f} to {high:.2f}) {of}: "
    if low <= 0 <= high:
        text += "whether larger batches want other learning rates cannot be told."
    else:
        text += f"larger batches went with {'higher' if rank > 0 else 'lower'} learning rates."
    return Sentence(f"{RATE} against {BATCH}", text)


# What it costs


def cost(study):
    """By how much an epoch takes longer where a hyperparameter is doubled, all else equal.

    Least squares of the logarithms, over all trials that have a curve.
    """
    trials = [trial for trial in tried(study) if any(entry.get("seconds") for entry in trial.curve)]
    names = [name for name in study.ranges() if _can_double([trial.params.get(name) for trial in trials])]
    freedom = len(trials) - len(names) - 1
    if not names or freedom < 4:
        return None
    logs = numpy.log2([[1.0, *(trial.params[name] for name in names)] for trial in trials])
    logs[:, 0] = 1
    seconds = numpy.log2([_an_epoch(trial) for trial in trials])
    powers, _, rank, _ = numpy.linalg.lstsq(logs, seconds)
    if rank < len(names) + 1:
        return None
    variance = ((seconds - logs @ powers) ** 2).sum() / freedom
    errors = numpy.sqrt(variance * numpy.diag(numpy.linalg.inv(logs.T @ logs))) * stats.t.ppf(0.975, freedom)
    said = [
        f"twice the {name} takes {2**power:.2f} times as long (95%: {2**low:.2f} to {2**high:.2f})"
        for name, power, low, high in zip(names, powers[1:], (powers - errors)[1:], (powers + errors)[1:])
        if low > 0 or high < 0
    ]
    if not said:
        return Sentence("training time", f"depends on nothing that {len(trials)} trials could tell.")
    rest = "" if len(said) == len(names) else "; nothing else can be told to matter"
    return Sentence("training time", f"{'; '.join(said)}, over {len(trials)} trials{rest}.")


def _can_double(values):
    numbers = all(isinstance(value, (int, float)) and value > 0 for value in values)
    return numbers and len(set(values)) > 1


def _an_epoch(trial):
    return statistics.median(entry["seconds"] for entry in trial.curve if entry.get("seconds"))


def front(study):
    """The completed trials than which none is both faster and better, the fastest first."""
    found = []
    for trial in sorted(study.completed(), key=lambda trial: (trial.seconds, study.sort_key(trial))):
        if not found or study.sort_key(trial)[0] < study.sort_key(found[-1])[0]:
            found.append(trial)
    return found


def cheaper(study):
    """The fastest trial whose score cannot be told from the best."""
    best = study.best()
    quick = next(trial for trial in front(study) if within_noise(trial, best))
    if quick.number == best.number:
        text = f"no faster trial comes near the best score, which took {duration(best.seconds)}."
        return Sentence("score against time", text)
    behind = f"{abs(best.score - quick.score):.2g} ± {noise(quick, best):.2g} behind the best score"
    times = f"{duration(quick.seconds)}, the best {duration(best.seconds)}"
    return Sentence(
        "score against time", f"trial {quick.number} is {behind} and took {times}: {settings(quick)}."
    )
