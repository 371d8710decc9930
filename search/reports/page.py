"""A report as one HTML file that needs no other file and no network.

The template escapes every text. A study holds texts that people wrote: names, reasons, docstrings.
"""

import base64
import functools
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from search import paths
from search.reports import plots
from search.reports.report import Report
from search.study.trial import Trial
from search.study.view import StudyView

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Row(NamedTuple):
    """A trial as a row of the table of all trials."""

    kind: str  # "void", "replicate", "winner" or "": how it is coloured
    void: str  # why it does not count; empty where it counts
    cells: list[object]  # of the columns that sort by value
    reasons: list[str]  # of the columns that hold sentences


def page(report: Report, nonce: str = "") -> str:
    """The report as HTML.

    Args:
        nonce: of its own scripts, where a Content-Security-Policy lets no others run.
    """
    study = report.study
    figures = plots.plots(report.evidence, report.shares, report.chance_share)
    text = TEMPLATES.get_template("report.html").render(
        report=report,
        nonce=nonce,
        study=study,
        figures=[(plot, Markup(plots.json_of(plot.figure))) for plot in figures],  # no "<" is in it
        plotly=packed_plotly() if figures else "",
        columns=_columns(study),
        rows=_rows(report),
        last_ended=max((trial.ended for trial in study.trials() if trial.ended), default=None),
        text_of=_text_of,
    )
    return text.encode(errors="xmlcharrefreplace").decode()  # no file can hold half of a UTF-16 pair


def write(report: Report, folder: str | Path | None = None) -> Path:
    """Write the page into a folder, by default that of all reports. Returns its path."""
    folder = Path(folder) if folder else paths.reports()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.study.name}.html"
    path.write_text(page(report), encoding="utf-8")
    return path


@functools.cache
def packed_plotly() -> str:
    """The library that draws the plots, as text for the page to unpack: 2.0 MB instead of 4.8."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


# The table of all trials


def _columns(study: StudyView) -> list[str]:
    score = ["estimate", "±", study.description.metric]
    numbers = ["epochs", "seconds", "weights"]
    return ["trial", "state", *score, *study.ranges(), *numbers, "why it was tried", "why it ended"]


def _rows(report: Report) -> Iterator[Row]:
    names, candidate, scale = list(report.study.ranges()), report.candidate, report.evidence.scale
    points = {point.trial.number: point for point in report.evidence.estimated}
    for trial in report.study.trials():
        cells: list[object] = [trial.number, _state(trial), None, None, trial.score]
        if point := points.get(trial.number):
            cells[2:4] = [scale.score(point.level), scale.error(point.level, point.deviation)]
        cells += [trial.params.get(name) for name in names]
        cells += [len(trial.curve), round(trial.seconds, 2), trial.weights]
        won = candidate is not None and candidate.trial.number == trial.number
        kind = "replicate" if trial.replicate_of is not None else "winner" if won else ""
        kind = "void" if trial.void else kind
        yield Row(kind, str(trial.void or ""), cells, [trial.proposal, trial.reason])


def _state(trial: Trial) -> str:
    state = f"{trial.void.action}: {trial.state}" if trial.void else trial.state
    if trial.replicate_of is not None:
        state += f" (replicate {trial.replicate} of trial {trial.replicate_of})"
    return state


def _text_of(value: object) -> str:
    """A cell's text; it sorts by its full value."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def log_files(study: StudyView) -> dict[str, str]:
    """The files that the log keeps of a study, by name: the table of trials and the report."""
    from search.reports.report import report as report_of
    from search.reports.trials_table import trials_csv

    return {"trials.csv": trials_csv(study), "report.html": page(report_of(study))}
