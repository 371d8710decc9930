"""The frozen winners graded as the course grades: trained from scratch, checked, scored on test data.

What is graded is the frozen script itself: it is loaded by its path, and its own code trains.
"""

import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch

from data import DataError, digest, read
from objectives.replay import THREADS
from search import paths, tasks
from search.cli.display import duration
from search.course import checks
from search.course.scoring import Mark, lines, points, table
from search.errors import NoWinner, unknown
from search.frozen_script import files


class Question(NamedTuple):
    """A question of the course."""

    task: str
    points: int
    bars: dict  # split that is scored -> the score that is asked for there; None where it is only shown
    checks: Callable  # of a Trained: pairs of what is checked and whether it holds


QUESTIONS = {
    "q1": Question("perceptron", 6, {"test": None}, checks.perceptron),
    "q2": Question("regression", 6, {"train": 0.02, "test": 0.02}, checks.regression),
    "q3": Question("digits", 6, {"test": 0.97}, checks.digits),
    "q4": Question("langid", 7, {"test": 0.81}, checks.langid),
    "q5": Question("convolution", 4, {"train": 0.8, "test": None}, checks.convolution),  # as the course
    "q6": Question("attention", 2, {"test": None}, checks.attention),
    "q7": Question("chargpt", 0, {"test": None}, checks.chargpt),
}


class Exam(NamedTuple):
    """A question, the script that answers it and its data, before anything is trained."""

    name: str
    question: Question
    script: object  # the frozen script, as a module
    source: str  # of the data
    digest: str
    splits: dict  # "train", "validation" and "test"

    @property
    def title(self):
        return f"{self.name} {self.question.task}"


class Trained(NamedTuple):
    """A training that has ended."""

    script: object
    config: object
    model: torch.nn.Module
    splits: dict
    seconds: float  # without what was spent on showing it


def named(text):
    """The questions that a text such as "q4" or "q1,q3" names, in their order. Raises UsageError."""
    typed = [part.strip().lower() for part in text.split(",")]
    for name in typed:
        if name not in QUESTIONS:
            raise unknown("Q", name, QUESTIONS)
    return [name for name in QUESTIONS if name in typed]


def grade(console, names, source=None, seeds=None, graphics=True):
    """Grade these questions and show the result. Returns the exit code: 0 where all points are reached.

    Args:
        names: of QUESTIONS.
        source: which data, for the tasks that have that source; the others take their default.
        seeds: train with each of the seeds 1..seeds; None for the frozen script's own seed.
        graphics: whether to draw the networks while they train.

    Raises UsageError, DataError or NoWinner, before anything is trained.
    """
    torch.set_num_threads(THREADS)
    exams = prepare(names, source)
    window = _window() if graphics else None
    marks = [_sit(console, exam, seeds, window) for exam in exams]
    if window:
        window.close()
    console.print("", table(exams, marks), "", sep="\n")
    reached = sum(map(points, exams, marks))
    possible = sum(exam.question.points for exam in exams)
    took = duration(sum(mark.seconds for marked in marks for mark in marked))
    console.print(f"{reached} of {possible} points; training took {took}.", style="bold", highlight=False)
    console.print(
        "These are test data: grade to know how good the winners are, not to choose by it.", soft_wrap=True
    )
    return 0 if reached == possible else 1


def prepare(names, source=None):
    """An Exam for each question. Raises UsageError, DataError or NoWinner."""
    modules = {name: tasks.find(QUESTIONS[name].task).DATA for name in names}
    sources = {each for module in modules.values() for each in module.SOURCES}
    if source is not None and source not in sources:
        raise unknown("DATA", source, sources)
    scripts = {name: load(files.find(QUESTIONS[name].task)) for name in names}
    exams = []
    for name, module in modules.items():
        chosen = source if source in module.SOURCES else module.default_source()
        arrays = read(module.prepare(chosen))
        splits = _splits(scripts[name], arrays)
        exams.append(Exam(name, QUESTIONS[name], scripts[name], chosen, digest(arrays), splits))
    return exams


def load(path):
    """The frozen script in a file, as a module that no import finds. Raises NoWinner.

    Its `network` is the one that its `build` returned last: so it can be drawn while it trains.
    """
    spec = importlib.util.spec_from_file_location(f"_{path.stem}_graded", path)
    script = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look it up
    try:
        spec.loader.exec_module(script)
        build = script.build
    except Exception as error:  # whatever is wrong with the file
        raise NoWinner(f"{path} is no frozen script: {type(error).__name__}: {error}") from None

    def remembered(config):
        script.network = build(config)
        return script.network

    script.build = remembered
    return script


def _splits(script, arrays):
    try:
        return {split: script.load(arrays, split) for split in ("train", "validation", "test")}
    except script.DataError as error:  # the script has one of its own
        raise DataError(str(error)) from None


def _window():
    """Where the networks are drawn. Only here is matplotlib imported."""
    from search.course.pictures import Window

    return Window()


def _sit(console, exam, seeds, window):
    """Train and mark a question, once for each seed, and show how it goes. Returns the marks."""
    config = exam.script.Config()
    configs = [replace(config, seed=seed) for seed in range(1, seeds + 1)] if seeds else [config]
    if window and not window.knows(exam.question.task):
        window = None
    marks = []
    for chosen in configs:
        console.print(f"{exam.title}: training on data {exam.source}, seed {chosen.seed}", highlight=False)
        with console.status(exam.title) as status:
            watch = Watch(exam, chosen, status, window)
            marks.append(mark(exam, chosen, watch))
    for line in lines(marks):
        console.print(line, soft_wrap=True)
    if window and watch.metrics:
        path = window.write(paths.pictures() / f"{exam.name}.png")
        console.print(f"  its picture: {path}", highlight=False, soft_wrap=True)
    if "sample" in watch.metrics:
        console.print(f"  what it writes: {watch.metrics['sample']}", markup=False, highlight=False)
    return marks


class Watch:
    """What a training reports to: it says how far that is, and draws the network where there is a window.

    `metrics` are those reported last, `seconds` is the time that all this took.
    """

    def __init__(self, exam, config, status, window=None):
        self._exam, self._config, self._status, self._window = exam, config, status, window
        self.metrics, self.seconds = {}, 0.0

    def __call__(self, epoch, metrics):
        began, metric = time.perf_counter(), f"validation_{self._exam.script.RECORD['metric']}"
        self.metrics = metrics
        shown = f"{metric.replace('_', ' ')} {metrics[metric]:.4g}"
        self._line = f"{self._exam.title}, epoch {epoch} of {self._config.epochs}: {shown}"
        self._status.update(self._line)
        if self._window:
            self._window.show(*self._seen())
        self.seconds += time.perf_counter() - began

    def ended(self):
        """Draw the network as it is now."""
        if self._window and self.metrics:
            self._window.draw(*self._seen())

    def _seen(self):
        return self._exam.question.task, self._exam.script.network, self._exam.splits, self._line


def mark(exam, config, watch):
    """Train, check and score one configuration. An error of the script is one more check, that it fails."""
    script, question, found, scores, seconds = exam.script, exam.question, {}, {}, 0.0
    began = time.perf_counter()
    try:
        if hasattr(script, "seed_all"):  # scripts of earlier versions leave it to their task
            script.seed_all(config.seed)
        model = script.train(config, exam.splits["train"], exam.splits["validation"], watch)
        seconds = time.perf_counter() - began - watch.seconds
        with torch.no_grad():
            found |= question.checks(Trained(script, config, model, exam.splits, seconds))
        for split, bar in question.bars.items():
            scores[split] = script.score(model, exam.splits[split])
            if bar is not None:
                found |= [_against(script.RECORD, split, scores[split][0], bar)]
        watch.ended()
    except Exception as error:  # of whatever kind
        message = " ".join(f"{type(error).__name__}: {error}".split())
        found[f"runs without an error ({message[:200]})"] = False
    return Mark(found, scores, seconds)


def _against(record, split, score, bar):
    """A check: whether a score reaches its bar."""
    higher = record["direction"] == "maximize"
    sentence = f"{split} {record['metric']} {bar:g} or {'more' if higher else 'less'}"
    return sentence, score >= bar if higher else score <= bar
