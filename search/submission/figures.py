"""The figures of a study, which `report.txt` holds: one function, for the writer and for the check.

Both read them from a StudyView of the trials in the zip, so a figure depends on nothing else.
"""

import json
import math
import statistics
from collections import Counter

from search import tasks
from search.strategy.winner import Candidate
from search.study.trial import KINDS
from search.study.view import StudyView

Figure = float | None
Figures = dict[str, Figure]
NAMES_OF_0_1 = {"repeats": "replicates", "aside": "superseded"}  # in a report.txt that version 0.1 wrote


def figures(view: StudyView, candidate: Candidate) -> Figures:
    """The figures of a study by name. Its trials have all ended.

    Args:
        candidate: the study's winner.
    """
    trials, completed, won = list(view.trials()), view.completed(), candidate.trial
    kinds = Counter(trial.kind for trial in trials)
    first = next((trial for trial in trials if trial.draw == 0), trials[0])
    return {
        "trials": len(trials),
        **{kind: kinds[kind] for kind in KINDS},
        "epochs": sum(len(trial.curve) for trial in trials),
        "seconds": math.fsum(trial.seconds for trial in trials),
        "share diverged": kinds["diverged"] / len(view.history()),
        "baseline score": first.score if first.counts else None,
        "median score": statistics.median(trial.score for trial in completed if trial.score is not None),
        "best trial": completed[0].number,
        "best score": completed[0].score,
        "best score's standard error": completed[0].standard_error,
        "winner": won.number,
        "winner's weights": won.weights,
        "winner's first score": won.score,
        "winner's repeats": len(candidate.scores),
        "winner's mean": candidate.mean if candidate.confirmed else None,
        "winner's standard error": candidate.standard_error,
        "looks at the test data": len(view.test_evaluations()),
    }


def text_of(view: StudyView, candidate: Candidate) -> str:
    """The text of `report.txt`: its heading, then one figure a line."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in figures(view, candidate).items()]
    return "\n".join([heading(view), "", *lines]) + "\n"


def heading(view: StudyView) -> str:
    """The lines above the figures: the question, the study, and how to read the figures."""
    about, better = view.description, "higher" if view.sign > 0 else "lower"
    return "\n".join(
        [
            tasks.question_of(view.task),
            f"Study {view.name}, data {about.source} ({about.digest}).",
            f"Scores are validation {about.metric}; {better} is better.",
            "Replicates and void trials count only as such.",
            "`make check-handin ZIP=` computes each figure again from trials.json.",
        ]
    )


def parsed(text: str) -> tuple[str, Figures]:
    """The heading and the figures of a `report.txt`, by today's names. Raises ValueError."""
    above, _, below = text.rstrip().rpartition("\n\n")
    pairs = [line.partition(": ")[::2] for line in below.splitlines()]
    stated = {NAMES_OF_0_1.get(name, name): json.loads(value) for name, value in pairs}
    if len(stated) < len(pairs):
        raise ValueError("a figure is stated twice")
    return above, stated
