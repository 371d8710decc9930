"""Grade the frozen winners as the course does: train from scratch, check, score on the test data.

The frozen script itself is graded: it is loaded by its path, and its own code trains.
"""

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from numpy import ndarray
from rich.console import Console
from rich.status import Status

from data import DataError, digest, read
from objectives.replay import THREADS
from search import paths, tasks
from search.course import checks
from search.course.scoring import QuestionResult, lines, points, table
from search.errors import NoWinner, unknown
from search.frozen_script import files
from search.primitives.text import duration, one_line

if TYPE_CHECKING:  # matplotlib is imported only where networks are drawn
    from search.course.pictures import Window


class Question(NamedTuple):
    """A question of the course."""

    task: str
    points: int
    thresholds: dict[str, float | None]  # scored split -> the score asked for; None: it is only shown
    checks: "Callable[[Trained], Iterator[tuple[str, bool]]]"  # sentences, and whether each holds


QUESTIONS = {
    "q1": Question("perceptron", 6, {"test": None}, checks.perceptron),
    "q2": Question("regression", 6, {"train": 0.02, "test": 0.02}, checks.regression),
    "q3": Question("digits", 6, {"test": 0.97}, checks.digits),
    "q4": Question("langid", 7, {"test": 0.81}, checks.langid),
    "q5": Question("convolution", 4, {"train": 0.8, "test": None}, checks.convolution),  # as the course
    "q6": Question("attention", 2, {"test": None}, checks.attention),
    "q7": Question("chargpt", 0, {"test": None}, checks.chargpt),
}


class LoadedQuestion(NamedTuple):
    """A question, the script that answers it, and its data."""

    name: str
    question: Question
    script: ModuleType  # the frozen script
    source: str  # of the data
    digest: str
    splits: dict[str, Any]  # "train", "validation" and "test"

    @property
    def title(self) -> str:
        return f"{self.name} {self.question.task}"


class Trained(NamedTuple):
    """A training that has ended."""

    script: ModuleType
    config: Any
    model: Any  # a network: each task's has attributes of its own
    splits: dict[str, Any]
    seconds: float  # without the time that the display took


def named(text: str) -> list[str]:
    """The questions that a text such as "q4" or "q1,q3" names, in the course's order. Raises UsageError."""
    typed = [part.strip().lower() for part in text.split(",")]
    for name in typed:
        if name not in QUESTIONS:
            raise unknown("Q", name, QUESTIONS)
    return [name for name in QUESTIONS if name in typed]


def grade(
    console: Console,
    names: Sequence[str],
    source: str | None = None,
    seeds: int | None = None,
    graphics: bool = True,
) -> int:
    """Grade questions and show the result. Returns the exit code: 0 where all points are reached.

    Args:
        console: shows the result.
        names: of QUESTIONS.
        source: of the data, for the tasks that have that source; the others take their default.
        seeds: train with each of the seeds 1..seeds; None: with the frozen script's own seed.
        graphics: whether to draw the networks while they train.

    Raises UsageError, DataError or NoWinner before any training begins.
    """
    torch.set_num_threads(THREADS)
    questions = prepare(names, source)
    window = _window() if graphics else None
    results = [_train_all(console, loaded, seeds, window) for loaded in questions]
    if window:
        window.close()
    console.print("", table(questions, results), "", sep="\n")
    reached = sum(map(points, questions, results))
    possible = sum(loaded.question.points for loaded in questions)
    took = duration(sum(result.seconds for own in results for result in own))
    console.print(f"{reached} of {possible} points; training took {took}.", style="bold", highlight=False)
    console.print(
        "These are test data: grade to learn how good the winners are, not to choose by it.", soft_wrap=True
    )
    return 0 if reached == possible else 1


def prepare(names: Sequence[str], source: str | None = None) -> list[LoadedQuestion]:
    """Load each question. Raises UsageError, DataError or NoWinner."""
    modules = {name: tasks.find(QUESTIONS[name].task).DATA for name in names}
    sources = {each for module in modules.values() for each in module.SOURCES}
    if source is not None and source not in sources:
        raise unknown("DATA", source, sources)
    scripts = {name: load(files.find(QUESTIONS[name].task)) for name in names}
    questions = []
    for name, module in modules.items():
        chosen = source if source and source in module.SOURCES else module.default_source()
        arrays = read(module.prepare(chosen))
        splits = _splits(scripts[name], arrays)
        script = scripts[name]
        questions.append(LoadedQuestion(name, QUESTIONS[name], script, chosen, digest(arrays), splits))
    return questions


def load(path: Path) -> ModuleType:
    """The frozen script in a file, as a module that no import finds. Raises NoWinner.

    Its `network` is the last one that its `build` returned, so that it can be drawn while it trains.
    """
    spec = importlib.util.spec_from_file_location(f"_{path.stem}_graded", path)
    assert spec is not None and spec.loader is not None, path
    script = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look it up
    try:
        spec.loader.exec_module(script)
        build = script.build
    except Exception as error:  # whatever is wrong with the file
        raise NoWinner(f"{path} is no frozen script: {type(error).__name__}: {error}") from None

    def remembered(config: Any) -> Any:
        network = build(config)
        vars(script)["network"] = network
        return network

    vars(script)["build"] = remembered
    return script


def _splits(script: ModuleType, arrays: Mapping[str, ndarray]) -> dict[str, Any]:
    try:
        return {split: script.load(arrays, split) for split in ("train", "validation", "test")}
    except script.DataError as error:  # the script has one of its own
        raise DataError(str(error)) from None


def _window() -> "Window":
    """A window to draw networks in. Only here is matplotlib imported."""
    from search.course.pictures import Window

    return Window()


def _train_all(
    console: Console, loaded: LoadedQuestion, seeds: int | None, window: "Window | None"
) -> list[QuestionResult]:
    """Train and check a question once for each seed, and show the progress. Returns the results."""
    config = loaded.script.Config()
    configs = [replace(config, seed=seed) for seed in range(1, seeds + 1)] if seeds else [config]
    if window and not window.knows(loaded.question.task):
        window = None
    results = []
    for chosen in configs:
        console.print(
            f"{loaded.title}: training on data {loaded.source}, seed {chosen.seed}", highlight=False
        )
        with console.status(loaded.title) as status:
            progress = Progress(loaded, chosen, status, window)
            results.append(train(loaded, chosen, progress))
    for line in lines(results):
        console.print(line, soft_wrap=True)
    if window and progress.metrics:
        path = window.write(paths.pictures() / f"{loaded.name}.png")
        console.print(f"  its picture: {path}", highlight=False, soft_wrap=True)
    if "sample" in progress.metrics:
        console.print(f"  what it writes: {progress.metrics['sample']}", markup=False, highlight=False)
    return results


class Progress:
    """The `report` of a training: it shows each epoch, and draws the network where there is a window.

    `metrics` are the last epoch's. `seconds` is the time that all this took.
    """

    def __init__(self, loaded: LoadedQuestion, config: Any, status: Status, window: "Window | None" = None):
        self._loaded, self._config, self._status, self._window = loaded, config, status, window
        self.metrics: Mapping[str, Any] = {}
        self.seconds = 0.0

    def __call__(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        began, metric = time.perf_counter(), f"validation_{self._loaded.script.RECORD['metric']}"
        self.metrics = metrics
        shown = f"{metric.replace('_', ' ')} {metrics[metric]:.4g}"
        self._line = f"{self._loaded.title}, epoch {epoch} of {self._config.epochs}: {shown}"
        self._status.update(self._line)
        if self._window:
            self._window.show(*self._shown())
        self.seconds += time.perf_counter() - began

    def ended(self) -> None:
        """Draw the network as it is now."""
        if self._window and self.metrics:
            self._window.draw(*self._shown())

    def _shown(self) -> tuple[str, torch.nn.Module, dict[str, Any], str]:
        return self._loaded.question.task, self._loaded.script.network, self._loaded.splits, self._line


def train(loaded: LoadedQuestion, config: Any, progress: Progress) -> QuestionResult:
    """Train, check and score one configuration. An error of the script is one more check that fails."""
    script, question, splits = loaded.script, loaded.question, loaded.splits
    checked: dict[str, bool] = {}
    scores: dict[str, tuple[float, float]] = {}
    seconds = 0.0
    began = time.perf_counter()
    try:
        if hasattr(script, "seed_all"):  # scripts of earlier versions leave it to their task
            script.seed_all(config.seed)
        model = script.train(config, splits["train"], splits["validation"], progress)
        seconds = time.perf_counter() - began - progress.seconds
        with torch.no_grad():
            checked |= question.checks(Trained(script, config, model, splits, seconds))
        for split, threshold in question.thresholds.items():
            scores[split] = script.score(model, splits[split])
            if threshold is not None:
                checked |= [_reaches(script.RECORD, split, scores[split][0], threshold)]
        progress.ended()
    except Exception as error:  # whatever is wrong with the script
        checked[f"runs without an error ({one_line(error)})"] = False
    return QuestionResult(checked, scores, seconds)


def _reaches(record: Mapping[str, Any], split: str, score: float, threshold: float) -> tuple[str, bool]:
    """A check: whether a score reaches its threshold."""
    higher = record["direction"] == "maximize"
    sentence = f"{split} {record['metric']} {threshold:g} or {'more' if higher else 'less'}"
    return sentence, score >= threshold if higher else score <= threshold
