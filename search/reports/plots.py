"""The plots of a report, by Plotly: Optuna's own where there are such, each small enough for a phone."""

import itertools
import math
import warnings
from typing import NamedTuple

import optuna
from optuna import visualization
from plotly import graph_objects as go

from search.reports import effects, evidence

COLOURS = {"completed": "#1f6feb", "pruned": "#b8bec6", "diverged": "#d1242f"}
POINTS = 20_000  # of all learning curves together, at the most
SHOWN = 6  # hyperparameters, the most important ones, where each more costs time or room
LOG = {"type": "log", "dtick": 1}  # of an axis: a line for each factor of 10
LOOK = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "colorway": ["#1f6feb", "#d1242f", "#1a7f37", "#9a6700"],
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": {"gridcolor": "#e6e8eb", "linecolor": "#b8bec6", "zerolinecolor": "#e6e8eb"},
        "yaxis": {"gridcolor": "#e6e8eb", "linecolor": "#b8bec6", "zerolinecolor": "#e6e8eb"},
        "margin": {"l": 55, "r": 15, "t": 34, "b": 45},
        "legend": {"orientation": "h", "y": 1, "yanchor": "bottom"},
    }
)


class Plot(NamedTuple):
    """A figure, and what a person sees in it."""

    title: str
    caption: str
    figure: go.Figure
    wide: bool = False  # it cannot be read on less than 700 pixels


def plots(study, shares, by_chance):
    """All plots that a study has enough trials for.

    Args:
        study: the study.
        shares, by_chance: see `search.reports.effects.importances`.
    """
    found = [curves(study)] if any(trial.curve for trial in evidence.tried(study)) else []
    if len(study.completed()) < 2:
        return found
    plotted = set().union(*(trial.params for trial in study.completed()))  # Optuna plots no others
    names = [name for name in study.ranges() if name in plotted]
    names = sorted(names, key=lambda name: -shares.get(name, 0))[:SHOWN]
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        found += [against_time(study), *([importances(shares, by_chance)] if shares else [])]
        found += list(_optunas(study, names))
    return found


def _optunas(study, names):
    """Optuna's plots."""
    searched, score, log = study.for_plots(), f"validation {study.description.metric}", _spans(study)
    target = (lambda frozen: math.log10(frozen.value)) if log else None
    coloured = {"target": target, "target_name": f"log10 {score}" if log else score}
    scale = LOG if log else {}
    figure = visualization.plot_optimization_history(searched, target_name=score)
    caption = "The score of each completed trial, and the best so far."
    yield Plot("History", caption, figure.update_yaxes(scale))
    for name in names:
        figure = visualization.plot_slice(searched, params=[name], target_name=score)
        figure.update_traces(marker={"showscale": False})
        yield Plot(
            f"Slice: {name}", f"Scores against {name}; later trials are darker.", figure.update_yaxes(scale)
        )
    if len(names) > 1:
        figure = visualization.plot_contour(searched, params=names[:2], **coloured)
        figure.update_traces(colorbar={"thickness": 10, "title": None}, selector={"type": "contour"})
        caption = f"{coloured['target_name']} by two hyperparameters; between the trials it is a guess."
        yield Plot(f"Contour: {names[0]} and {names[1]}", caption, figure)
        figure = visualization.plot_parallel_coordinate(searched, params=names, **coloured)
        yield Plot("Parallel coordinates", "A line is a completed trial.", figure, wide=True)
    figure = visualization.plot_timeline(searched)
    yield Plot("Timeline", "When each trial trained; diverged ones are among the pruned.", figure)


def _spans(study):
    """Whether scores are to be shown on a logarithmic scale: positive, more than a factor of 10."""
    scores = [trial.score for trial in study.completed()]
    return bool(scores) and min(scores) > 0 and max(scores) > 10 * min(scores)


def curves(study):
    """The validation metric of every trial by epoch."""
    scored, figure = f"validation_{study.description.metric}", go.Figure()
    trials = [trial for trial in evidence.tried(study) if trial.curve]
    step = math.ceil(sum(len(trial.curve) for trial in trials) / POINTS)
    for state, colour in reversed(COLOURS.items()):
        own = [trial for trial in trials if trial.state == state]
        x, y, text = [], [], []
        for trial in own:
            for entry in itertools.chain(trial.curve[:-1:step], trial.curve[-1:]):
                x.append(entry["epoch"])
                y.append(entry[scored])
                text.append(f"trial {trial.number}")
            for values in (x, y, text):
                values.append(None)  # a gap between two trials
        if own:
            width = 1.5 if state == "completed" else 1
            figure.add_scatter(
                x=x, y=y, text=text, mode="lines", name=state, line={"color": colour, "width": width}
            )
    values = [value for trace in figure.data for value in trace.y if value is not None]
    log = min(values) > 0 and max(values) > 10 * min(values)
    figure.update_yaxes(LOG if log else {}, title=f"validation {study.description.metric}")
    figure.update_xaxes(title="epoch")
    return Plot("Learning curves", "Grey ones were pruned, red ones diverged.", figure)


def against_time(study):
    """Scores against the seconds of training, and the front: no trial is both faster and better."""
    figure, best = go.Figure(), effects.front(study)
    figure.add_scatter(
        x=[trial.seconds for trial in best],
        y=[trial.score for trial in best],
        mode="lines",
        line={"color": COLOURS["completed"], "shape": "hv", "width": 1},
        hoverinfo="skip",
    )
    front, scored = {trial.number for trial in best}, study.completed()
    figure.add_scatter(
        x=[trial.seconds for trial in scored],
        y=[trial.score for trial in scored],
        error_y={"array": [trial.standard_error for trial in scored], "width": 0, "thickness": 1},
        text=[f"trial {trial.number}" for trial in scored],
        mode="markers",
        marker={
            "color": [COLOURS["completed" if trial.number in front else "pruned"] for trial in scored],
            "size": 8,
        },
        name="",
    )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title="seconds of training", type="log")
    figure.update_yaxes(LOG if _spans(study) else {}, title=f"validation {study.description.metric}")
    caption = "No trial is both faster and better than the blue ones. Bars are one standard error."
    return Plot("Score against time", caption, figure)


def importances(shares, by_chance):
    """PED-ANOVA's shares, and what chance allows."""
    names = list(shares)[:SHOWN][::-1]
    figure = go.Figure(go.Bar(x=[shares[name] for name in names], y=names, orientation="h"))
    figure.add_vline(by_chance, line={"color": "#d1242f", "dash": "dash"})
    figure.update_xaxes(title="share", tickformat=".0%", range=[0, max(1, by_chance * 1.05)])
    figure.update_yaxes(automargin=True)
    caption = "By PED-ANOVA. What does not reach beyond the red line may be chance."
    return Plot("Importance", caption, figure)


def plain(figure):
    """A figure as JSON that fits into a script element: in our look, without a title."""
    figure.update_layout(template=LOOK, title=None, width=None, height=None)
    return figure.to_json().replace("<", "\\u003c")
