"""Whether depth was worth it: the best network of each depth, its gain, and its cost."""

import math

from scipy.special import ndtr

from search.primitives.text import duration
from search.reports.evidence import Evidence, Point, Sentence, percent, plural
from search.strategy.allocation import CONFIDENCE
from search.strategy.draws.first_draws import DEPTHS
from search.study.view import StudyView


def depth_name(study: StudyView) -> str | None:
    """The searched hyperparameter that is the number of layers; None if there is none."""
    return next((name for name in study.ranges() if name in DEPTHS), None)


def depth(evidence: Evidence) -> Sentence | None:
    """Whether depth was worth it: the best estimate of each depth, their difference, and the cost.

    The best is the one with the highest level that it reaches by a standard error.
    """
    if (name := depth_name(evidence.study)) is None:
        return None
    about, best = "was depth worth it?", dict[int, Point]()
    for point in sorted(evidence.estimated, key=lambda point: point.level - point.deviation):
        best[point.trial.params[name]] = point
    if not best:
        return Sentence(about, "not known: no trial has an estimated score yet.")
    listed = "; ".join(_at_depth(evidence, name, layers, best[layers]) for layers in sorted(best))
    if len(best) < 2:
        return Sentence(about, f"not known: only one depth was tried. {listed}.")
    least = min(best)
    deep = max((layers for layers in best if layers > least), key=lambda layers: best[layers].level)
    shallow, deeper = best[least], best[deep]
    gain, error = deeper.level - shallow.level, math.hypot(deeper.deviation, shallow.deviation)
    probability = (
        float(ndtr((gain - evidence.difference) / error)) if error else float(gain > evidence.difference)
    )
    verdict = "yes" if probability >= CONFIDENCE else "no" if probability <= 1 - CONFIDENCE else "not certain"
    times = f"{deeper.seconds / shallow.seconds:.2g} times as long" if shallow.seconds else "an unknown time"
    text = f"{verdict}: {deep} {name} instead of {least} {'gain' if gain >= 0 else 'lose'} "
    text += f"{evidence.gap(gain, error)} and take {times}. "
    text += f"They gain more than {evidence.gap(evidence.difference)} with a probability of "
    odds = "over 99%" if probability > 0.99 else percent(probability)
    return Sentence(about, f"{text}{odds}. {listed}.")


def _at_depth(evidence: Evidence, name: str, layers: int, point: Point) -> str:
    """The best trial of a depth, in words."""
    basis = plural(point.n_seeds, "seed") if point.finished else f"after {point.trial.epochs} epochs"
    result = evidence.result(point.level, point.deviation)
    return f"{name} {layers}: {result} (trial {point.trial.number}, {basis}, {duration(point.seconds)})"
