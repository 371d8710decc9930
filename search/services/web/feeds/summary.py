"""What a study holds now, as it is shown: its trials with their estimates, and the winner with its odds."""

import json
import math
from collections import Counter
from functools import cached_property

from search.client.models import Progress, Trial, Winner
from search.errors import NoWinner
from search.reports import plots, tables
from search.reports.evidence import Evidence
from search.services.queue.tables import Search
from search.services.web.feeds.events import EventLog
from search.storage import StudyStore
from search.strategy import explain, winner
from search.strategy.assessment import Assessment, Limits
from search.strategy.estimates.posterior import Posterior
from search.study import trial as trials
from search.study.stored import StoredStudy


class Summary:
    """What a study holds at one moment.

    Args:
        study: to read; it does not change meanwhile.
    """

    def __init__(self, study: StoredStudy) -> None:
        self.study, self.assessment = study, Assessment(study)

    @property
    def posterior(self) -> Posterior:
        """The estimates of all configurations."""
        return self.assessment.knowledge.posterior

    @cached_property
    def trials(self) -> list[Trial]:
        """All trials by number."""
        estimates, scale = self.posterior.by_trial(), self.posterior.scale
        shown = []
        for each in self.study.trials():
            known = estimates.get(each.number)
            shown.append(
                _trial(
                    each,
                    self.study.description.score_name,
                    estimate=_finite(scale.score(known.mean)) if known else None,
                    error=_finite(scale.error(known.mean, known.deviation)) if known else None,
                    seeds=known.n_seeds if known else 0,
                )
            )
        return shown

    @cached_property
    def figures(self) -> str:
        """The plots that a page draws while the search goes on, by name, as JSON."""
        evidence = Evidence(self.study)
        drawn = {"curves": plots.curves(evidence)} if evidence.points else {}
        drawn |= {"history": plots.history(evidence)} if evidence.estimated else {}
        each = (f"{json.dumps(name)}: {plots.json_of(plot.figure)}" for name, plot in drawn.items())
        return "{" + ", ".join(each) + "}"

    def winner(self, search: Search) -> Winner:
        """The winner so far, and the odds. Raises NoWinner."""
        candidate = winner.choose(self.study, self.posterior)
        now = self.assessment.situation(_limits(search))
        return Winner(
            trial=candidate.trial.number,
            metric=self.study.description.metric,
            estimate=candidate.mean,
            standard_error=candidate.standard_error,
            seeds=candidate.known.n_seeds,
            confirmed=candidate.confirmed,
            expected_loss=tables.loss(self.study, candidate),
            config=candidate.trial.config,
            params=candidate.trial.params,
            weights=candidate.trial.weights,
            seconds=candidate.seconds,
            odds=explain.odds(self.assessment, now),
        )

    def progress(self, search: Search) -> Progress:
        """How the search stands."""
        running = [each for each in self.trials if each.state == trials.TrialState.RUNNING]
        kinds = Counter(each.kind for each in self.trials if each.state != trials.TrialState.RUNNING)
        try:
            leader = self.winner(search)
        except NoWinner:
            leader = None
        return Progress(
            finished=self.study.n_finished(),
            training=sum(not each.paused for each in running),
            paused=sum(each.paused for each in running),
            fresh_seeds=kinds["replicates"],
            kinds=dict(kinds),
            expected_end=search.expected_end,
            winner=leader,
        )


class Summaries:
    """The latest summary of a study, which is made again once the study has changed."""

    def __init__(self, store: StudyStore, name: str) -> None:
        self._store, self._name = store, name
        self._n_records = self._n_void = -1
        self._study: StoredStudy | None = None
        self._summary: Summary | None = None

    def of(self, log: EventLog) -> Summary | None:
        """The summary of the study as its events have it; None if it was not created yet."""
        if log.records is None:
            return None
        n_void = log.count("void")
        if self._study is None or n_void != self._n_void:  # other trials count than before
            # Of the same records: what they do not hold yet, a database is not asked for.
            self._study, self._n_void = StoredStudy(self._store, self._name, log.records), n_void
        if self._summary is None or log.n_records != self._n_records:
            self._summary, self._n_records = Summary(self._study), log.n_records
        return self._summary


def _limits(search: Search) -> Limits:
    return Limits(
        trials=search.trials or math.inf,
        replicates=winner.REPLICATES,
        threshold=search.threshold,
        stops=True,
        jobs=max(1, search.jobs),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _trial(
    each: trials.Trial, score_name: str, *, estimate: float | None, error: float | None, seeds: int
) -> Trial:
    return Trial(
        number=each.number,
        state=str(each.state),
        kind=each.kind,
        paused=each.paused,
        replicate_of=each.replicate_of,
        params=each.params,
        epochs=each.epochs,
        of_epochs=each.config.get("epochs"),
        latest=_finite(each.curve[-1][score_name]) if each.curve else None,
        score=each.score,
        standard_error=each.standard_error,
        estimate=estimate,
        estimate_standard_error=error,
        seeds=seeds,
        seconds=each.seconds,
        weights=each.weights,
        why_tried=each.proposal,
        why_ended=each.reason,
        void=str(each.void or ""),
    )
