"""Two studies side by side: their questions, their winners, and whether the scores differ."""

import math
from collections.abc import Iterable, Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from search.primitives.text import duration
from search.reports import tables
from search.reports.evidence import Evidence, format_value
from search.strategy.winner import Candidate
from search.study.view import StudyView

LIMIT = 2  # standard errors: a smaller difference is not certain


def compare(a: StudyView, b: StudyView) -> Group:
    """Two studies as a table, and a verdict on their scores below it."""
    title = f"Studies {a.name} and {b.name}"
    table = Table(title=title, title_justify="left", min_width=len(title))
    table.add_column("")
    for name in (a.name, b.name):
        table.add_column(name, overflow="fold", min_width=len(name))
    for subject, one, other in rows(a, b):
        table.add_row(Text(subject), Text(one), Text("same" if one == other else other))
    return Group(table, Text(verdict(a, b)))


def rows(a: StudyView, b: StudyView) -> Iterator[tuple[str, str, str]]:
    """The rows of the table: a subject, and each study's text."""
    for key in ("task", "metric", "source", "digest", "seed"):
        yield (
            "data" if key == "source" else key,
            str(getattr(a.description, key)),
            str(getattr(b.description, key)),
        )
    yield "code", _code(a), _code(b)
    for name in _names(a.ranges(), b.ranges()):
        if (one := _range(a, name)) != (other := _range(b, name)):
            yield f"range of {name}", one, other
    yield "budget", tables.budget(a), tables.budget(b)
    kinds_a, kinds_b = tables.kinds(a), tables.kinds(b)
    for kind in _names(kinds_a, kinds_b):
        yield kind, str(kinds_a[kind]), str(kinds_b[kind])
    yield "trained", duration(tables.seconds_trained(a)), duration(tables.seconds_trained(b))
    yield from _winners(tables.winner_of(a), tables.winner_of(b))


def _winners(one: Candidate | None, other: Candidate | None) -> Iterator[tuple[str, str, str]]:
    """The winners, the fields in which their configurations differ, and their scores."""
    number_one, number_other = (f"trial {each.trial.number}" if each else "none" for each in (one, other))
    yield "winner", number_one, number_other
    config, other_config = (each.trial.config if each else {} for each in (one, other))
    for name in _names(config, other_config):
        value, other_value = (
            format_value(each[name]) if name in each else "none" for each in (config, other_config)
        )
        if name != "seed" and value != other_value:
            yield f"its {name}", value, other_value
    yield "its score", _score(one), _score(other)


def _names(one: Iterable[str], other: Iterable[str]) -> list[str]:
    """The names in either, in order."""
    return list(dict.fromkeys([*one, *other]))


def _code(study: StudyView) -> str:
    digests = {trial.fingerprint.get("code", "unknown") for trial in study.history()}
    return ", ".join(sorted(digests)) or "none"


def _range(study: StudyView, name: str) -> str:
    """The range that a study searched, or the value that was fixed."""
    if name in study.ranges():
        return tables.range_of(study.ranges()[name])
    defaults = study.task.Config()
    return f"fixed: {format_value(getattr(defaults, name))}" if hasattr(defaults, name) else "has none"


def _score(candidate: Candidate | None) -> str:
    if candidate is None:
        return "none"
    seeds = f"estimate from {candidate.known.n_seeds} seeds" if candidate.confirmed else "unconfirmed"
    return f"{candidate.mean:.5g} ± {candidate.standard_error:.2g} ({seeds})"


# The verdict


def verdict(a: StudyView, b: StudyView) -> str:
    """Whether the winners' scores can be compared, and whether they differ."""
    if differing := [
        key
        for key in ("task", "metric", "direction")
        if getattr(a.description, key) != getattr(b.description, key)
    ]:
        return f"Their scores cannot be compared: another {' and another '.join(differing)}."
    if a.description.digest != b.description.digest:
        return "Their scores cannot be compared: they are of other data."
    one, other = tables.winner_of(a), tables.winner_of(b)
    if one is None or other is None:
        without = [study.name for study, won in ((a, one), (b, other)) if won is None]
        return f"There is nothing to compare: {' and '.join(f'{name} has no winner' for name in without)}"
    lead, error = difference(one, other)
    name, size = (b.name if lead > 0 else a.name), abs(lead)
    amount = f"{size:.3g} ± {error:.2g} better" if size else f"no better, ± {error:.2g}"
    text = f"The winner of {name} is {amount}: {_judged(a, b, one, other)}."
    unconfirmed = [study.name for study, won in ((a, one), (b, other)) if not won.confirmed]
    if unconfirmed:
        text += f" The score of {' and of '.join(unconfirmed)} is unconfirmed: "
        text += "the best of several, and so too good."
    return text


def _judged(a: StudyView, b: StudyView, one: Candidate, other: Candidate) -> str:
    """Whether two winners differ: by the meaningful difference, and beyond the errors of their estimates."""
    evidence = max(Evidence(a), Evidence(b), key=lambda each: each.difference)
    apart = abs(evidence.scale.level(one.mean) - evidence.scale.level(other.mean))
    if apart <= evidence.difference:
        return f"no difference, as it is below {evidence.gap(evidence.difference)}"
    if apart > LIMIT * math.hypot(one.known.deviation, other.known.deviation):
        return f"that is more than {LIMIT} standard errors"
    return f"that is not certain, as it is less than {LIMIT} standard errors"


def difference(one: Candidate, other: Candidate) -> tuple[float, float]:
    """By how much the second winner is better than the first, and the standard error of that."""
    lead = one.scale.sign * (other.mean - one.mean)
    return lead, math.hypot(one.standard_error, other.standard_error)
