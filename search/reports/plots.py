"""The plots of a report, drawn by Plotly: Optuna's own where it has one, each small enough for a phone."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import optuna
from optuna import visualization
from plotly import graph_objects as go

from search.reports import effects, evidence
from search.reports.trials_table import trials_dataframe
from search.study.view import StudyView

COLOURS = {"completed": "#1f6feb", "pruned": "#b8bec6", "diverged": "#d1242f"}
MAX_POINTS = 20_000  # of all learning curves together
MAX_NAMES = 6  # hyperparameters that are plotted: the most important ones
LOG_AXIS = {"type": "log", "dtick": 1}  # a line for each factor of 10
TEMPLATE = go.layout.Template(
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
    """A figure, its title, and a sentence about what it shows."""

    title: str
    caption: str
    figure: go.Figure
    wide: bool = False  # it needs 700 pixels to be read


def plots(study: StudyView, shares: Mapping[str, float], chance_share: float) -> list[Plot]:
    """All plots that a study has enough trials for.

    Args:
        study: the study.
        shares, chance_share: see `search.reports.effects.importances`.
    """
    drawn = [curves(study)] if any(trial.curve for trial in evidence.tried(study)) else []
    if len(study.completed()) < 2:
        return drawn
    plotted = set().union(*(trial.params for trial in study.completed()))  # Optuna plots no others
    names = [name for name in study.ranges() if name in plotted]
    names = sorted(names, key=lambda name: -shares.get(name, 0))[:MAX_NAMES]
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        drawn += [score_against_time(study), *([importances(shares, chance_share)] if shares else [])]
        drawn += list(_by_optuna(study, names))
    return drawn


def _by_optuna(study: StudyView, names: Sequence[str]) -> Iterator[Plot]:
    """Optuna's plots."""
    plain, score = study.for_plots(), f"validation {study.description.metric}"
    log = _needs_log_axis([evidence.score_of(trial) for trial in study.completed()])
    scale = LOG_AXIS if log else {}
    figure = visualization.plot_optimization_history(plain, target_name=score)
    caption = "The score of each completed trial, and the best so far."
    yield Plot("History", caption, figure.update_yaxes(scale))
    for name in names:
        figure = visualization.plot_slice(plain, params=[name], target_name=score)
        figure.update_traces(marker={"showscale": False})
        caption = f"Scores against {name}; later trials are darker."
        yield Plot(f"Slice: {name}", caption, figure.update_yaxes(scale))
    if len(names) > 1:
        yield from _of_several(plain, names, f"log10 {score}" if log else score, log)
    figure = visualization.plot_timeline(plain)
    yield Plot("Timeline", "When each trial trained; diverged ones are among the pruned.", figure)


def _of_several(plain: optuna.Study, names: Sequence[str], score: str, log: bool) -> Iterator[Plot]:
    """Optuna's plots of several hyperparameters, in which the colour is the score."""
    target = (lambda frozen: math.log10(frozen.value)) if log else None
    figure = visualization.plot_contour(plain, params=list(names[:2]), target=target, target_name=score)
    figure.update_traces(colorbar={"thickness": 10, "title": None}, selector={"type": "contour"})
    caption = f"{score} by two hyperparameters; between the trials it is a guess."
    yield Plot(f"Contour: {names[0]} and {names[1]}", caption, figure)
    figure = visualization.plot_parallel_coordinate(
        plain, params=list(names), target=target, target_name=score
    )
    yield Plot("Parallel coordinates", "A line is a completed trial.", figure, wide=True)


def _needs_log_axis(values: Sequence[float]) -> bool:
    """Whether values are positive and span more than a factor of 10."""
    return bool(values) and min(values) > 0 and max(values) > 10 * min(values)


def curves(study: StudyView) -> Plot:
    """The validation metric of every trial by epoch."""
    metric, figure = f"validation_{study.description.metric}", go.Figure()
    trials = [trial for trial in evidence.tried(study) if trial.curve]
    step = math.ceil(sum(len(trial.curve) for trial in trials) / MAX_POINTS)
    values: list[float] = []
    for state, colour in reversed(COLOURS.items()):
        x: list[int | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        for trial in (trial for trial in trials if trial.state == state):
            shown = [*trial.curve[:-1:step], *trial.curve[-1:]]
            x += [*(entry["epoch"] for entry in shown), None]  # a gap between two trials
            y += [*(entry[metric] for entry in shown), None]
            text += [*(f"trial {trial.number}" for _ in shown), None]
        if x:
            line = {"color": colour, "width": 1.5 if state == "completed" else 1}
            figure.add_scatter(x=x, y=y, text=text, mode="lines", name=state, line=line)
            values += [value for value in y if value is not None]
    figure.update_yaxes(LOG_AXIS if _needs_log_axis(values) else {}, title=metric.replace("_", " ", 1))
    figure.update_xaxes(title="epoch")
    return Plot("Learning curves", "Grey ones were pruned, red ones diverged.", figure)


def score_against_time(study: StudyView) -> Plot:
    """Scores against seconds of training, and the trials that no other beats in both."""
    table, front = trials_dataframe(study), effects.front(study)
    completed = table[table["kind"] == "completed"]
    on_front = completed["trial"].isin([trial.number for trial in front])
    figure = go.Figure()
    figure.add_scatter(
        x=[trial.seconds for trial in front],
        y=[trial.score for trial in front],
        mode="lines",
        line={"color": COLOURS["completed"], "shape": "hv", "width": 1},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=completed["seconds"].tolist(),
        y=completed["score"].tolist(),
        error_y={"array": completed["standard_error"].tolist(), "width": 0, "thickness": 1},
        text=[f"trial {number}" for number in completed["trial"]],
        mode="markers",
        marker={
            "color": on_front.map({True: COLOURS["completed"], False: COLOURS["pruned"]}).tolist(),
            "size": 8,
        },
        name="",
    )
    log = _needs_log_axis(completed["score"].tolist())
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title="seconds of training", type="log")
    figure.update_yaxes(LOG_AXIS if log else {}, title=f"validation {study.description.metric}")
    caption = "No trial is both faster and better than the blue ones. Bars are one standard error."
    return Plot("Score against time", caption, figure)


def importances(shares: Mapping[str, float], chance_share: float) -> Plot:
    """PED-ANOVA's shares, and the share that chance produces."""
    names = list(shares)[:MAX_NAMES][::-1]
    figure = go.Figure(go.Bar(x=[shares[name] for name in names], y=names, orientation="h"))
    figure.add_vline(chance_share, line={"color": "#d1242f", "dash": "dash"})
    figure.update_xaxes(title="share", tickformat=".0%", range=[0, max(1, chance_share * 1.05)])
    figure.update_yaxes(automargin=True)
    caption = "By PED-ANOVA. A bar that ends before the red line may be chance."
    return Plot("Importance", caption, figure)


def json_of(figure: go.Figure) -> str:
    """A figure as JSON in our look, without a title. It has no "<": a script element can hold it."""
    figure.update_layout(template=TEMPLATE, title=None, width=None, height=None)
    text: str = figure.to_json()
    return text.replace("<", "\\u003c")
