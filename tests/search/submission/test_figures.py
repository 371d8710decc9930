"""The figures of a small study, which were computed by hand: the writer and the check share one function."""

import math
from datetime import datetime, timedelta

import pytest

from search.strategy import winner
from search.study.trial import VOID_KEY, Trial, TrialState, VoidEntry
from search.study.view import StudyView
from search.submission import figures

START = datetime(2026, 1, 1)
ABOUT = {"task": "bowl", "source": "builtin", "digest": "d", "seed": 0, "metric": "height", "space": {}}
VOID = VoidEntry("void", (4,), "the mask was wrong", "", "")


def trial(number, state="completed", score=None, replicate_of=None, replicate=None, epochs=2, void=None):
    """A trial whose epochs take half a second; without any it takes three seconds."""
    return Trial(
        number=number,
        draw=None if replicate_of is not None else number,
        retry_of=None,
        replicate_of=replicate_of,
        replicate=replicate,
        proposal="",
        state=TrialState(state),
        reason="",
        config={"epochs": 2, "x": number},
        params={"x": number},
        score=score,
        standard_error=None if score is None else 0.1,
        curve=[
            {"epoch": epoch, "seconds": 0.5, "time": 0.0, "validation_height": 5.0}
            for epoch in range(1, epochs + 1)
        ],
        started=START,
        ended=START + timedelta(seconds=3),
        weights=2,
        fingerprint={},
        provenance={},
        void=void,
    )


@pytest.fixture
def view():
    trials = [
        trial(0, score=4.0),
        trial(1, score=1.0),
        trial(2, "pruned", epochs=1),
        trial(3, "diverged", epochs=0),
        trial(4, score=0.5, void=VOID),
        trial(5, score=1.0, replicate_of=1, replicate=1),
        trial(6, score=4.0, replicate_of=1, replicate=2),
        trial(7, score=4.0, replicate_of=0, replicate=1),
        trial(8, score=4.0, replicate_of=0, replicate=2),
    ]
    attributes = {"about": ABOUT | {"direction": "minimize"}, "looks": [{"trial": 1}]}
    return StudyView("small", attributes | {f"{VOID_KEY}0": VOID.as_record()}, trials)


def test_figures_of_a_small_study_are_those_computed_by_hand(view):
    # The logarithms of trial 1's scores are 0, 0 and 2 ln 2: their squares about the mean sum to
    # 8/3 (ln 2)^2. Those of trial 0 are equal. The median of the variances 4/3 (ln 2)^2 and 0 is
    # 2/3 (ln 2)^2; that of a variance with 2 degrees of freedom is ln 2 of the true one. It has 4 degrees,
    # as many as the sampling variance, 0.1 / 4 squared. Their mean is worth 4 more seeds of trial 1.
    # Two configurations do not shrink.
    typical = (2 / 3 * math.log(2) + (0.1 / 4) ** 2) / 2
    variance = (4 * typical + 8 / 3 * math.log(2) ** 2) / 6
    assert figures.figures(view, winner.choose(view)) == pytest.approx(
        {
            "trials": 9,
            "completed": 2,
            "pruned": 1,
            "diverged": 1,
            "infeasible": 0,
            "failed": 0,
            "interrupted": 0,
            "replicates": 4,
            "void": 1,
            "superseded": 0,
            "epochs": 15,
            "seconds": 15 / 2 + 3,
            "share diverged": 1 / 4,
            "baseline score": 4.0,
            "median score": 2.5,
            "best trial": 1,
            "best score": 1.0,
            "best score's standard error": 0.1,
            "winner": 1,
            "winner's weights": 2,
            "winner's first score": 1.0,
            "winner's repeats": 2,
            "winner's mean": 2 ** (2 / 3),
            "winner's standard error": 2 ** (2 / 3) * math.sqrt(variance / 3),
            "looks at the test data": 1,
        },
        rel=1e-12,
    )


def test_report_text_parsed_gives_its_heading_and_figures(view):
    candidate = winner.choose(view)
    heading, stated = figures.parsed(figures.text_of(view, candidate))
    assert heading == figures.heading(view)
    assert stated == figures.figures(view, candidate)


def test_report_text_of_version_0_1_is_read_by_the_names_of_today():
    assert figures.parsed("A question\n\nrepeats: 2\naside: 1\n") == (
        "A question",
        {"replicates": 2, "superseded": 1},
    )


@pytest.mark.parametrize("twice", ["void: 1\nvoid: 2", "repeats: 1\nreplicates: 2"])
def test_report_text_with_a_figure_stated_twice_is_refused(twice):
    with pytest.raises(ValueError, match="stated twice"):
        figures.parsed(f"A question\n\n{twice}\n")
