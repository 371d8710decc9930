"""The plots of a report, drawn by Plotly, each small enough for a phone.

All trials are in them. Unfinished ones are lighter, as their estimates are extrapolated. Diverged ones are
crosses at the edge. Bars are one standard error.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optuna import visualization
from optuna.distributions import BaseDistribution, CategoricalDistribution
from plotly import graph_objects as go

from search.primitives.text import settings
from search.reports.evidence import Evidence, Point, in_order
from search.reports.interactions import Axis, contour, parallel_coordinates
from search.reports.sentences.costs import front

COLOURS = {
    "unfinished": "rgba(140,152,165,0.6)",
    "diverged": "#d1242f",
    "finished": "#1f6feb",
}  # the last is on top
CAPTION = "Unfinished ones are grey. Bars are one standard error; points at the edge are worse than shown."
MAX_POINTS = 20_000  # of all learning curves together
MAX_BARS = 300  # points that show their standard errors
MAX_NAMES = 6  # hyperparameters that are plotted: the most important ones
LOG_AXIS = {"type": "log", "dtick": 1}  # a line for each factor of 10
GRID = {"gridcolor": "rgba(128,140,155,0.25)", "linecolor": "#8c98a5", "zeroline": False}  # in light and dark
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "colorway": ["#1f6feb", "#d1242f", "#1a7f37", "#9a6700"],
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": GRID,
        "yaxis": GRID,
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


def plots(evidence: Evidence, shares: Mapping[str, float], chance_share: float) -> list[Plot]:
    """All plots that a study has enough trials for.

    Args:
        evidence: that of the study.
        shares, chance_share: see `search.reports.sentences.importances.importances`.
    """
    drawn = [curves(evidence)] if any(point.trial.curve for point in evidence.points) else []
    if len(evidence.estimated) < 2:
        return drawn
    tried = set().union(*(point.trial.params for point in evidence.estimated))
    names = [name for name in evidence.study.ranges() if name in tried]
    names = sorted(names, key=lambda name: -shares.get(name, 0))[:MAX_NAMES]
    drawn += [score_against_time(evidence), *([importances(shares, chance_share)] if shares else [])]
    drawn += [history(evidence), *(slice_of(evidence, name) for name in names)]
    if len(names) > 1:
        title = f"Contour: {names[0]} and {names[1]}"
        caption = "Darker is better. Each cell is the mean of near trials, the certain ones counting more."
        drawn.append(Plot(title, caption, contour(evidence, names[0], names[1])))
        caption = "A line is a trial: blue if finished, grey if not; stronger is better."
        drawn.append(Plot("Parallel coordinates", caption, parallel_coordinates(evidence, names), wide=True))
    timeline = visualization.plot_timeline(evidence.study.for_plots())
    timeline.data = [trace for trace in timeline.data if trace.name != "WAITING"]  # those that do not count
    caption = "When each trial trained; diverged ones are among the pruned."
    return [*drawn, Plot("Timeline", caption, timeline)]


# Points


def add_points(evidence: Evidence, figure: go.Figure, x: Mapping[int, Any]) -> go.Figure:
    """Draw each point at its estimate, and give the figure the axis of scores.

    Args:
        x: trial -> where it is from left to right.
    """
    for state in COLOURS:
        shown = [point for point in evidence.points if point.state == state and point.trial.number in x]
        figure.add_scatter(
            x=[x[point.trial.number] for point in shown],
            y=[evidence.shown(point.level) for point in shown],
            error_y=_bars(evidence, [] if state == "diverged" else shown),
            text=[_about(evidence, point) for point in shown],
            hoverinfo="text",
            mode="markers",
            name=state,
            marker=_marker(state),
        )
    return add_scores(evidence, figure)


def add_scores(evidence: Evidence, figure: go.Figure) -> go.Figure:
    """Give a figure the axis of scores."""
    log = _needs_log_axis([evidence.shown(point.level) for point in evidence.estimated])
    title = f"validation {evidence.study.description.metric}"
    return figure.update_yaxes(LOG_AXIS if log else {}, title=title)


def _bars(evidence: Evidence, points: Sequence[Point]) -> dict[str, object]:
    """One standard error of the level to each side, where there are few enough points to see it."""
    if not points or len(points) > MAX_BARS:
        return {"visible": False}
    better, middle, worse = (
        [evidence.shown(point.level + side * point.deviation) for point in points] for side in (1, 0, -1)
    )
    up, down = (worse, better) if evidence.scale.sign < 0 else (better, worse)
    above = [end - score for end, score in zip(up, middle, strict=True)]
    below = [score - end for end, score in zip(down, middle, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "width": 0,
        "thickness": 1,
    }


def _marker(state: str) -> dict[str, object]:
    diverged, finished = state == "diverged", state == "finished"
    return {"color": COLOURS[state], "size": 7 if finished else 6, "symbol": "x" if diverged else "circle"}


def _about(evidence: Evidence, point: Point) -> str:
    """A point in words, which a pointer shows."""
    result = "diverged" if point.diverged else evidence.result(point.level, point.deviation)
    return f"trial {point.trial.number}, {point.state}: {result}<br>{settings(point.trial.params)}"


def history(evidence: Evidence) -> Plot:
    """The estimates in the order of the trials, and the best finished one so far."""
    figure, best = go.Figure(), -math.inf
    so_far: dict[int, float] = {}
    for point in evidence.points:
        best = max(best, point.level if point.finished else -math.inf)
        if math.isfinite(best):
            so_far[point.trial.number] = evidence.shown(best)
    line = {"color": COLOURS["finished"], "shape": "hv", "width": 1}
    figure.add_scatter(x=list(so_far), y=list(so_far.values()), mode="lines", line=line, name="best so far")
    figure.update_xaxes(title="trial")
    add_points(evidence, figure, {point.trial.number: point.trial.number for point in evidence.points})
    return Plot("History", f"The estimate of each trial. {CAPTION}", figure)


def slice_of(evidence: Evidence, name: str) -> Plot:
    """The estimates by a hyperparameter."""
    distribution = evidence.study.ranges()[name]
    points = [point for point in evidence.points if name in point.trial.params]
    x = {point.trial.number: _place(distribution, point.trial.params[name]) for point in points}
    figure = add_points(evidence, go.Figure(), x)
    if isinstance(distribution, CategoricalDistribution):
        order = [str(value) for value in in_order(distribution.choices)]
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    elif marks := Axis(name, distribution).marks:
        log = getattr(distribution, "log", False)
        values = [10**mark if log else mark for mark in marks["tickvals"]]
        figure.update_xaxes(type="log" if log else "linear", tickvals=values, ticktext=marks["ticktext"])
    figure.update_xaxes(title=name)
    return Plot(f"Slice: {name}", f"Estimates by {name}. {CAPTION}", figure)


def _place(distribution: BaseDistribution, value: Any) -> Any:
    return str(value) if isinstance(distribution, CategoricalDistribution) else value


def score_against_time(evidence: Evidence) -> Plot:
    """Estimates against seconds of a whole training, and the finished trials that none beats in both."""
    best, figure = front(evidence), go.Figure()
    line = {"color": COLOURS["finished"], "shape": "hv", "width": 1}
    x, y = [point.seconds for point in best], [evidence.shown(point.level) for point in best]
    figure.add_scatter(x=x, y=y, mode="lines", line=line, name="fastest and best", hoverinfo="skip")
    add_points(evidence, figure, {point.trial.number: point.seconds for point in evidence.estimated})
    figure.update_xaxes(title="seconds of a whole training", type="log")
    return Plot(
        "Score against time", f"No finished trial is faster and better than the line. {CAPTION}", figure
    )


def importances(shares: Mapping[str, float], chance_share: float) -> Plot:
    """PED-ANOVA's shares, and the share that chance produces."""
    names = list(shares)[:MAX_NAMES][::-1]
    figure = go.Figure(go.Bar(x=[shares[name] for name in names], y=names, orientation="h"))
    figure.add_vline(chance_share, line={"color": "#d1242f", "dash": "dash"})
    figure.update_xaxes(title="share", tickformat=".0%", range=[0, max(1, chance_share * 1.05)])
    figure.update_yaxes(automargin=True)
    caption = "By PED-ANOVA. A bar that ends before the red line may be chance."
    return Plot("Importance", caption, figure)


# Curves


def curves(evidence: Evidence) -> Plot:
    """The validation metric of every trial by epoch."""
    metric, figure = evidence.study.description.score_name, go.Figure()
    points = [point for point in evidence.points if point.trial.curve]
    step = math.ceil(sum(len(point.trial.curve) for point in points) / MAX_POINTS)
    values: list[float] = []
    for state, colour in COLOURS.items():
        x: list[int | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        for trial in (point.trial for point in points if point.state == state):
            shown = [*trial.curve[:-1:step], *trial.curve[-1:]]
            x += [*(entry["epoch"] for entry in shown), None]  # a gap between two trials
            y += [*(entry[metric] for entry in shown), None]
            text += [*(f"trial {trial.number}" for _ in shown), None]
        if x:
            line = {"color": colour, "width": 1.5 if state == "finished" else 1}
            mode = "lines+markers"  # a training that paused at its first report is a point
            figure.add_scatter(x=x, y=y, text=text, mode=mode, name=state, line=line, marker={"size": 3})
            values += [value for value in y if value is not None]
    figure.update_yaxes(LOG_AXIS if _needs_log_axis(values) else {}, title=metric.replace("_", " ", 1))
    figure.update_xaxes(title="epoch")
    return Plot("Learning curves", "What was measured, epoch by epoch.", figure)


def _needs_log_axis(values: Sequence[float]) -> bool:
    """Whether values are positive and span more than a factor of 10."""
    return bool(values) and min(values) > 0 and max(values) > 10 * min(values)


def json_of(figure: go.Figure) -> str:
    """A figure as JSON in our look, without a title. It has no "<": a script element can hold it."""
    figure.update_layout(template=TEMPLATE, title=None, width=None, height=None)
    text: str = figure.to_json()
    return text.replace("<", "\\u003c")
