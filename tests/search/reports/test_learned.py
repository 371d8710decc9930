"""What a report says after real searches of tasks whose answer is known."""

import re

import plain
import pytest
import taught
from stores import here

from search.coordinator import search
from search.executors.inline import Inline
from search.reports import report
from search.study.opening import open_study

ONE_RUNG, THREE_RUNGS = 4, 20  # epochs


@pytest.fixture
def learned(write_task):
    """`learned(score, epochs, trials)` searches a variant of the taught task, and returns its report."""

    def learned(score, epochs, trials, seed=0, **changes):
        task = write_task("taught", *taught.changes(plain.TEXT, score, epochs, **changes))
        with open_study(here(), task, f"of-{epochs}-{seed}", seed=seed) as study:
            search(study, Inline(study), trials=trials)
            return report.report(study)

    return learned


def said(learned, about):
    (text,) = (sentence.text for sentence in learned.mattered if sentence.about == about)
    return text


def verdicts(learned):
    """The hyperparameters that are said to matter, by one test or the other."""
    matters = {each.about for each in learned.mattered if each.text.startswith("it matters")}
    beyond = {name for name, share in learned.shares.items() if share > learned.chance_share}
    return matters, beyond


@pytest.mark.parametrize("epochs", [ONE_RUNG, THREE_RUNGS])
def test_report_after_a_search_says_which_rates_lead_and_which_lag_or_diverge(learned, epochs):
    found = learned(taught.TEACHES, epochs, 60, diverges="config.rate > 0.03")
    assert len(found.evidence.estimated) - len(found.evidence.finished) > 10
    text = said(found, "rate")
    match = re.match(r"it matters: ([\d.]+) to ([\d.]+) lead \(err ([\d.]+) ± [\d.]+, \d+ trials\); ", text)
    assert match, text
    low, high, level = map(float, match.groups())
    assert low < 0.004 and high > 0.002 and 0.9 < level < 1.4
    assert re.search(r"to 0\.\d+ diverge", text), text
    assert verdicts(found)[0] == {"rate"}
    assert said(found, "was depth worth it?").startswith("no")


def test_report_after_a_search_where_depth_matters_says_that_it_was_worth_it(learned):
    found = learned(taught.TEACHES_DEPTH, THREE_RUNGS, 40)
    text = said(found, "was depth worth it?")
    match = re.match(
        r"yes: 3 layers instead of 1 gain a factor of ([\d.]+) ×÷ 1(\.\d)? and take [\d.]+ times", text
    )
    assert match and 2 < float(match[1]) < 3.5, text
    assert "with a probability of over 99%" in text
    assert text.count(" s)") == 3 and all(f"layers {depth}: " in text for depth in (1, 2, 3))
    assert said(found, "layers").startswith("it matters: 3 leads (err ")


def test_report_after_searches_where_nothing_matters_says_that_nothing_stands_out(learned):
    found = [learned(taught.TEACHES_NOTHING, epochs, 30, seed) for epochs in (4, 20) for seed in (0, 1)]
    silent = [each for each in found if verdicts(each) == (set(), set())]
    assert len(silent) >= len(found) - 1  # each test may fail by chance in one of 20, and trainings are timed
    assert all("none stands out" in said(each, "importance") for each in silent)
    assert all(said(each, "was depth worth it?").startswith(("no: ", "not certain: ")) for each in silent)


def test_report_after_ten_trials_says_what_mattered_and_after_fewer_that_they_are_too_few(learned):
    found = learned(taught.TEACHES, ONE_RUNG, 9)
    assert re.search(r"It takes 10 trials, .* there are 9, \d with", said(found, "too few trials"))
    assert said(found, "was depth worth it?")
    found = learned(taught.TEACHES, ONE_RUNG, 10)
    assert len(found.evidence.points) == 10 and {"importance", "rate", "width"} <= {
        s.about for s in found.mattered
    }
