"""What was learned from a study: one page that stands alone, and the same as text in the terminal."""

import base64
import functools
import gzip
import html
import re
import string
from dataclasses import dataclass
from pathlib import Path

from plotly.offline import get_plotlyjs
from rich import box
from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from search import paths, tasks
from search.cli.display import duration, settings
from search.errors import NoWinner
from search.reports import effects, tables
from search.reports.advice import advice
from search.reports.evidence import Sentence, shown
from search.strategy import winner
from search.strategy.winner import Candidate
from search.study.trial import number_ranges
from search.study.view import StudyView

EVIDENCE = (
    "Trials are ranked by their scores; one that was pruned, by the last epoch that it and the other both "
    "reached. This describes what was tried: the sampler does not draw evenly, nor hold all else equal."
)
BEST = 10  # trials in the terminal


@dataclass(frozen=True)
class Report:
    """What both forms are made of."""

    study: StudyView
    standing: Candidate | None  # the winner's
    question: list
    answer: str
    winner: list
    mattered: list
    advice: list
    importances: tuple  # see `search.reports.effects.importances`


def report(study):
    """The Report of a study, whatever it holds."""
    try:
        standing = winner.choose(study)
    except NoWinner:
        standing = None
    shares, by_chance = effects.importances(study)
    return Report(
        study=study,
        standing=standing,
        question=list(question(study)),
        answer=answer(study, standing),
        winner=won(study, standing) if standing else [],
        mattered=effects.mattered(study, shares, by_chance),
        advice=advice(study, standing),
        importances=(shares, by_chance),
    )


# What is said


def title(study):
    """The question that the task asks."""
    return tasks.question_of(study.task)


def question(study):
    """What was asked, of what, within which limits."""
    about = study.description
    yield Sentence("task", f"{about.task}: {title(study)}")
    if target := re.search(r"^Target: (.*?)(?=^Source:|^$|\Z)", tasks.doc_of(study.task), re.M | re.S):
        yield Sentence("target", " ".join(target[1].split()))
    yield Sentence("score", f"{about.metric} on the validation data, to {about.direction}")
    for name, ranges in study.ranges().items():
        yield Sentence(f"range of {name}", tasks.describe(ranges))
    yield Sentence("budget", tables.budget(study))
    kinds = [f"{count} {kind}" for kind, count in tables.kinds(study).items()]
    yield Sentence("trials", ", ".join(kinds) or "none yet")
    yield Sentence("data", f"{about.source}, digest {about.digest}; seed of the study {about.seed}")
    crossed = {}
    for trial in study.trials():
        if trial.void:
            crossed.setdefault(str(trial.void), []).append(trial.number)
    for why, numbers in crossed.items():
        yield Sentence("crossed out", f"trials {number_ranges(numbers)}: {why}")


def answer(study, standing):
    """The answer, in one or two sentences."""
    if standing is None:
        return "There is no answer yet: no trial has been trained to the end."
    trial, metric = standing.trial, study.description.metric
    if standing.confirmed:
        score = f"{standing.mean:.4g} ± {standing.standard_error:.2g}"
        score += f", the mean of {len(standing.scores)} fresh seeds"
    else:
        score = f"{trial.score:.4g} ± {trial.standard_error:.2g} with one seed, unconfirmed"
    return f"Trial {trial.number} wins: {settings(trial)}. Its validation {metric} is {score}."


def won(study, standing):
    """The winner: what it is, how it compares, and what it costs."""
    trial = standing.trial
    said = [Sentence("configuration", f"trial {trial.number}: {settings(trial)}")]
    fixed = [f"{name} {shown(value)}" for name, value in trial.config.items() if name not in trial.params]
    said.append(Sentence("fixed", ", ".join(fixed) or "nothing"))
    said.append(
        Sentence("size and time", f"{tables.weights(trial)}, trained in {duration(standing.seconds)}")
    )
    said.append(Sentence("why it was tried", trial.proposal))
    if defaults := against_defaults(study, standing):
        said.append(defaults)
    for other in winner.candidates(study):
        if other.trial.number != trial.number and other.scores:
            said.append(Sentence(f"against trial {other.trial.number}", tables.against(other)))
    for number, look in enumerate(study.test_evaluations(), 1):
        if look["trial"] == trial.number:
            score = f"{look['score']:.5g} ± {look['standard_error']:.2g}"
            said.append(
                Sentence(
                    "test data", f"{score}, look {number} of {len(study.test_evaluations())} in this study"
                )
            )
    return said


def against_defaults(study, standing):
    """How the winner compares with the task's defaults."""
    defaults = next((trial for trial in study.completed() if trial.draw == 0), None)
    if defaults is None:
        return None
    if defaults.number == standing.trial.number:
        return Sentence("against the defaults", "the winner is the task's defaults.")
    score, error = standing.estimate
    better = study.sign * (score - defaults.score)
    error = (error**2 + defaults.standard_error**2) ** 0.5
    text = f"{abs(better):.2g} ± {error:.2g} {'better' if better >= 0 else 'worse'} than trial "
    return Sentence(
        "against the defaults", f"{text}{defaults.number}, which scored {defaults.score:.4g} with one seed."
    )


# In the terminal


def text(report):
    """The report for the terminal."""
    study = report.study
    parts = [Text(title(study), style="bold"), Text(report.answer, style="green")]
    for heading, said in (
        ("The winner", report.winner),
        ("What mattered, and how", report.mattered),
        ("What next", report.advice),
        ("What was asked", report.question),
    ):
        if said:
            parts += [Text(), Rule(heading, align="left"), _lines(said)]
    if study.completed():
        parts += [Text(), Rule(f"The best of {study.n_finished()} trials", align="left"), _best(study)]
    return Group(*parts, Text(EVIDENCE, style="dim"))


def _lines(said):
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", max_width=22, overflow="fold")
    table.add_column(overflow="fold")
    for sentence in said:
        table.add_row(Text(sentence.about), Text(sentence.text))
    return table


def _best(study):
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("trial", "score", "time"):
        table.add_column(name, no_wrap=True)
    table.add_column("configuration", overflow="fold")
    for trial in study.completed()[:BEST]:
        score = f"{trial.score:.4g} ± {trial.standard_error:.2g}"
        table.add_row(str(trial.number), score, duration(trial.seconds), Text(settings(trial)))
    return table


# As a page


def page(report):
    """The report as one HTML file that needs nothing else."""
    from search.reports import plots

    study = report.study
    drawn = plots.plots(study, *report.importances)
    template = string.Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
    text = template.substitute(
        name=html.escape(f"{study.name}: what was learned"),
        kicker=html.escape(f"Trialbook, study {study.name}"),
        title=html.escape(title(study)),
        answer=html.escape(report.answer),
        winner=_definitions(report.winner) or "<p>None yet.</p>",
        mattered=_definitions(report.mattered),
        evidence=html.escape(EVIDENCE),
        advice=_definitions(report.advice),
        question=_definitions(report.question),
        plots="".join(map(_figure, drawn)) or "<p>Nothing to plot yet.</p>",
        trials=_table(study, report.standing),
        plotly=packed_plotly() if drawn else "",
        footer=html.escape(f"Made from the study's own record: {_when(study)}."),
    )
    return text.encode(errors="xmlcharrefreplace").decode()  # half a pair of UTF-16, which no file can hold


def write(report, folder=None):
    """Write the page into a folder, by default that of all reports. Returns its path."""
    folder = Path(folder) if folder else paths.reports()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.study.name}.html"
    path.write_text(page(report), encoding="utf-8")
    return path


def _when(study):
    ended = [trial.ended for trial in study.trials() if trial.ended]
    return f"its last trial ended {max(ended):%Y-%m-%d %H:%M}" if ended else "no trial has ended"


def _definitions(said):
    rows = (f"<dt>{html.escape(about)}</dt><dd>{html.escape(text)}</dd>" for about, text in said)
    return f"<dl>{''.join(rows)}</dl>" if said else ""


def _figure(plot):
    from search.reports.plots import plain

    kind = ' class="wide"' if plot.wide else ""
    return (
        f"<figure{kind}><h3>{html.escape(plot.title)}</h3><small>{html.escape(plot.caption)}</small>"
        f'<div class="scroll"><div class="plot">…</div>'
        f'<script type="application/json">{plain(plot.figure)}</script></div></figure>\n'
    )


def _table(study, standing):
    """All trials: crossed-out ones struck through, repeats as such."""
    names = list(study.ranges())
    heads = ["trial", "state", study.description.metric, "±", *names, "epochs", "seconds", "weights"]
    heads = [*heads, "why it was tried", "why it ended"]
    buttons = "".join(f'<th scope="col"><button>{html.escape(head)}</button></th>' for head in heads)
    won = standing.trial.number if standing else None
    rows = "\n".join(_row(trial, names, trial.number == won) for trial in study.trials())
    return f"<table><thead><tr>{buttons}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _row(trial, names, won):
    state = f"{trial.void.action}: {trial.state}" if trial.void else trial.state
    if trial.replicate_of is not None:
        state += f" (repeat {trial.replicate} of trial {trial.replicate_of})"
    values = [trial.number, state, trial.score, trial.standard_error]
    values += [trial.params.get(name) for name in names]
    values += [len(trial.curve), round(trial.seconds, 2), trial.weights, trial.proposal, trial.reason]
    kind = "out" if trial.void else "repeat" if trial.replicate_of is not None else "winner" if won else ""
    why = f' title="{html.escape(str(trial.void))}"' if trial.void else ""
    cells = (_cell(value, trial.void, number >= len(values) - 2) for number, value in enumerate(values))
    return f'<tr class="{kind}"{why}>{"".join(cells)}</tr>'


def _cell(value, crossed, why):
    """A cell, with the value by which it is sorted where that is not its text."""
    said = "" if value is None else html.escape(_short(value))
    kind = ' class="why"' if why else f' data-value="{"" if value is None else html.escape(str(value))}"'
    return f"<td{kind}><s>{said}</s></td>" if crossed and said else f"<td{kind}>{said}</td>"


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@functools.cache
def packed_plotly():
    """The library that draws, as text that the page unpacks: a third of its size."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()
