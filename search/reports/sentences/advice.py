"""Advice on the next search of a study: its ranges, failures, budget and noise, with numbers."""

import math
import statistics
from collections.abc import Iterator

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search.primitives.text import settings
from search.reports.evidence import (
    MIN_ESTIMATES,
    MIN_TRIALS,
    SIGNIFICANCE,
    Evidence,
    Sentence,
    format_value,
    in_order,
    is_number,
    percent,
    plural,
)
from search.reports.sentences.depths import depth_name
from search.reports.sentences.effects import LEARNING_RATE
from search.strategy.estimates.posterior import FAILED_SEEDS
from search.strategy.explain import optimism
from search.strategy.winner import Candidate
from search.study.trial import Trial, TrialState
from search.study.view import StudyView

EDGE = 0.05  # of a range, in its scale: a value nearer to an end is on the edge
MAX_VALUES = 10  # of a hyperparameter that are compared with the best quarter
MIN_TIMES = 5  # that a value was tried, before it counts as never among the best
TRAINED = (TrialState.COMPLETED, TrialState.PRUNED, TrialState.DIVERGED)


def advice(evidence: Evidence, candidate: Candidate | None = None) -> list[Sentence]:
    """Advice on what to do next. `candidate` is the winner, if there is one."""
    study = evidence.study
    sentences: list[Sentence | None] = []
    if candidate is not None:
        sentences += [edge(evidence, candidate.trial, name) for name in study.ranges()]
        sentences += [close_scores(evidence), first_score(study, candidate)]
    sentences += never_best(evidence)
    sentences += [diverged(study), *wrong_architectures(study)]
    sentences += [pruned(study), infeasible(study), failed(study), budget(evidence)]
    return [sentence for sentence in sentences if sentence]


# Ranges


def position(distribution: BaseDistribution, value: object) -> float | None:
    """A value's position in its range, 0 to 1, in the range's scale; None where a range has no ends."""
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        if len(choices) < 3 or not all(map(is_number, choices)):
            return None
        return in_order(choices).index(value) / (len(choices) - 1)
    assert isinstance(distribution, IntDistribution | FloatDistribution) and isinstance(value, int | float)
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, IntDistribution) and high - low < 2 * distribution.step:
        return None  # each of two values is an end
    if distribution.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low) if high > low else None


def end(distribution: BaseDistribution, value: object) -> str | None:
    """The end of its range that a value is on: "lower", "upper" or None. Of choices, only the ends count."""
    where = position(distribution, value)
    if where is None:
        return None
    margin = 0 if isinstance(distribution, CategoricalDistribution) else EDGE
    if where <= margin and value == 1 and isinstance(value, int):
        return None  # there cannot be fewer: of layers, for example
    return "lower" if where <= margin else "upper" if where >= 1 - margin else None


def edge(evidence: Evidence, best: Trial, name: str) -> Sentence | None:
    """Whether the winner's value is on the edge of its range."""
    distribution = evidence.study.ranges()[name]
    side = end(distribution, best.params[name]) if name in best.params else None
    if side is None:
        return None
    few = [point.trial.params for point in evidence.best_quarter]
    same = sum(end(distribution, params[name]) == side for params in few if name in params)
    low, high = map(format_value, ends(distribution))
    text = f"the winner's {format_value(best.params[name])} is on the {side} edge of {low} to {high}"
    if len(few) < MIN_ESTIMATES:
        return Sentence(name, f"{text}: too few trials to tell whether better values lie beyond.")
    text += f", as in {same} of the best {len(few)} trials"
    beyond = "higher" if side == "upper" else "lower"
    if same > len(few) / 2:
        return Sentence(name, f"{text}: widen the range, {beyond} values may be better still.")
    return Sentence(name, f"{text}: a wider range would show whether {beyond} values are better.")


def ends(distribution: BaseDistribution) -> tuple[object, object]:
    """The lowest and the highest value of a range."""
    if isinstance(distribution, CategoricalDistribution):
        ordered = in_order(distribution.choices)
        return ordered[0], ordered[-1]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low, distribution.high


def never_best(evidence: Evidence) -> Iterator[Sentence]:
    """The values that are never among the best quarter, where chance does not explain it."""
    trials, ranks = [point.trial for point in evidence.points], evidence.ranks
    if evidence.too_few():
        return
    limit = sorted(ranks)[len(trials) // 4 - 1]
    best = sum(rank <= limit for rank in ranks)
    for name in evidence.study.ranges():
        by_value: dict[object, list[float]] = {}
        for trial, rank in zip(trials, ranks, strict=True):
            if name in trial.params:  # a conditional space lacks it in some trials
                by_value.setdefault(trial.params[name], []).append(rank)
        for value in in_order(by_value) if len(by_value) <= MAX_VALUES else []:
            times = len(by_value[value])
            chance = math.comb(len(trials) - times, best) / math.comb(len(trials), best)
            if min(by_value[value]) > limit and times >= MIN_TIMES and chance <= SIGNIFICANCE:
                text = f"{format_value(value)} was tried {times} times and never is among the best {best} of "
                text += f"{len(trials)} trials; chance alone does that in {percent(chance)}: leave it out?"
                yield Sentence(name, text)


# Trials without a score


def diverged(study: StudyView) -> Sentence | None:
    """The trainings that diverged, and the learning rate that is to blame.

    It is the lowest one that diverged among networks of the same depth. Configurations that failed on two
    seeds are left out: see `wrong_architectures`.
    """
    trained = [trial for trial in study.trials() if not trial.void and trial.state in TRAINED]
    if not trained:
        return None
    lost = [trial for trial in trained if trial.state == TrialState.DIVERGED]
    if not lost:
        return Sentence("diverged", f"none of {plural(len(trained), 'training')}.")
    text = f"{len(lost)} of {len(trained)} trainings ({percent(len(lost) / len(trained))})"
    wrong = _failed_twice(study)
    once = [trial for trial in trained if _key(trial) not in wrong]
    if not all(is_number(trial.params.get(LEARNING_RATE)) for trial in once):
        return Sentence("diverged", f"{text}.")
    name = depth_name(study)
    by_depth: dict[object, list[Trial]] = {}
    for trial in once:
        by_depth.setdefault(trial.params.get(name or ""), []).append(trial)
    blamed = [_blame(by_depth[each], f"{name} {each}: " if name else "") for each in in_order(by_depth)]
    return Sentence("diverged", "; ".join([text, *filter(None, blamed)]) + ".")


def _blame(trials: list[Trial], where: str) -> str:
    """The lowest learning rate that diverged, and how many trainings did from there on; "" for none."""
    lost = [trial.params[LEARNING_RATE] for trial in trials if trial.state == TrialState.DIVERGED]
    if not lost:
        return ""
    above = sum(trial.params[LEARNING_RATE] >= min(lost) for trial in trials)
    below = f"none of {len(trials) - above} below it" if len(trials) > above else "none tried below it"
    rate = f"{LEARNING_RATE} of at least {format_value(min(lost))}"
    return f"{where}{len(lost)} of {above} with a {rate}, {below}"


def wrong_architectures(study: StudyView) -> Iterator[Sentence]:
    """The configurations that failed on two seeds: neither chance nor the learning rate explains that."""
    for trials in _failed_twice(study).values():
        text = f"{settings(trials[0].params)} failed on {len(trials)} seeds (trials "
        text += f"{', '.join(str(trial.number) for trial in trials)}): it is the wrong one, try another."
        yield Sentence("architecture", text)


def _failed_twice(study: StudyView) -> dict[tuple[tuple[str, object], ...], list[Trial]]:
    """Hyperparameters -> the trials that failed with them, where two or more did."""
    found: dict[tuple[tuple[str, object], ...], list[Trial]] = {}
    for trial in study.trials():
        if not trial.void and trial.state in FAILED_SEEDS:
            found.setdefault(_key(trial), []).append(trial)
    return {key: trials for key, trials in found.items() if len(trials) > 1}


def _key(trial: Trial) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(trial.params.items()))


def pruned(study: StudyView) -> Sentence | None:
    """The share of trials that were pruned, and how early."""
    trials = [trial for trial in study.history() if trial.state in TRAINED]
    early = [trial for trial in trials if trial.state == TrialState.PRUNED]
    if not early:
        return None
    trained = statistics.fmean(trial.epochs / trial.config["epochs"] for trial in early)
    share = percent(len(early) / len(trials))
    text = f"{len(early)} of {len(trials)} trials ({share}), after {trained:.0%} of their epochs on average."
    return Sentence("pruned", text)


def infeasible(study: StudyView) -> Sentence | None:
    """The number of draws that the task rejected."""
    rejected = [trial for trial in study.history() if trial.state == "infeasible"]
    if not rejected:
        return None
    text = f"{len(rejected)} of {study.n_finished()} draws, the last because of {rejected[-1].reason}. "
    return Sentence("infeasible", f"{text}Narrow the ranges: every rejected draw is a trial less.")


def failed(study: StudyView) -> Sentence | None:
    """The number of trials that ended with an error."""
    lost = [trial for trial in study.history() if trial.state == "failed"]
    if not lost:
        return None
    text = f"{len(lost)} of {study.n_finished()} trials ended with an error; the last one: {lost[-1].reason}."
    return Sentence("failed", text)


# Budget and noise


def budget(evidence: Evidence) -> Sentence:
    """Whether more trials would probably help: when the best was found, and the gain of the last third."""
    count, finished = len(evidence.points), evidence.finished
    if count < MIN_TRIALS or not finished:
        return Sentence("budget", f"{plural(count, 'trial')} are too few to tell whether more would help.")
    best, order = finished[0], [point.trial.number for point in evidence.points]
    sooner = order.index(best.trial.number)
    text = f"of {count} trials {sooner} came before the best and {count - sooner - 1} after. "
    early = set(order[: math.ceil(2 * count / 3)])
    before = next((point for point in finished if point.trial.number in early), None)
    if before is None:
        return Sentence("budget", text + "None of the first two thirds was finished: more trials would help.")
    gained, error = best.level - before.level, math.hypot(best.deviation, before.deviation)
    if best is before:
        return Sentence("budget", text + "The last third brought nothing: more trials would hardly help.")
    text += f"The last third brought {evidence.gap(gained, error)}: "
    if gained <= evidence.difference:
        return Sentence("budget", f"{text}no difference, as it is below {evidence.gap(evidence.difference)}.")
    return Sentence("budget", f"{text}more may help, as TRIALS={2 * evidence.study.n_finished()}.")


def close_scores(evidence: Evidence) -> Sentence:
    """The number of finished configurations that are as good as the best, and of those that may be."""
    best, *others = evidence.finished
    behind = [(best.level - each.level, math.hypot(best.deviation, each.deviation)) for each in others]
    equal = sum(gap <= evidence.difference for gap, _ in behind)
    open_ = sum(evidence.difference < gap <= evidence.difference + 2 * error for gap, error in behind)
    least, verb = evidence.gap(evidence.difference), "is" if equal == 1 else "are"
    text = f"no other finished configuration is within {least} of the best"
    if equal:
        text = (
            f"{equal} of the other {len(others)} finished configurations {verb} within {least} of the best: "
        )
        text += "that is no difference"
    unsure = f"; {open_} more may be, by two standard errors" if open_ else ""
    return Sentence("as good", f"{text}{unsure}.")


def first_score(study: StudyView, candidate: Candidate) -> Sentence:
    """Whether the winner's first score was optimistic, as fresh seeds show."""
    first = f"{candidate.trial.score:.4g}"
    if not candidate.confirmed:
        text = f"the winner's score, {first}, is the best of several with one seed each: it is too good. "
        return Sentence("optimism", f"{text}CONFIRM=5 trains the contenders on fresh seeds.")
    seeds = f"{len(candidate.scores)} fresh seeds {candidate.mean:.4g} ± {candidate.standard_error:.2g}"
    return Sentence(
        "optimism", f"first score {first}, with {seeds}: {optimism(candidate, study.description)}."
    )
