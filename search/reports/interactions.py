"""The plots of several hyperparameters: a contour of two, and parallel coordinates of all.

Both count a trial by its estimate, and an uncertain one less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from plotly import graph_objects as go

from search.reports.evidence import Evidence, Point, format_value, in_order

CELLS = 30  # of the contour, on a side
RADIUS = 0.1  # of a range: how far a trial tells of others, as the deviation of a normal density
FAR = 0.3  # of the weight of one trial: a cell with less stays empty
Array = NDArray[numpy.float64]
MAX_MARKS = 10  # integers of a range that are all marked on an axis
BETTER = [[0, "#eef4ff"], [0.5, "#7aaaf5"], [1, "#0a3d91"]]
SHADES = [[0, "#c3cbd4"], [0.5, "#8c98a5"], [0.5, "#9cc3ff"], [1, "#1f6feb"]]  # unfinished, then finished


@dataclass(frozen=True)
class Axis:
    """A hyperparameter as an axis: where each value is, and the marks.

    Numbers of a logarithmic range are at their logarithms, choices at their order.
    """

    name: str
    distribution: BaseDistribution

    def place(self, value: object) -> float:
        """Where a value is."""
        if isinstance(self.distribution, CategoricalDistribution):
            return float(in_order(self.distribution.choices).index(value))
        assert isinstance(value, int | float)
        return math.log10(value) if self._log else float(value)

    @property
    def ends(self) -> tuple[float, float]:
        """Where the range begins and ends."""
        if isinstance(self.distribution, CategoricalDistribution):
            return 0.0, float(len(self.distribution.choices) - 1)
        assert isinstance(self.distribution, IntDistribution | FloatDistribution)
        return self.place(self.distribution.low), self.place(self.distribution.high)

    @property
    def marks(self) -> dict[str, list[Any]]:
        """The marks that differ from the numbers of the axis, as Plotly wants them."""
        if isinstance(self.distribution, CategoricalDistribution):
            values = in_order(self.distribution.choices)
        elif self._log:
            low, high = self.ends
            powers = range(math.floor(low), math.ceil(high) + 1)
            steps = (factor * 10.0**power for power in powers for factor in (1, 3))
            values = [value for value in steps if low - 1e-9 <= math.log10(value) <= high + 1e-9]
        elif isinstance(self.distribution, IntDistribution) and self.ends[1] - self.ends[0] < MAX_MARKS:
            values = list(range(self.distribution.low, self.distribution.high + 1, self.distribution.step))
        else:
            return {}
        text = [format_value(value) for value in values]
        return {"tickvals": [self.place(value) for value in values], "ticktext": text}

    def near(self, cells: Array, points: Sequence[Point]) -> Array:
        """How much each point tells of each cell: 1 where it is."""
        places = numpy.array([self.place(point.trial.params[self.name]) for point in points])
        low, high = self.ends
        apart: Array = (cells[:, None] - places) / (RADIUS * ((high - low) or 1.0))
        return numpy.exp(-(apart**2) / 2)

    @property
    def _log(self) -> bool:
        return bool(getattr(self.distribution, "log", False))


def contour(evidence: Evidence, across: str, up: str) -> go.Figure:
    """The mean estimate of near trials by two hyperparameters, and the trials."""
    x, y = (Axis(name, evidence.study.ranges()[name]) for name in (across, up))
    points = [point for point in evidence.points if {across, up} <= point.trial.params.keys()]
    known = [point for point in points if not point.diverged]
    cells_x, cells_y, z = _smoothed(evidence, x, y, known)
    figure = go.Figure()
    figure.add_contour(
        x=cells_x,
        y=cells_y,
        z=z,
        colorscale=BETTER,
        reversescale=evidence.scale.sign < 0,
        colorbar={"thickness": 10},
        line={"width": 0},
        hoverinfo="skip",
        connectgaps=False,
    )
    for state, colour in (("unfinished", "white"), ("finished", "black"), ("diverged", "#d1242f")):
        shown = [point.trial for point in points if point.state == state]
        figure.add_scatter(
            x=[x.place(trial.params[across]) for trial in shown],
            y=[y.place(trial.params[up]) for trial in shown],
            text=[f"trial {trial.number}" for trial in shown],
            hoverinfo="text",
            mode="markers",
            name=state,
            marker={
                "color": colour,
                "size": 5,
                "symbol": "x" if state == "diverged" else "circle",
                "line": {"width": 0 if state == "diverged" else 0.7, "color": "#8c98a5"},
            },
        )
    figure.update_xaxes(title=across, range=list(x.ends), **x.marks)
    return figure.update_yaxes(title=up, range=list(y.ends), **y.marks)


def _smoothed(
    evidence: Evidence, x: Axis, y: Axis, points: Sequence[Point]
) -> tuple[list[float], list[float], list[list[float | None]]]:
    """The cells of a contour: where they are, and the weighted mean of the trials near each."""
    cells = [numpy.linspace(axis.ends[0], axis.ends[1], CELLS) for axis in (x, y)]
    near_x, near_y = (axis.near(grid, points) for axis, grid in zip((x, y), cells, strict=True))
    weights = numpy.array(evidence.weights(points)) * max(evidence.spread, evidence.difference) ** 2
    shades = numpy.array([evidence.shade(point.level) for point in points])
    total = (near_y * weights) @ near_x.T
    means = (near_y * weights * shades) @ near_x.T / numpy.maximum(total, 1e-12)
    z = [[float(mean) if weight > FAR else None for mean, weight in zip(*row)] for row in zip(means, total)]
    return cells[0].tolist(), cells[1].tolist(), z


def parallel_coordinates(evidence: Evidence, names: Sequence[str]) -> go.Figure:
    """A line for each trial through its estimate and its hyperparameters."""
    points = [point for point in evidence.estimated if set(names) <= point.trial.params.keys()]
    shades = [evidence.shade(point.level) for point in points]
    low, high = min(shades, default=0.0), max(shades, default=1.0)
    best = [(shade - low) / ((high - low) or 1.0) for shade in shades]
    best = [share if evidence.scale.sign > 0 else 1 - share for share in best]
    metric = evidence.study.description.metric
    label = f"log10 {metric}" if evidence.scale.relative else metric
    dimensions = [{"label": label, "values": shades}]
    for name in names:
        axis = Axis(name, evidence.study.ranges()[name])
        values = [axis.place(point.trial.params[name]) for point in points]
        dimensions.append({"label": name, "values": values, "range": list(axis.ends), **axis.marks})
    colour = [(share + point.finished) / 2 for share, point in zip(best, points, strict=True)]
    line = {"color": colour, "colorscale": SHADES, "cmin": 0, "cmax": 1, "showscale": False}
    figure = go.Figure(go.Parcoords(line=line, dimensions=dimensions))
    return figure.update_layout(margin={"t": 60, "b": 25, "l": 50, "r": 50})
