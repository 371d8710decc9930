"""Two studies beside each other."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console
from stores import here

from search.cli.app import main
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.reports import compare
from search.strategy import winner
from search.study.opening import open_study
from search.study.stored import StoredStudy


def shown(a, b):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(compare.compare(a, b))
    return console.export_text()


@pytest.fixture
def pair(bowl):
    """Two confirmed studies of the bowl, the second longer than the first."""
    for name, trials in (("short", 4), ("long", 40)):
        with open_study(here(), bowl, name) as study:
            study.set_budget(trials, None)
            search(study, Inline(study), trials=trials)
            confirm(study, Inline(study), replicates=2)
    return StoredStudy.read(here(), "short"), StoredStudy.read(here(), "long")


def test_the_difference_of_the_winners_has_the_standard_error_of_both(pair):
    means, errors = [], []
    for study in pair:
        won = winner.choose(study)
        means.append(won.mean)
        errors.append(won.standard_error)
    better, error = compare.difference(*map(winner.choose, pair))
    assert better == pytest.approx(means[0] - means[1]) and error == math.hypot(*errors)
    text = " ".join(shown(*pair).split())
    assert (
        f"The winner of long is {better:.3g} ± {error:.2g} better: that is more than 2 standard errors"
        in text
    )
    assert "4 trials" in text and "40 trials" in text and "unconfirmed" not in text


def test_a_difference_below_two_standard_errors_is_called_not_certain(bowl, tell):
    for name, score in (("one", 0.5), ("other", 0.48)):
        with open_study(here(), bowl, name) as study:
            losses = dict.fromkeys(("train_loss", "validation_loss", "validation_height"), score)
            tell(study, score, curve=[losses])
    text = " ".join(shown(StoredStudy.read(here(), "one"), StoredStudy.read(here(), "other")).split())
    text_of_both = "The winner of other is 0.02 ± 0.014 better: that is not certain"
    assert f"{text_of_both}, as it is less than 2 standard errors" in text
    assert "The score of one and of other is unconfirmed" in text


def test_a_difference_below_the_meaningful_one_is_called_none(bowl, tell):
    for name, score in (("one", 0.5), ("other", 0.499)):
        with open_study(here(), bowl, name) as study:
            tell(study, score)
    text = " ".join(shown(StoredStudy.read(here(), "one"), StoredStudy.read(here(), "other")).split())
    assert "The winner of other is 0.001 ± 0.014 better: no difference, as it is below 2%." in text


def test_only_the_ranges_that_differ_are_shown(pair, monkeypatch):
    assert "range of" not in shown(*pair)
    space = {name: text for name, text in pair[0].description.space.items() if name != "y"}
    pair[0].description = replace(pair[0].description, space=space)
    text = shown(*pair)
    assert "range of y" in text and "fixed: 50" in text and "0 to 100" in text and "range of x" not in text


def test_scores_of_other_metrics_or_data_are_not_subtracted(pair, moody, tell):
    with open_study(here(), moody(), "moods") as other:
        tell(other, 0.5, mood="well")
    assert "cannot be compared: another task and another metric and another direction" in shown(
        pair[0], other
    )
    assert "better" not in shown(pair[0], other)
    pair[1].description = replace(pair[1].description, digest="0" * 12)
    assert "cannot be compared: they are of other data" in shown(*pair)


def test_a_study_without_a_winner_is_compared_too(pair, bowl):
    with open_study(here(), bowl, "empty"):
        pass
    text = shown(pair[0], StoredStudy.read(here(), "empty"))
    assert "There is nothing to compare: empty has no winner" in text


def test_the_verb_names_the_studies_there_are(pair, capsys):
    assert main(["compare", "--A=short", "--B=long"]) == 0
    assert "Studies short and long" in capsys.readouterr().out
    assert main(["compare", "--a", "short"]) == 2
    assert "B is missing: which study? Valid are long, short" in capsys.readouterr().err
    assert main(["compare", "--a", "short", "--b", "lang"]) == 2
    assert "unknown STUDY 'lang': valid are long, short. Did you mean 'long'" in capsys.readouterr().err
