"""What came of the replayed searches, as tables."""

import math
import statistics

import numpy as np
from rich.console import Console
from rich.table import Table as Rows

from tests.bench.replay.core import first_good, handed_at, time_to_quality
from tests.bench.replay.methods import OURS

RESAMPLED = 2000  # times, for the interval of a median
SHOWN_FROM = 30  # seconds, then twice as many again and again


def show(table, results, budget):
    """Print the tables of a task.

    Args:
        results: method -> what came of each of its searches, see `searches.search`.
        budget: the simulated seconds of each search.
    """
    console = Console(highlight=False, width=120)
    handed = {}
    for method, searches in results.items():
        if not method.startswith(OURS):  # which names nothing before it is confirmed
            handed[method] = [each["handed"] for each in searches]
        handed[_confirmed(method)] = [each["confirmed"] for each in searches]
    ended = {
        _confirmed(method): [each["ended"] for each in searches]
        for method, searches in results.items()
        if method.startswith(OURS)
    }
    console.print(_times(table, handed, ended, budget))
    console.print(_qualities(table, handed, budget))


def _confirmed(method):
    return f"{method}, confirmed"


def _times(table, handed, ended, budget):
    """How long each method took to hand over a good configuration, and when it ended by itself."""
    good = sum(table.is_good(table.quality(config)) for config in table.configs)
    shown = Rows(
        title=f"{_name(table)}: seconds until what is handed over is truly good, and stays so\n"
        f"good: {table.margin:.2g} below the best or better, as {good} of {len(table.configs)} recorded ones "
        f"are; error of the table {table.error:.2g}, seeds ±{table.seed_deviation:.2g}"
    )
    columns = (
        "median",
        "25%..75%",
        "95% of the median",
        "to ours",
        "good at the end",
        "first",
        "ends",
    )
    for column in ("method", *columns):
        shown.add_column(
            column, justify="left" if column == "method" else "right", no_wrap=column == "method"
        )
    times = {
        method: [time_to_quality(table, each) for each in searches] for method, searches in handed.items()
    }
    ours = statistics.median(times.get(_confirmed(OURS), [math.nan]))
    for method, taken in times.items():
        median = statistics.median(taken)
        first = statistics.median(first_good(table, each) for each in handed[method])
        shown.add_row(
            method,
            _seconds(median, budget),
            "..".join(_seconds(each, budget) for each in quantiles(taken, (0.25, 0.75))),
            "..".join(_seconds(each, budget) for each in interval(taken)),
            f"{median / ours:.2f}" if math.isfinite(median) and math.isfinite(ours) else "",
            f"{np.isfinite(taken).mean():.0%}",
            _seconds(first, budget),
            _ends(ended[method], budget) if method in ended else "",
        )
    count = len(next(iter(handed.values())))
    shown.caption = (
        f"{count} searches each of {budget:g} s; to ours: of the medians; "
        "ends: by itself, the median, the quartiles and how many do"
    )
    return shown


def _ends(seconds, budget):
    """When searches end by themselves."""
    low, median, high = quantiles(seconds, (0.25, 0.5, 0.75))
    by_itself = sum(each < budget for each in seconds) / len(seconds)
    return f"{median:.0f} ({low:.0f}..{high:.0f}), {by_itself:.0%}"


def _qualities(table, handed, budget):
    """How good what each method hands over is at a time, and how far from the best at the end."""
    moments = [SHOWN_FROM * 2**power for power in range(20) if SHOWN_FROM * 2**power <= budget]
    best = _level(table, table.best, math.nan)
    shown = Rows(title=f"{_name(table)}: {table.task.METRIC} of what is handed over (best known {best})")
    shown.add_column("method", no_wrap=True)
    for moment in moments:
        shown.add_column(f"{moment} s", justify="right")
    shown.add_column("loss at the end", justify="right")
    for method, searches in handed.items():
        cells = []
        for moment in moments:
            cells.append(_level(table, *_mean([handed_at(each, moment) for each in searches])))
        mean, error = _mean([table.best - handed_at(each, budget) for each in searches])
        shown.add_row(method, *cells, f"{mean:.2g} ±{error:.1g}")
    return shown


def _mean(values):
    """The mean and its standard error."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return statistics.fmean(values), error


def quantiles(times, shares):
    """Of times that may be infinite, and so are not to be averaged."""
    return np.quantile(times, shares, method="inverted_cdf")


def interval(times):
    """A bootstrap interval of 95% of the median."""
    drawn = np.random.default_rng(0).choice(times, (RESAMPLED, len(times)))
    return quantiles(np.median(drawn, axis=1), (0.025, 0.975))


def _name(table):
    return table.task.__name__.rpartition(".")[2]


def _seconds(value, budget):
    return f"{value:.0f}" if math.isfinite(value) else f">{budget:g}"


def _level(table, level, error):
    """A mean level and its standard error as a score: of a loss, the geometric mean and a percentage."""
    if table.task.DIRECTION == "maximize":
        return f"{level:.2%}" + (f" ±{100 * error:.2f}" if math.isfinite(error) else "")
    return f"{2**-level:.3g}" + (f" ±{2**error - 1:.1%}" if math.isfinite(error) else "")
