"""The worth of trainings: which checks hold in how many of them, the points, and a table of all questions."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from search.course.grade import LoadedQuestion


class QuestionResult(NamedTuple):
    """The result of one training."""

    checks: dict[str, bool]  # sentence -> whether it holds
    scores: dict[str, tuple[float, float]]  # split -> the score and its standard error
    seconds: float


def holding(results: Sequence[QuestionResult]) -> dict[str, int]:
    """The number of trainings in which each check holds, by its sentence."""
    sentences = dict.fromkeys(sentence for result in results for sentence in result.checks)
    return {each: sum(result.checks.get(each, False) for result in results) for each in sentences}


def lines(results: Sequence[QuestionResult]) -> Iterator[Text]:
    """A line for each check: whether it holds, or in how many of the trainings."""
    for sentence, count in holding(results).items():
        word, style = ("yes", "green") if count == len(results) else ("no", "bold red")
        seeds = f" ({count} of {len(results)} seeds)" if 0 < count < len(results) else ""
        yield Text.assemble("  ", (f"{word:4}", style), sentence, seeds)


def points(loaded: "LoadedQuestion", results: Sequence[QuestionResult]) -> int:
    """The points of a question: all, if every check holds in every training, else none."""
    return loaded.question.points if all(count == len(results) for count in holding(results).values()) else 0


def table(questions: Sequence["LoadedQuestion"], results: Sequence[Sequence[QuestionResult]]) -> Table:
    """One row per question: its scores, the thresholds, the points."""
    seeds = len(results[0])
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    shown.add_column("question\n  data", no_wrap=True)
    shown.add_column(f"score, mean\n± deviation of {seeds} seeds" if seeds > 1 else "score\n± standard error")
    shown.add_column("asked\nfor", no_wrap=True)
    for title in ("seeds\npassed" if seeds > 1 else "checks\npassed", "points", "seconds"):
        shown.add_column(title, justify="right")
    for loaded, own in zip(questions, results, strict=True):
        shown.add_row(*_row(loaded, own))
    shown.caption_justify = "left"
    if not all(map(_on_winners_data, questions)):
        shown.caption = "* not the data that the winner was found on"
    return shown


def _row(loaded: "LoadedQuestion", results: Sequence[QuestionResult]) -> Iterator[str]:
    if len(results) > 1:
        passed = [all(result.checks.values()) for result in results]
    else:
        passed = list(results[0].checks.values())
    yield f"{loaded.title}\n  {loaded.source}{'' if _on_winners_data(loaded) else '*'}"
    yield from ("\n".join(column) for column in zip(*_scores(loaded, results)))
    yield f"{sum(passed)}/{len(passed)}"
    yield f"{points(loaded, results)}/{loaded.question.points}"
    yield _with_spread([result.seconds for result in results], ".1f").replace(" ", "\n", 1)


def _on_winners_data(loaded: "LoadedQuestion") -> bool:
    """Whether these are the data that the winner was found on."""
    return bool(loaded.digest == loaded.script.RECORD["digest"])


def _scores(loaded: "LoadedQuestion", results: Sequence[QuestionResult]) -> Iterator[tuple[str, str]]:
    """For each scored split: its score, and its threshold."""
    record = loaded.script.RECORD
    for split, threshold in loaded.question.thresholds.items():
        scores = [result.scores[split] for result in results if split in result.scores]
        values, errors = zip(*(scores or [(math.nan, math.nan)]))
        form = ".4g" if values[0] > 0.001 else ".2g"
        shown = _with_spread(values, form) if len(results) > 1 else f"{values[0]:{form}} ± {errors[0]:.2g}"
        sign = "≥" if record["direction"] == "maximize" else "≤"
        yield f"{split} {record['metric']} {shown}", "" if threshold is None else f"{sign} {threshold:g}"


def _with_spread(values: Sequence[float], form: str) -> str:
    """The mean of values and their standard deviation; a single value alone."""
    mean = f"{fmean(values):{form}}"
    return f"{mean} ± {stdev(values):.2g}" if len(values) > 1 else mean
