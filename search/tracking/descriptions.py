"""The descriptions of a task and of a study on MLflow's pages, in Markdown.

Also the view of a study's trials that MLflow opens with, and the addresses of its pages.
"""

import json
from collections.abc import Mapping
from typing import Any

from search import tasks
from search.errors import NoWinner
from search.primitives.text import MAX_VALUE_LETTERS, readable
from search.strategy import winner
from search.strategy.estimates.posterior import Posterior
from search.strategy.explain import optimism
from search.study.trial import number_ranges
from search.study.view import StudyView
from search.tasks import Task
from search.tracking import log_names

COLUMNS = 20  # hyperparameters that the view shows, at the most: MLflow keeps no longer one
READING = """Each study is a run, and each of its trials a run below it.

| what | where |
|---|---|
| `estimate` | the expected score of the configuration over seeds; its standard error is beside it |
| `score` | of the trained model on validation data; trials that trained to the end have one |
| `winner` | a tag of the winner's run: confirmed on fresh seeds, or not yet |
| `state` | completed, pruned (it fell behind), diverged, failed or interrupted |
| `kind` | trial, or repeat: the configuration of a trial once more, on a fresh seed |
| `why tried`, `why ended` | in words |
| `best_...`, `last_...` | of a curve, its best and its last value |
| `confirmed_mean` | of the repeats of a configuration; its standard error is beside it |
"""


def of_task(task: Task) -> str:
    """Describe an experiment: what the task asks, and how its runs are read."""
    better = "higher" if task.DIRECTION == "maximize" else "lower"
    return f"{_question(task)}\n\nThe {better} the {task.METRIC}, the better. {READING}"


def of_study(study: StudyView, link: str | None = None, posterior: Posterior | None = None) -> str:
    """Describe a study: its question, data, limits and winner, and how its runs are read.

    Args:
        link: the address of its trials.
        posterior: that of the study, if it is known.
    """
    about, ways = study.description, {"maximize": "the higher the better", "minimize": "the lower the better"}
    space = [
        f"| `{name}` | {readable(tasks.describe(range_), MAX_VALUE_LETTERS)} |"
        for name, range_ in study.ranges().items()
    ]
    paragraphs = [
        f"**{_question(study.task).splitlines()[0]}**",
        _winner(study, posterior),
        f"Score: {about.metric} on validation data, {ways[about.direction]}. Data: {about.source}, "
        f"digest {about.digest}. Seed {about.seed}. {_limits(study.budget())}",
        "\n".join(["| searched | range |", "|---|---|", *space]),
    ]
    if link:
        paragraphs.insert(
            2, f"[All trials, the best first]({link}). Mark some, and choose the chart above them."
        )
    if void := [trial.number for trial in study.trials() if trial.void]:
        paragraphs.append(f"Void, and not learned from: trials {number_ranges(void)}.")
    if sentence := log_names.sentence(study.trials()):
        paragraphs.append(sentence)
    return "\n\n".join(paragraphs)


def view(study: StudyView) -> str:
    """How MLflow shows a study's configurations: a list, the best estimate first.

    MLflow puts all metrics before the hyperparameters, so few metrics are shown. Replicates are left out:
    they have the estimate of their configuration, and would stand before it.
    """
    shown = [("metrics", name) for name in ("estimate", "estimate_standard_error", "score")]
    params = log_names.param_names(tuple(study.ranges())).values()
    shown += [("params", name) for name in list(params)[:COLUMNS]]
    shown += [("tags", name) for name in ("winner", "state", "why ended")]
    return json.dumps(
        {
            "searchFilter": f"tags.study = '{study.name}' AND tags.kind = 'trial'",
            "orderByKey": "metrics.`estimate`",
            "orderByAsc": study.sign < 0,
            "selectedColumns": [f"{kind}.`{name}`" for kind, name in shown],
            "hideEmptyCharts": True,
        }
    )


def page(experiment: str, study_name: str) -> str:
    """The address of a study's `view`, within MLflow's pages."""
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={study_name}"


def _question(task: Task) -> str:
    return tasks.doc_of(task)


def _winner(study: StudyView, posterior: Posterior | None) -> str:
    """The winner, with its uncertainty, or why there is none."""
    try:
        candidate = winner.choose(study, posterior)
    except NoWinner as none:
        return f"No winner: {none}."
    trial, metric = candidate.trial, study.description.metric
    first = f"{trial.score:.4g} ± {trial.standard_error:.2g}"
    if not candidate.confirmed:
        return f"Winner so far: trial {trial.number}, {metric} {first} with one seed, and so optimistic."
    mean = f"{metric} **{candidate.mean:.4g} ± {candidate.standard_error:.2g}**"
    seeds = f"the estimate from {candidate.known.n_seeds} seeds"
    misled = optimism(candidate, study.description)
    return f"Winner: trial {trial.number}, {mean} ({seeds}; first {first}, {misled})."


def _limits(budget: Mapping[str, Any]) -> str:
    """A budget in words."""
    limits = [f"{budget['trials']} trials"] if budget.get("trials") else []
    limits += [f"{budget['seconds']:g} seconds"] if budget.get("seconds") else []
    return f"Budget: {' or '.join(limits)}." if limits else "No budget was set."
