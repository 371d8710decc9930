"""A configuration that was trained on fresh seeds, in words: its mean, and how its first score misled."""

from search.strategy.winner import Candidate
from search.study.view import StudyDescription


def score_line(standing: Candidate, about: StudyDescription) -> str:
    """A configuration's mean over fresh seeds, its uncertainty, and how its first score misled."""
    mean = f"{about.metric} {standing.mean:.4g} ± {standing.standard_error:.2g}"
    first = f"first score {standing.trial.score:.4g}, {optimism(standing, about)}"
    return f"{mean} (trial {standing.trial.number}, mean of {len(standing.scores)} fresh seeds; {first})"


def optimism(standing: Candidate, about: StudyDescription) -> str:
    """By how much the first score was better than the mean: "optimistic by 1.2 points"."""
    size = abs(standing.optimism)
    amount = f"{100 * size:.2g} points" if about.metric == "accuracy" else f"{size:.2g}"
    if standing.standard_error is not None and size <= standing.standard_error:
        return f"as good as the mean, to {amount}"
    return f"{'optimistic' if standing.optimism > 0 else 'pessimistic'} by {amount}"
