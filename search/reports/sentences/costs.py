"""What hyperparameters cost in time, and which configuration is cheap and as good as the best."""

import math
import statistics
from collections.abc import Sequence

import numpy
from scipy import stats

from search.primitives.text import duration, settings
from search.reports.evidence import Evidence, Point, Sentence
from search.study.trial import Trial

MIN_FREEDOM = 4  # degrees of freedom of a fit of training times


def cost(evidence: Evidence) -> Sentence | None:
    """How much longer an epoch takes when a hyperparameter doubles and all else stays equal.

    Least squares of the logarithms, over all trials that have a curve.
    """
    trials = [point.trial for point in evidence.points]
    trials = [trial for trial in trials if any(entry.get("seconds") for entry in trial.curve)]
    names = [name for name in evidence.study.ranges() if _can_double([t.params.get(name) for t in trials])]
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


def front(evidence: Evidence) -> list[Point]:
    """The finished points that no other beats in both time and estimate, the fastest first."""
    found: list[Point] = []
    for point in sorted(evidence.finished, key=lambda point: (point.seconds, -point.level)):
        if not found or point.level > found[-1].level:
            found.append(point)
    return found


def cheaper(evidence: Evidence) -> Sentence | None:
    """The fastest configuration whose estimate is within the meaningful difference of the best."""
    if not evidence.finished:
        return None
    about, best, least = "score against time", evidence.finished[0], evidence.gap(evidence.difference)
    quick = next(point for point in front(evidence) if best.level - point.level <= evidence.difference)
    if quick is best:
        took = duration(best.seconds)
        return Sentence(about, f"nothing faster is within {least} of the best estimate, which took {took}.")
    gap = evidence.gap(best.level - quick.level, math.hypot(best.deviation, quick.deviation))
    times = f"{duration(quick.seconds)}, the best {duration(best.seconds)}"
    text = f"trial {quick.trial.number} is {gap} behind the best estimate, which is no difference: "
    return Sentence(about, f"{text}it is below {least}. It took {times}: {settings(quick.trial.params)}.")
