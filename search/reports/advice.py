"""Advice on the next search of a study: its ranges, failures, budget and noise, with numbers."""

import math
import statistics
from collections.abc import Iterator

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search.reports.effects import LEARNING_RATE
from search.reports.evidence import (
    MIN_SCORED,
    MIN_TRIALS,
    SIGNIFICANCE,
    Sentence,
    best_quarter,
    format_value,
    in_order,
    is_number,
    noise,
    percent,
    ranked,
    score_of,
    tried,
    within_noise,
)
from search.strategy.explain import optimism
from search.strategy.winner import Candidate
from search.study.trial import Trial
from search.study.view import StudyView

EDGE = 0.05  # of a range, in its scale: a value nearer to an end is on the edge
MAX_VALUES = 10  # of a hyperparameter that are compared with the best quarter
MIN_TIMES = 5  # that a value was tried, before it counts as never among the best


def advice(study: StudyView, candidate: Candidate | None = None) -> list[Sentence]:
    """Advice on what to do next. `candidate` is the winner, if there is one."""
    sentences: list[Sentence | None] = []
    if candidate is not None:
        sentences += [edge(study, candidate.trial, name) for name in study.ranges()]
        sentences += [close_scores(study), first_score(study, candidate)]
    sentences += never_best(study)
    sentences += [diverged(study), pruned(study), infeasible(study), failed(study), budget(study)]
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


def edge(study: StudyView, best: Trial, name: str) -> Sentence | None:
    """Whether the winner's value is on the edge of its range."""
    distribution = study.ranges()[name]
    side = end(distribution, best.params[name]) if name in best.params else None
    if side is None:
        return None
    few = best_quarter(study)
    same = sum(end(distribution, trial.params[name]) == side for trial in few if name in trial.params)
    low, high = map(format_value, ends(distribution))
    text = f"the winner's {format_value(best.params[name])} is on the {side} edge of {low} to {high}"
    if len(few) < MIN_SCORED:
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


def never_best(study: StudyView) -> Iterator[Sentence]:
    """The values that are never among the best quarter, where chance does not explain it."""
    trials = tried(study)
    if len(trials) < MIN_TRIALS:
        return
    ranks = ranked(study, trials)
    limit = sorted(ranks)[len(trials) // 4 - 1]
    best = sum(rank <= limit for rank in ranks)
    for name in study.ranges():
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
    """The share of trials that diverged, and the learning rate from which they did."""
    trials = tried(study)
    if not trials:
        return None
    lost = [trial for trial in trials if trial.state == "diverged"]
    if not lost:
        return Sentence("diverged", f"none of {len(trials)} trials.")
    text = f"{len(lost)} of {len(trials)} trials ({percent(len(lost) / len(trials))})"
    if not all(is_number(trial.params.get(LEARNING_RATE)) for trial in trials):
        return Sentence("diverged", f"{text}.")
    least = min(trial.params[LEARNING_RATE] for trial in lost)
    above = sum(trial.params[LEARNING_RATE] >= least for trial in trials)
    text += (
        f", all with a {LEARNING_RATE} of at least {format_value(least)}, where {len(lost)} of {above} did"
    )
    below = len(trials) - above
    rest = f"none of the {below} below it" if below else "none was tried below it"
    return Sentence("diverged", f"{text}; {rest}.")


def pruned(study: StudyView) -> Sentence | None:
    """The share of trials that were pruned, and how early."""
    trials = tried(study)
    early = [trial for trial in trials if trial.state == "pruned"]
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


def budget(study: StudyView) -> Sentence:
    """Whether more trials would probably help: when the best was found, and the gain of the last third."""
    trials, scored = tried(study), study.completed()
    if len(trials) < MIN_TRIALS or not scored:
        return Sentence("budget", f"{len(trials)} trials are too few to tell whether more would help.")
    best, order = scored[0], [trial.number for trial in trials]
    sooner = order.index(best.number)
    text = f"of {len(order)} trials {sooner} came before the best score and {len(order) - sooner - 1} after. "
    early = set(order[: math.ceil(2 * len(order) / 3)])
    before = next((trial for trial in scored if trial.number in early), None)
    if before is None:
        return Sentence("budget", text + "The first two thirds have no score: more trials would help.")
    if best.number == before.number:
        return Sentence("budget", text + "The last third brought nothing: more trials would hardly help.")
    gained, error = abs(score_of(best) - score_of(before)), noise(best, before)
    text += f"The last third brought {gained:.2g} ± {error:.2g}: "
    more = f"more may help, as TRIALS={2 * study.n_finished()}."
    return Sentence("budget", text + ("no more than noise." if gained <= error else more))


def close_scores(study: StudyView) -> Sentence:
    """The number of trials whose scores are within noise of the best."""
    scored = study.completed()
    close = sum(within_noise(trial, scored[0]) for trial in scored) - 1
    if close == 0:
        return Sentence(
            "noise", "no other score is closer to the best than the standard error of a difference."
        )
    text = f"{close} more of {len(scored)} scores cannot be told from the best: "
    return Sentence("noise", text + "they are within the standard error of a difference.")


def first_score(study: StudyView, candidate: Candidate) -> Sentence:
    """Whether the winner's first score was optimistic, as fresh seeds show."""
    first = f"{candidate.trial.score:.4g}"
    if not candidate.confirmed:
        text = f"the winner's score, {first}, is the best of several with one seed each: it is too good. "
        return Sentence("optimism", f"{text}CONFIRM=5 trains the finalists on fresh seeds.")
    seeds = f"{len(candidate.scores)} fresh seeds {candidate.mean:.4g} ± {candidate.standard_error:.2g}"
    return Sentence(
        "optimism", f"first score {first}, with {seeds}: {optimism(candidate, study.description)}."
    )
