"""What to do next with a study: its ranges, its budget, its noise. Sentences, as lessons are."""

import math
import statistics

from optuna.distributions import CategoricalDistribution

from search.cli.display import luck
from search.reports.effects import RATE
from search.reports.evidence import (
    CHANCE,
    SCORED,
    TELLING,
    Sentence,
    best_few,
    in_order,
    noise,
    percent,
    ranked,
    shown,
    tried,
    within_noise,
)

EDGE = 0.05  # of a range, in its scale: nearer to an end, and a value is on the edge
VALUES = 10  # up to so many different values, each is asked whether it is ever among the best
TRIED = 5  # times at least, before a value is said never to be among the best


def advice(study, standing=None):
    """What to do next: a list of Sentence. `standing` is the winner's, where there is one."""
    found = []
    if standing is not None:
        found += [edge(study, standing.trial, name) for name in study.ranges()]
        found += [near(study), fortune(study, standing)]
    found += [*never(study), diverged(study), pruned(study), infeasible(study), failed(study), budget(study)]
    return [sentence for sentence in found if sentence]


# Ranges


def place(distribution, value):
    """Where in its range a value lies, 0 to 1, in the range's scale; None where a range has no ends."""
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        if len(choices) < 3 or not all(isinstance(choice, (int, float)) for choice in choices):
            return None
        return sorted(choices).index(value) / (len(choices) - 1)
    low, high = distribution.low, distribution.high
    if isinstance(low, int) and high - low < 2 * (distribution.step or 1):
        return None  # of two values each is an end
    if distribution.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low) if high > low else None


def end(distribution, value):
    """The end of its range that a value lies on: "lower", "upper" or None. Of choices, only the ends do."""
    where = place(distribution, value)
    if where is None:
        return None
    margin = 0 if isinstance(distribution, CategoricalDistribution) else EDGE
    if where <= margin and value == 1 and isinstance(value, int):
        return None  # of layers, say, there cannot be fewer
    return "lower" if where <= margin else "upper" if where >= 1 - margin else None


def edge(study, best, name):
    """Whether the winner has a value on the edge of its range."""
    ranges = study.ranges()[name]
    side = end(ranges, best.params[name]) if name in best.params else None
    if side is None:
        return None
    few = best_few(study)
    same = sum(end(ranges, trial.params[name]) == side for trial in few if name in trial.params)
    low, high = min_max(ranges)
    text = f"the winner's {shown(best.params[name])} is on the {side} edge of {shown(low)} to {shown(high)}"
    if len(few) < SCORED:
        return Sentence(name, f"{text}: too few trials to tell whether better values lie beyond.")
    text += f", as in {same} of the best {len(few)} trials"
    beyond = "higher" if side == "upper" else "lower"
    if same > len(few) / 2:
        return Sentence(name, f"{text}: widen the range, {beyond} values may be better still.")
    return Sentence(name, f"{text}: a wider range would show whether {beyond} values are better.")


def min_max(distribution):
    """The ends of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return min(distribution.choices), max(distribution.choices)
    return distribution.low, distribution.high


def never(study):
    """The values that were tried and are never among the best quarter, where chance is no excuse."""
    trials = tried(study)
    if len(trials) < TELLING:
        return
    ranks = ranked(study, trials)
    limit = sorted(ranks)[len(trials) // 4 - 1]
    best = sum(rank <= limit for rank in ranks)
    for name in study.ranges():
        by_value = {}
        for trial, rank in zip(trials, ranks, strict=True):
            if name in trial.params:  # in a conditional space some trials lack it
                by_value.setdefault(trial.params[name], []).append(rank)
        for value in in_order(by_value) if len(by_value) <= VALUES else []:
            own = by_value[value]
            often = math.comb(len(trials) - len(own), best) / math.comb(len(trials), best)
            if min(own) > limit and len(own) >= TRIED and often <= CHANCE:
                text = f"{shown(value)} was tried {len(own)} times and never is among the best {best} of "
                text += f"{len(trials)} trials; chance alone does that in {percent(often)}: leave it out?"
                yield Sentence(name, text)


# Trials that were given up


def diverged(study):
    """What share of the trials diverged, and from which learning rate on."""
    trials = tried(study)
    if not trials:
        return None
    lost = [trial for trial in trials if trial.state == "diverged"]
    if not lost:
        return Sentence("diverged", f"none of {len(trials)} trials.")
    text = f"{len(lost)} of {len(trials)} trials ({percent(len(lost) / len(trials))})"
    rates = [trial.params.get(RATE) for trial in trials]
    if not all(isinstance(rate, (int, float)) for rate in rates):
        return Sentence("diverged", f"{text}.")
    least = min(trial.params[RATE] for trial in lost)
    there = sum(rate >= least for rate in rates)
    text += f", all with a {RATE} of at least {shown(least)}, where {len(lost)} of {there} did"
    below = (
        f"none of the {len(trials) - there} below it" if there < len(trials) else "none was tried below it"
    )
    return Sentence("diverged", f"{text}; {below}.")


def pruned(study):
    """What share of the trials was pruned, and how early."""
    trials = tried(study)
    early = [trial for trial in trials if trial.state == "pruned"]
    if not early:
        return None
    trained = statistics.fmean(
        (trial.curve[-1]["epoch"] if trial.curve else 0) / trial.config["epochs"] for trial in early
    )
    share = percent(len(early) / len(trials))
    text = f"{len(early)} of {len(trials)} trials ({share}), after {trained:.0%} of their epochs on average."
    return Sentence("pruned", text)


def infeasible(study):
    """How many draws the task rejected."""
    lost = [trial for trial in study.history() if trial.state == "infeasible"]
    if not lost:
        return None
    text = f"{len(lost)} of {study.n_finished()} draws, the last because of {lost[-1].reason}. "
    return Sentence("infeasible", f"{text}Ranges that cannot draw such values leave more to train.")


def failed(study):
    """How many trials an error ended."""
    lost = [trial for trial in study.history() if trial.state == "failed"]
    if not lost:
        return None
    text = f"{len(lost)} of {study.n_finished()} trials ended with an error; the last one: {lost[-1].reason}."
    return Sentence("failed", text)


# Budget and noise


def budget(study):
    """Whether more trials would probably help: when the best was found, and what the last third brought."""
    trials, scored = tried(study), study.completed()
    if len(trials) < TELLING or not scored:
        return Sentence("budget", f"{len(trials)} trials are too few to tell whether more would help.")
    best, order = scored[0], [trial.number for trial in trials]
    sooner = order.index(best.number)
    text = f"of {len(order)} trials {sooner} came before the best score and {len(order) - sooner - 1} after. "
    early = set(order[: math.ceil(2 * len(order) / 3)])
    before = next((trial for trial in scored if trial.number in early), None)
    if before is None:
        return Sentence("budget", text + "No earlier third of them has a score: more trials would help.")
    gained, error = abs(best.score - before.score), noise(best, before)
    if best.number == before.number:
        return Sentence(
            "budget", text + "The last third brought nothing: more of the same would hardly help."
        )
    text += f"The last third brought {gained:.2g} ± {error:.2g}: "
    more = f"more may help, as TRIALS={2 * study.n_finished()}."
    return Sentence("budget", text + ("no more than noise." if gained <= error else more))


def near(study):
    """How many trials cannot be told from the best by their scores."""
    scored = study.completed()
    close = sum(within_noise(trial, scored[0]) for trial in scored) - 1
    if close == 0:
        text = "no other trial is within the standard error of a difference of the best score."
    else:
        text = f"{close} more of {len(scored)} trials with a score cannot be told from the best by it: "
        text += "they are within the standard error of a difference."
    return Sentence("noise", text)


def fortune(study, standing):
    """What fresh seeds said of the winner's first score, and whether its lead over the next is sure."""
    first = f"{standing.trial.score:.4g}"
    if not standing.confirmed:
        text = f"the winner's score, {first}, is the best of several with one seed each: it flatters. "
        return Sentence("luck", f"{text}CONFIRM=5 trains the best few again.")
    seeds = f"{len(standing.scores)} fresh seeds {standing.mean:.4g} ± {standing.standard_error:.2g}"
    return Sentence("luck", f"first score {first}, on {seeds}: {luck(standing, study.description)}.")
