"""Two studies beside each other: what differs in what was asked, and whether the answers differ too."""

import math

from rich.console import Group
from rich.table import Table
from rich.text import Text

from search.cli.display import duration
from search.errors import NoWinner
from search.reports import tables
from search.reports.evidence import shown
from search.strategy import winner

NOISE = 2  # standard errors: a difference of less can be noise


def compare(a, b):
    """Two studies as a table, and below it in a sentence what can be said of their scores."""
    title = f"Studies {a.name} and {b.name}"
    table = Table(title=title, title_justify="left", min_width=len(title))
    table.add_column("")
    for name in (a.name, b.name):
        table.add_column(name, overflow="fold", min_width=len(name))
    for what, one, other in rows(a, b):
        table.add_row(Text(what), Text(one), Text("same" if one == other else other))
    return Group(table, Text(verdict(a, b)))


def rows(a, b):
    """What is compared, and what each study has: three texts a row."""
    for what in ("task", "metric", "source", "digest", "seed"):
        yield (
            {"source": "data"}.get(what, what),
            str(getattr(a.description, what)),
            str(getattr(b.description, what)),
        )
    yield "code", _code(a), _code(b)
    for name in _names(a.ranges(), b.ranges()):
        if (one := _range(a, name)) != (other := _range(b, name)):
            yield f"range of {name}", one, other
    yield "budget", tables.budget(a), tables.budget(b)
    kinds = [tables.kinds(study) for study in (a, b)]
    for kind in _names(*kinds):
        yield kind, *(str(each[kind]) for each in kinds)
    yield "trained", *(duration(sum(t.seconds for t in study.trials() if t.ended)) for study in (a, b))
    yield from _winners(a, b)


def _winners(a, b):
    """The winners: where they differ in their configurations, and their scores."""
    one, other = standing(a), standing(b)
    yield "winner", *(f"trial {each.trial.number}" if each else "none" for each in (one, other))
    configs = [each.trial.config if each else {} for each in (one, other)]
    for name in _names(*configs):
        values = [shown(config[name]) if name in config else "none" for config in configs]
        if name != "seed" and values[0] != values[1]:
            yield f"its {name}", *values
    yield "its score", _score(one), _score(other)


def standing(study):
    """The winner's Candidate, or None."""
    try:
        return winner.choose(study)
    except NoWinner:
        return None


def _names(one, other):
    """The names in either, in order."""
    return list(dict.fromkeys([*one, *other]))


def _code(study):
    return (
        ", ".join(sorted({trial.fingerprint.get("code", "unknown") for trial in study.history()})) or "none"
    )


def _range(study, name):
    """What a study searched of a hyperparameter."""
    if name in study.ranges():
        return tables.range_of(study.ranges()[name])
    defaults = study.task.Config()
    return f"fixed: {shown(getattr(defaults, name))}" if hasattr(defaults, name) else "has none"


def _score(standing):
    if standing is None:
        return "none"
    score, error = standing.estimate
    seeds = f"mean of {len(standing.scores)} fresh seeds" if standing.confirmed else "one seed, unconfirmed"
    return f"{score:.5g} ± {error:.2g} ({seeds})"


# What can be said


def verdict(a, b):
    """Whether the winners' scores can be compared, and whether they can be told apart."""
    one, other = standing(a), standing(b)
    if unlike := [
        what
        for what in ("task", "metric", "direction")
        if getattr(a.description, what) != getattr(b.description, what)
    ]:
        return f"Their scores cannot be compared: another {' and another '.join(unlike)}."
    if a.description.digest != b.description.digest:
        return "Their scores cannot be compared: they are of other data."
    if one is None or other is None:
        return "There is nothing to compare: " + " and ".join(
            f"{study.name} has no winner" for study, won in ((a, one), (b, other)) if won is None
        )
    better, error = difference(one, other)
    name, size = (b.name if better > 0 else a.name), abs(better)
    sizes = f"{size:.3g} ± {error:.2g} better" if size else f"no better, ± {error:.2g}"
    sure = "more than noise" if size > NOISE * error else "it cannot be told from noise"
    said = f"The winner of {name} is {sizes}: {sure} ({NOISE} standard errors are the limit)."
    doubtful = [study.name for study, won in ((a, one), (b, other)) if not won.confirmed]
    if doubtful:
        said += f" The score of {' and of '.join(doubtful)} is unconfirmed: the best of several, it flatters."
    return said


def difference(one, other):
    """By how much the second of two winners is better than the first, and the standard error of that."""
    (score, error), (against, error_against) = one.estimate, other.estimate
    return one.sign * (against - score), math.hypot(error, error_against)
