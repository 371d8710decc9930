"""A rehearsal for the author of a task: contract, data and a short training. Nothing is written."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch

import data
from search import tasks
from search.errors import TaskError, TrialbookError
from search.primitives.text import duration
from search.study.opening import check_task, source_of
from search.tasks import Task, isolation
from search.trainers.messages import GO_ON, STOP, Entry, Verdict
from search.trainers.trainer import Stop, Trainer

SECONDS = 5.0  # then the training ends with its next report


def rehearse(task: Task, source: str | None, seconds: float = SECONDS) -> Iterator[str]:
    """Check a task, then train its defaults for so many seconds or to the end. Yields lines of results.

    Args:
        source: one of the task's sources of data; None for its default.

    Raises TaskError at the first mistake; UsageError, data.DataError.
    """
    start = time.monotonic()
    notes = check_task(task)
    yield f"Task {tasks.name_of(task)}: {tasks.question_of(task)}"
    for name, range_ in tasks.ranges(task).items():
        yield f"  searched   {name}: {tasks.describe(range_)}"
    weights = tasks.count_weights(task, task.Config())
    yield f"  network    {'weights unknown' if weights is None else f'{weights:,} weights'}"
    source = source_of(task, source)
    path = tasks.prepared(task, source)
    yield f"  data       {source}, {path}"
    arrays = data.read(path)
    digest = data.digest(arrays)
    with isolation.State("cpu"):
        tasks.check_data(task, arrays)
    yield from (f"  note       {note}" for note in notes)
    yield f"  checked    in {duration(time.monotonic() - start)}, data included"
    yield f"  torch      {torch_build()}"
    yield f"  training   {_train(task, path, digest, seconds)}"
    yield f"The contract holds: make search TASK={tasks.name_of(task)}"


def torch_build() -> str:
    """Version of the installed PyTorch, and what it was built for."""
    if torch.version.hip:
        built_for = f"ROCm {torch.version.hip}"
    elif torch.version.cuda:
        built_for = f"CUDA {torch.version.cuda}"
    else:
        built_for = "CPU"
    return f"{torch.__version__}, built for {built_for}"


def _train(task: Task, path: Path, digest: str, seconds: float) -> str:
    """Train the defaults. Returns the result in words."""
    config, start = task.Config(), time.monotonic()
    reports: list[Entry] = []

    def report(entry: Entry) -> Verdict:
        reports.append(entry)
        return STOP if time.monotonic() - start > seconds and entry["epoch"] < config.epochs else GO_ON

    try:
        score = Trainer(task, path, digest=digest).train(config, report)
    except Stop:
        score = None
    except TrialbookError as error:
        raise TaskError(f"task {tasks.name_of(task)!r}: {error}") from None
    took = duration(time.monotonic() - start)
    loss = f"train loss {reports[-1]['train_loss']:.4g}"
    epochs = f"{reports[-1]['epoch']} of {config.epochs} epochs in {took}, {loss}"
    return epochs if score is None else f"{epochs}; {task.METRIC} {score[0]:.4g} ± {score[1]:.2g}"
