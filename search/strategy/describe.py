"""A configuration that was trained on fresh seeds, in words: its mean, and how its first score misled."""

from search.strategy.winner import Candidate
from search.study.view import StudyDescription


def score_line(candidate: Candidate, about: StudyDescription) -> str:
    """A configuration's mean over fresh seeds, its uncertainty, and how its first score misled."""
    mean = f"{about.metric} {candidate.mean:.4g} ± {candidate.standard_error:.2g}"
    first = f"first score {candidate.trial.score:.4g}, {optimism(candidate, about)}"
    return f"{mean} (trial {candidate.trial.number}, mean of {len(candidate.scores)} fresh seeds; {first})"


def optimism(candidate: Candidate, about: StudyDescription) -> str:
    """By how much the first score was better than the mean: "optimistic by 1.2 points"."""
    size = abs(candidate.optimism)
    amount = f"{100 * size:.2g} points" if about.metric == "accuracy" else f"{size:.2g}"
    if candidate.standard_error is not None and size <= candidate.standard_error:
        return f"as good as the mean, to {amount}"
    return f"{'optimistic' if candidate.optimism > 0 else 'pessimistic'} by {amount}"
