"""What the study's run in the log keeps as files: the table of trials, and Optuna's plots."""

import optuna
import pandas
from optuna import visualization

from search.trial import numbers

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{name}</title>
<style>body {{ font: 16px sans-serif; max-width: 1100px; margin: auto; padding: 1em }}</style>
<h1>Study {name}</h1>
{figures}
"""


def trials_csv(study):
    """One row a trial: what it was, what came of it, and how its curve ended."""
    rows = []
    for trial in study.trials():
        row = {"trial": trial.number, "state": trial.state, "score": trial.score}
        row |= {"standard_error": trial.standard_error, **trial.config}
        row |= {"epochs": len(trial.curve), "seconds": round(trial.seconds, 3)}
        row |= {"weights": trial.weights, "retry_of": trial.retry_of, "repeats": trial.confirms}
        row |= {"crossed_out": str(trial.crossed or ""), "code": trial.fingerprint.get("code")}
        row |= {"why_tried": trial.proposal, "why_ended": trial.reason}
        if trial.curve:
            metrics = numbers(trial.curve[-1]).keys() - {"epoch", "time", "seconds"}
            row |= {f"last_{name}": trial.curve[-1][name] for name in sorted(metrics)}
        rows.append(row)
    return pandas.DataFrame(rows).to_csv(index=False)


def plots_html(study):
    """Optuna's plots on one page that needs no network; None while there is too little to plot."""
    if len(study.completed()) < 2:
        return None
    searched = study.for_plots()
    score = f"validation {study.about['metric']}"
    figures = [
        visualization.plot_optimization_history(searched, target_name=score),
        visualization.plot_intermediate_values(searched),
        visualization.plot_slice(searched, target_name=score),
        visualization.plot_parallel_coordinate(searched, target_name=score),
        visualization.plot_contour(searched, target_name=score),
        visualization.plot_timeline(searched),
    ]
    try:
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        figures.append(visualization.plot_param_importances(searched, evaluator=evaluator))
    except (ValueError, RuntimeError):
        pass  # all scores are equal: nothing is more important than anything
    # The library that draws comes with the first figure, and serves the others.
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=number == 0) for number, figure in enumerate(figures)
    ]
    return PAGE.format(name=study.name, figures="\n".join(parts))
