"""What a person sees while a search runs."""

import io

import pytest
from rich.console import Console
from stores import here

from search.cli import display
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.strategy.strategy import Strategy
from search.study.opening import open_study


def shown(study, trials, terminal, seconds=3600):
    """What is printed during a search, and what was drawn last."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160, color_system=None)
    with display.watch(console, display.Tally(study, trials, seconds, 1)) as shown_display:
        search(study, Inline(study), trials=trials, watchers=[shown_display])
    return console.file.getvalue(), shown_display


def test_plain_lines_tell_each_event(bowl):
    with open_study(here(), bowl) as study:
        text, _ = shown(study, 12, terminal=False)
        trials = list(study.trials())
    for trial in trials:
        assert f"trial {trial.number} starts ({trial.proposal}): x " in text
        assert f"trial {trial.number} {trial.state}" in text
    assert "trial 0 completed" in text and "0.45 ± 0.001 (best so far)" in text
    assert text.count("(best so far)") >= 2
    assert "\x1b" not in text
    assert all(line.startswith("[") for line in text.splitlines())


def test_the_display_shows_counts_best_and_what_trains(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=12)
        console = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None)
        drawn = display.watch(console, display.Tally(study, 20, 3600, 1))
        running = Strategy(study).ask()
        drawn.started(running)
        for epoch in (1, 2):
            losses = {"train_loss": 1.0, "validation_loss": 1.0, "validation_height": 1 / epoch}
            entry = {"epoch": epoch, "seconds": 0.1, "time": 1e9, **losses}
            study.report(running.number, entry)
            drawn.reported(study.trial(running.number))
        console.print(drawn.get_renderable())
        text, best = console.file.getvalue(), study.best()
    completed = sum(trial.state == "completed" for trial in study.trials())
    assert (
        f"12 of 20 trials: {completed} completed" in text
        and "1 training, 0 paused" in text
        and " left" in text
    )
    assert f"best so far: height {best.score:.4g} ± 0.001 (trial {best.number}, one seed)" in text
    assert "12     2/5    0.5" in text and "█▁" in text


def test_of_many_that_train_the_display_shows_a_few(bowl):
    with open_study(here(), bowl) as study:
        console = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None)
        drawn = display.watch(console, display.Tally(study, 100, 3600, 20))
        for _ in range(display.MAX_ROWS + 4):
            drawn.started(Strategy(study).ask())
        console.print(drawn.get_renderable())
        text = console.file.getvalue()
    assert text.count("0/5") == display.MAX_ROWS and "and 4 more" in text


def test_a_terminal_gets_a_display_and_a_line_for_each_trial(bowl):
    with open_study(here(), bowl) as study:
        text, drawn = shown(study, 6, terminal=True)
    assert isinstance(drawn, display.Display)
    assert all(f"trial {number} " in text for number in range(6))
    assert "6 of 6 trials" in text


def test_time_left_is_that_of_the_nearer_limit(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=4)
        assert display.Tally(study, 4, 100, 1).seconds_left() == 0
        far = display.Tally(study, 10**9, 100, 1).seconds_left()
        near = display.Tally(study, 5, 100, 1).seconds_left()
        none = display.Tally(study, float("inf"), float("inf"), 1).seconds_left()
    assert 90 < far <= 100 and 0 < near < 10 and none is None


def test_time_left_while_it_searches_includes_the_replicates_that_follow(bowl, tell):
    with open_study(here(), bowl) as study:
        tell(study, 0.5)  # 5 epochs of 0.1 s
        tell(study, 0.4)
        alone = display.Tally(study, 4, 100, 1).seconds_left()
        followed = display.Tally(study, 4, 100, 1, replicates=5).seconds_left()
        by_two = display.Tally(study, 4, 100, 2, replicates=5).seconds_left()
    assert (alone, followed, by_two) == pytest.approx((1.0, 1.0 + 3 * 5 * 0.5, 0.5 + 3 * 5 * 0.5 / 2))


def test_time_left_of_replicates_is_that_of_all_replicates_from_the_start(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=4)
        few = study.completed()[:3]
        left = [display.ReplicateTally(study, few, 2, 1).seconds_left()]
        assert left[0] == pytest.approx(2 * sum(trial.seconds for trial in few))
        confirm(study, Inline(study), replicates=2)
        left.append(display.ReplicateTally(study, few, 2, 1).seconds_left())
    assert left[1] < left[0]


@pytest.mark.parametrize(
    "values, bars",
    [
        ([], ""),
        ([1], "▁"),
        ([1, 2], "▁█"),
        ([2, 1], "█▁"),
        ([1, 10, 100], "▁▅█"),
        ([-1, 0, 1], "▁▅█"),
        ([0] * 3, "▁▁▁"),
    ],
)
def test_sparkline(values, bars):
    assert display.sparkline(values) == bars
