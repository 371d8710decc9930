"""What trainings are worth: what holds in how many of them, the points, and all of it as a table."""

import math
from statistics import fmean, stdev
from typing import NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text


class Mark(NamedTuple):
    """What came of one training."""

    checks: dict  # what was checked -> whether it holds
    scores: dict  # split -> the score and its standard error
    seconds: float


def tally(marks):
    """What was checked -> in how many of the trainings it holds."""
    sentences = dict.fromkeys(sentence for mark in marks for sentence in mark.checks)
    return {each: sum(mark.checks.get(each, False) for mark in marks) for each in sentences}


def lines(marks):
    """A line for each check: whether it holds, or in how many of the trainings."""
    for sentence, held in tally(marks).items():
        word, style = ("yes", "green") if held == len(marks) else ("no", "bold red")
        often = f" ({held} of {len(marks)} seeds)" if 0 < held < len(marks) else ""
        yield Text.assemble("  ", (f"{word:4}", style), sentence, often)


def points(exam, marks):
    """The points that a question's trainings earn: all, if every check holds in each of them, or none."""
    return exam.question.points if all(held == len(marks) for held in tally(marks).values()) else 0


def table(exams, marks):
    """One row a question: how it scores, what was asked for, what that is worth."""
    seeds, several = len(marks[0]), len(marks[0]) > 1
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    shown.add_column("question\n  data", no_wrap=True)
    shown.add_column(f"score, mean\n± deviation of {seeds} seeds" if several else "score\n± standard error")
    shown.add_column("asked\nfor", no_wrap=True)
    for title in ("seeds\npassed" if several else "checks\npassed", "points", "seconds"):
        shown.add_column(title, justify="right")
    for exam, marked in zip(exams, marks):
        good = [all(mark.checks.values()) for mark in marked] if several else marked[0].checks.values()
        shown.add_row(
            f"{exam.title}\n  {exam.source}{'' if _found_on(exam) else '*'}",
            *("\n".join(lines) for lines in zip(*_scores(exam, marked))),
            f"{sum(good)}/{len(good)}",
            f"{points(exam, marked)}/{exam.question.points}",
            _with_spread([mark.seconds for mark in marked], ".1f").replace(" ", "\n", 1),
        )
    shown.caption_justify = "left"
    if not all(map(_found_on, exams)):
        shown.caption = "* not the data that the winner was found on"
    return shown


def _found_on(exam):
    """Whether the winner was found on these data."""
    return exam.digest == exam.script.RECORD["digest"]


def _scores(exam, marks):
    """For each split that is scored: how, and the score that is asked for."""
    record = exam.script.RECORD
    for split, bar in exam.question.bars.items():
        found = [mark.scores[split] for mark in marks if split in mark.scores] or [(math.nan, math.nan)]
        values, errors = zip(*found)
        form = ".4g" if values[0] > 0.001 else ".2g"
        shown = _with_spread(values, form) if len(marks) > 1 else f"{values[0]:{form}} ± {errors[0]:.2g}"
        sign = "≥" if record["direction"] == "maximize" else "≤"
        yield f"{split} {record['metric']} {shown}", "" if bar is None else f"{sign} {bar:g}"


def _with_spread(values, form):
    """The mean of some values and their standard deviation; one value as it is."""
    mean = f"{fmean(values):{form}}"
    return f"{mean} ± {stdev(values):.2g}" if len(values) > 1 else mean
