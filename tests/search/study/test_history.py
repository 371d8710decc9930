"""What a study has tried, kept up to date trial by trial, against the same counted afresh."""

import itertools

from stores import here

from search.coordinator import search
from search.executors.inline import Inline
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.stored import StoredStudy


def test_it_says_at_every_trial_what_counting_afresh_says(moody):
    with open_study(here(), moody("late nan", "error")) as study:
        for trials in range(1, 13):
            count = iter(range(2))
            search(study, Inline(study), trials=trials, stopping=lambda: next(count, 2) == 1)  # noqa: B023
            search(study, Inline(study), trials=trials)
            assert study.n_finished() == trials
            if trials == 6:
                finished = [number for number in (1, 2) if not is_to_be_retried(study.trial(number))]
                study.void("void", [1, 2], "the mask was wrong")
                assert study.n_finished() == 6 - len(finished)
            seen, afresh = study, StoredStudy.read(here(), study.name)
            assert list(seen.trials()) == list(afresh.trials())
            assert seen.completed() == afresh.completed()
            ranked = sorted((t for t in seen.history() if t.state == "completed"), key=seen.sort_key)
            assert seen.completed() == ranked
            ended = [trial for trial in seen.history() if trial.state not in ("running", "interrupted")]
            assert seen.n_finished() == afresh.n_finished() == len(ended)
            latest = {trial.draw: trial for trial in seen.history()}
            free = (
                draw for draw in itertools.count() if draw not in latest or is_to_be_retried(latest[draw])
            )
            assert seen.tried().next_draw()[0] == next(free)


def is_to_be_retried(trial):
    return trial.state == "interrupted"


def test_draws_that_were_interrupted_are_drawn_first_the_earliest_of_them_before(bowl):
    with open_study(here(), bowl) as study:
        for draw in range(4):
            assert Strategy(study).ask().draw == draw
        for number in (2, 1):
            study.tell(number, "interrupted", "told so")
        again = [Strategy(study).ask() for _ in range(3)]
        assert [(trial.draw, trial.retry_of) for trial in again] == [(1, 1), (2, 2), (4, None)]


def test_a_study_that_is_looked_at_follows_its_search(bowl):
    with open_study(here(), bowl) as study:
        reader = StoredStudy.read(here(), study.name)
        asked = Strategy(study).ask()
        assert [trial.state for trial in reader.trials()] == ["running"] and reader.n_finished() == 0
        losses = {"train_loss": 2.0, "validation_loss": 2.0, "validation_height": 2.0}
        study.report(asked.number, {"epoch": 1, "seconds": 0.1, "time": 1e9, **losses})
        assert [len(trial.curve) for trial in reader.trials()] == [1]
        study.tell(asked.number, "completed", "told so", (2.0, 0.1))
        assert reader.n_finished() == 1 and reader.best() == study.best()
