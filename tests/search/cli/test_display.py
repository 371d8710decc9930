"""What a person sees while a search runs."""

import io
import math

import pytest
from rich.console import Console
from stores import here

from search.cli import display
from search.coordinator import confirm, search
from search.executors.inline import Inline
from search.strategy import winner
from search.strategy.strategy import Strategy
from search.study.opening import open_study


def shown(study, trials, terminal, verbose=False):
    """What is printed during a search, and what was drawn last."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160, color_system=None)
    with display.watch(console, display.Tally(study, trials, 3570), verbose) as shown_display:
        search(study, Inline(study), trials=trials, watchers=[shown_display])
    return console.file.getvalue(), shown_display


def lines(study, **options):
    """A display of lines, and a function that gives what it printed."""
    console = Console(file=io.StringIO(), width=160, color_system=None)
    return display.Lines(console, display.Tally(study, 100, 3570), **options), console.file.getvalue


def test_lines_verbose_tell_each_event(bowl):
    with open_study(here(), bowl) as study:
        text, _ = shown(study, 12, terminal=False, verbose=True)
        trials = list(study.trials())
    for trial in trials:
        assert f"trial {trial.number} starts ({trial.proposal}): x " in text
        assert f"trial {trial.number} {trial.state}" in text
    assert "trial 0 completed" in text and "0.45 ± 0.001; trial 0 leads with 0.45 ± " in text
    assert text.count(" leads with ") >= 2
    assert "\x1b" not in text
    assert all(line.startswith("[") for line in text.splitlines())


def test_lines_print_a_line_for_news_only(bowl):
    with open_study(here(), bowl) as study:
        text, _ = shown(study, 12, terminal=False)
        trials = list(study.trials())
    assert any(trial.state == "pruned" for trial in trials)
    assert "starts" not in text and "epoch" not in text and "pruned" not in text
    assert text.splitlines() and all(" leads with " in line for line in text.splitlines())


def test_lines_of_fresh_seeds_are_news(searched):
    watcher, printed = lines(searched)
    confirm(searched, Inline(searched), replicates=2, watchers=[watcher])
    fresh = [trial for trial in searched.trials() if trial.replicate_of is not None]
    assert fresh and len(printed().splitlines()) == len(fresh)
    for trial in fresh:
        assert f"trial {trial.number} completed on a fresh seed of trial {trial.replicate_of}" in printed()


@pytest.mark.parametrize("mood, state", [("late nan", "diverged"), ("error", "failed")])
def test_lines_of_what_diverged_or_failed_are_news(moody, mood, state):
    with open_study(here(), moody(mood)) as study:
        text, _ = shown(study, 12, terminal=False)
        ended = [trial for trial in study.trials() if trial.state == state]
    assert ended and all(f"trial {trial.number} {state} after " in text for trial in ended)


def test_lines_of_progress_have_counts_leader_and_time(bowl):
    with open_study(here(), bowl) as study:
        watcher, printed = lines(study, every=0)
        search(study, Inline(study), trials=12, watchers=[watcher])
        leader = winner.choose(study)
        last = printed().splitlines()[-1]
    states = f"{len(study.completed())} completed"
    assert last.startswith("[12/100, at most 59 min") and f"left] {states}, " in last
    assert ", 0 training, 0 paused, 0 on fresh seeds; leader, not confirmed yet: height " in last
    assert f"{leader.mean:.4g} ± {leader.standard_error:.2g} (trial {leader.trial.number}, " in last


def test_lines_of_progress_come_one_in_so_many_seconds(bowl):
    with open_study(here(), bowl) as study:
        watcher, printed = lines(study, every=3600)
        search(study, Inline(study), trials=12, watchers=[watcher])
        rare = printed()
    assert "training" not in rare and " leads with " in rare


def test_the_display_shows_counts_leader_and_what_trains(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=12)
        console = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None)
        drawn = display.watch(console, display.Tally(study, 20, 3570))
        running = Strategy(study).ask()
        drawn.started(running)
        for epoch in (1, 2):
            losses = {"train_loss": 1.0, "validation_loss": 1.0, "validation_height": 1 / epoch}
            entry = {"epoch": epoch, "seconds": 0.1, "time": 1e9, **losses}
            study.report(running.number, entry)
            drawn.reported(study.trial(running.number))
        console.print(drawn.get_renderable())
        text, leader = console.file.getvalue(), winner.choose(study)
    completed = sum(trial.state == "completed" for trial in study.trials())
    assert (
        f"12 of 20 trials: {completed} completed" in text
        and "1 training, 0 paused, 0 on fresh seeds" in text
        and "at most 59 min" in text
    )
    estimate = f"{leader.mean:.4g} ± {leader.standard_error:.2g}"
    assert f"leader, not confirmed yet: height {estimate} (trial {leader.trial.number}, 1 seed;" in text
    assert "12     2/5    0.5" in text and "█▁" in text


def test_the_display_of_a_confirmed_leader_says_how_many_seeds(searched):
    confirm(searched, Inline(searched), replicates=2)
    leader = winner.choose(searched)
    shown = display.Tally(searched, 20, 3570).leader()
    estimate = f"height {leader.mean:.4g} ± {leader.standard_error:.2g}"
    assert leader.confirmed and shown.startswith(f"leader: {estimate} (trial {leader.trial.number}, 3 seeds;")


def test_of_many_that_train_the_display_shows_a_few(bowl):
    with open_study(here(), bowl) as study:
        console = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None)
        drawn = display.watch(console, display.Tally(study, 100, 3570))
        for _ in range(display.MAX_ROWS + 4):
            drawn.started(Strategy(study).ask())
        console.print(drawn.get_renderable())
        text = console.file.getvalue()
    assert text.count("0/5") == display.MAX_ROWS and "and 4 more" in text


def test_a_terminal_gets_a_display_and_a_line_for_news(bowl):
    with open_study(here(), bowl) as study:
        text, drawn = shown(study, 6, terminal=True)
    assert isinstance(drawn, display.Display)
    assert "trial 0 completed" in text and "; trial 0 leads with " in text
    assert " pruned after " not in text and " starts " not in text
    assert "6 of 6 trials" in text


def test_a_terminal_gets_all_lines_if_it_asks_for_them(bowl):
    with open_study(here(), bowl) as study:
        text, drawn = shown(study, 6, terminal=True, verbose=True)
    assert isinstance(drawn, display.Lines) and "trial 5 starts " in text


def test_time_left_is_that_of_the_whole_search(bowl):
    with open_study(here(), bowl) as study:
        limited = display.Tally(study, 4, 100)
        assert 90 < limited.seconds_left() <= 100 and 0 <= limited.seconds_passed() < 10
        assert display.Tally(study, 4, math.inf).seconds_left() is None


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
