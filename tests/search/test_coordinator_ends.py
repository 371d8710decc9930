"""How a search ends: by its time, by its winner, or by itself."""

from heard import Watcher, entry
from stores import here

from search.coordinator import Clock, confirm, search
from search.executors.inline import Inline
from search.strategy import winner
from search.strategy.assessment import MIN_DRAWS, Limits
from search.strategy.strategy import Strategy
from search.study.opening import open_study


def test_it_stops_when_the_time_is_over(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), seconds=0)
        assert study.n_finished() == 0
        search(study, Inline(study), seconds=0.2)
        states = [trial.state for trial in study.trials()]
    assert states and "running" not in states
    assert states.count("interrupted") <= 1


def test_what_is_interrupted_is_closed_and_retried(bowl):
    watcher = Watcher()
    with open_study(here(), bowl) as study:
        search(study, Inline(study), watchers=[watcher], stopping=lambda: len(watcher.heard) >= 3)
        assert study.trial(0).state == "interrupted"
        assert study.trial(0).reason == "the search was stopped"
        assert watcher.heard[-1] == ("finished", 0, "interrupted")
        search(study, Inline(study), trials=2)
        assert study.trial(1).retry_of == 0
        assert study.trial(1).config == study.trial(0).config


def test_the_leader_is_confirmed_on_fresh_seeds_and_no_more_than_is_needed(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=12)
        confirm(study, Inline(study), replicates=3)
        replicates = [trial for trial in study.trials() if trial.replicate_of is not None]
        won = winner.choose(study)
        assert won.confirmed and won.trial == study.best() and study.n_finished() == 12
        assert len(replicates) < 12 and {trial.replicate for trial in replicates} <= {1, 2, 3}
        confirm(study, Inline(study), replicates=3)
        assert len(list(study.trials())) == 12 + len(replicates)


def test_replicates_that_were_interrupted_are_made_up_for(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), trials=4)
        watcher = Watcher()
        confirm(
            study, Inline(study), replicates=2, watchers=[watcher], stopping=lambda: len(watcher.heard) >= 2
        )
        assert [trial.state for trial in study.trials()].count("interrupted") == 1
        confirm(study, Inline(study), replicates=2)
        lost = next(trial for trial in study.trials() if trial.state == "interrupted")
        again = [
            (trial.replicate_of, trial.replicate) for trial in study.trials() if trial.state == "completed"
        ]
        assert (lost.replicate_of, lost.replicate) in again and winner.choose(study).confirmed


def test_a_search_confirms_as_it_goes_and_stops_by_itself(bowl, monkeypatch):
    monkeypatch.setattr(bowl, "MEANINGFUL_DIFFERENCE", 1.0, raising=False)  # half as high is no better
    with open_study(here(), bowl) as study:
        strategy = search(study, Inline(study), replicates=2, stops=True)
        kinds = [trial.replicate_of is not None for trial in study.trials()]
        assert winner.choose(study).confirmed and winner.choose(study).mean < 0.05
        assert kinds.index(True) < MIN_DRAWS  # long before the end
        assert strategy.outlook(strategy.situation(Limits(replicates=2))).odds > 0.5


def test_a_search_is_over_once_its_threshold_is_surely_reached(bowl):
    with open_study(here(), bowl) as study:
        search(study, Inline(study), replicates=2, threshold=0.5, stops=True)
        assert study.n_started() < MIN_DRAWS
        assert winner.cheapest(study, 0.5).mean < 0.5


def test_the_end_of_time_interrupts_no_trial_in_its_last_quarter(bowl):
    clock = Clock(seconds=0)
    with open_study(here(), bowl) as study:
        early, late = Strategy(study).ask(), Strategy(study).ask()
        for trial, epochs in ((early, 3), (late, 4)):
            for epoch in range(1, epochs + 1):
                study.report(trial.number, entry(epoch))
        assert clock.interrupts(study.trial(early.number)) == "the time was over"
        assert clock.interrupts(study.trial(late.number)) is None
        assert Clock(stopping=lambda: True).interrupts(study.trial(late.number)) == "the search was stopped"
