"""The table of all trials as a file, for whoever wants to compute with it."""

import pandas

from search.study.trial import numbers


def trials_csv(study):
    """One row a trial: what it was, what came of it, and how its curve ended."""
    rows = []
    for trial in study.trials():
        row = {"trial": trial.number, "state": trial.state, "score": trial.score}
        row |= {"standard_error": trial.standard_error, **trial.config}
        row |= {"epochs": len(trial.curve), "seconds": round(trial.seconds, 3)}
        row |= {"weights": trial.weights, "retry_of": trial.retry_of, "repeats": trial.replicate_of}
        row |= {"crossed_out": str(trial.void or ""), "code": trial.fingerprint.get("code")}
        row |= {"why_tried": trial.proposal, "why_ended": trial.reason}
        if trial.curve:
            metrics = numbers(trial.curve[-1]).keys() - {"epoch", "time", "seconds"}
            row |= {f"last_{name}": trial.curve[-1][name] for name in sorted(metrics)}
        rows.append(row)
    return pandas.DataFrame(rows).to_csv(index=False)
