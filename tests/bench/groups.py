"""How much faster networks of one shape train together, on this machine's processor or GPU.

The figures are epochs per second of all networks, as a trainer trains and evaluates them. Each is the median
of some repetitions, side by side with one network alone.

    python -m tests.bench.groups [--device cuda] [--quick] [--limit=SECONDS]
"""

import argparse
import contextlib
import math
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import asdict

import torch
from rich.console import Console
from rich.table import Table

from objectives import names
from search import tasks
from search.trainers.groups import group
from search.trainers.trainer import GO_ON, STOP, Trainer

SHAPES = {  # of the processor's table: the corners of the ranges where groups may pay
    "regression": [{"hidden_size": h, "layers": n} for n in (1, 3) for h in (100, 200, 300, 500)],
    "langid": [{"hidden_size": h, "batch_size": b} for h in (100, 300) for b in (16, 64)],
    "digits": [{"hidden_size": 100, "layers": 1, "batch_size": 20}],
    "chargpt": [{"n_embd": 100, "n_layer": 1, "block_size": 16, "batch_size": 8}],
}
ON_GPU = {
    "langid": [{"hidden_size": h, "batch_size": 64} for h in (100, 300)],
    "digits": [{"hidden_size": 100, "layers": 1, "batch_size": 100}],
    "regression": [{"hidden_size": 100, "layers": 1}],
    "chargpt": [{"n_embd": 100, "n_layer": 1, "block_size": 64, "batch_size": 8}],
}
SIZES = 4, 16, 64, 256
SEEDS = 5  # of the processor's table, as a configuration gets them
SCORE_SEEDS, SCORE_EPOCHS = 8, {"langid": 2, "digits": 6, "regression": 100, "chargpt": 1}
PATIENCE = 60.0  # seconds of one measurement


class Limit:
    """When the last measurement may begin."""

    ends = math.inf


def trainer_of(name, device):
    """A Trainer of a task on its built-in data, or on what stands in for it."""
    task = tasks.find(name)
    source = "builtin" if "builtin" in task.DATA.SOURCES else task.DATA.default_source()
    return Trainer(task, task.DATA.prepare(source), device)


def configs(trainer, shape, size, same_rate, epochs):
    """Configurations of one shape, each with its own seed; with its own learning rate, if so asked."""
    chosen = {}
    for seed in range(size):
        config = asdict(trainer.task.Config(**shape, seed=seed))
        rate = config["learning_rate"]
        spread = {} if same_rate else {"learning_rate": rate * (0.5 + seed / max(1, size - 1))}
        chosen[seed] = config | spread | {"epochs": epochs}
    return chosen


def epochs_per_second(trainer, shape, size, same_rate=True, seconds=2.0):
    """Epochs per second of all networks together, from the end of the first epoch that is reported."""
    if time.monotonic() > Limit.ends:
        raise TimeoutError
    first, last = {}, {}

    def on_report(number, entry):
        last[number] = entry["epoch"], time.perf_counter()
        first.setdefault(number, last[number])
        enough = last[number][1] - first[number][1] > seconds and last[number][0] > first[number][0]
        return STOP if enough else GO_ON

    for _ in trainer.advance_together(configs(trainer, shape, size, same_rate, 10_000), on_report):
        pass
    passed = max(at for _, at in last.values()) - min(at for _, at in first.values())
    return sum(last[number][0] - first[number][0] for number in first) / passed


def on_processor(quick):
    """Prints what groups of SEEDS gain on one thread."""
    table = Table("task", "shape", "one alone, epochs/s", "same rate", "own rates", title="One thread")
    repetitions, seconds = (1, 0.2) if quick else (5, 1.0)
    for name, shapes in SHAPES.items():
        trainer = trainer_of(name, "cpu")
        for shape in shapes[:1] if quick else shapes:
            found = [
                [
                    epochs_per_second(trainer, shape, 1, seconds=seconds),
                    epochs_per_second(trainer, shape, SEEDS, seconds=seconds),
                    epochs_per_second(trainer, shape, SEEDS, same_rate=False, seconds=seconds),
                ]
                for _ in range(repetitions)
            ]
            alone = statistics.median(each[0] for each in found)
            same, own = ([each[k] / each[0] for each in found] for k in (1, 2))
            table.add_row(name, described(shape), f"{alone:.2f}", shown(same), shown(own))
    Console(width=110).print(table)


def described(shape):
    return ", ".join(f"{name} {value}" for name, value in shape.items())


def shown(ratios):
    """The median of ratios, and how far they spread."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


class Utilisation:
    """How busy the GPU is, as its driver says, while a `with` statement lasts."""

    def __enter__(self):
        self._process, self.share = None, math.nan
        if shutil.which("nvidia-smi"):
            command = [
                "nvidia-smi",
                "--query-gpu=utilization.gpu",
                "--format=csv,noheader,nounits",
                "-lms",
                "100",
            ]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        if self._process:
            self._process.terminate()
            lines = self._process.communicate()[0].split()
            seen = [int(line) for line in lines if line.isdecimal()]
            self.share = statistics.mean(seen) if seen else math.nan


def on_gpu(device, quick):
    """Prints what groups of each size reach, with and without recorded steps."""
    sizes, seconds = (SIZES[:2], 0.2) if quick else (SIZES, 0.8)
    table = Table("task, shape", "networks", "recorded", "epochs/s", "times as many", "MiB", "GPU busy")
    for name, shapes in ON_GPU.items():
        for shape in shapes[:1] if quick else shapes:
            with reported(f"{name} {shape}"):
                measure_shape(table, name, shape, device, sizes, seconds)
    Console(width=110).print(table)


def measure_shape(table, name, shape, device, sizes, seconds):
    """Adds the rows of one task and shape to the table."""
    trainer = trainer_of(name, device)
    alone = statistics.median(epochs_per_second(trainer, shape, 1, seconds=seconds) for _ in range(3))
    table.add_row(f"{name}, {described(shape)}", "1", "", f"{alone:.2f}", "1.0", memory(device), "")
    with reported("two processes"):
        both = two_processes(name, shape, device, seconds)
        table.add_row("", "2 processes", "", f"{both:.2f}", f"{both / alone:.1f}", "", "")
    for size in sizes:
        for recorded in [False, True] if device == "cuda" else [False]:
            with reported(f"{size} networks, recorded: {recorded}"):
                group.RECORDS = recorded
                if device == "cuda":
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                with Utilisation() as busy:
                    speed = epochs_per_second(trainer, shape, size, seconds=seconds)
                row = str(size), "yes" if recorded else "no", f"{speed:.1f}", f"{speed / alone:.1f}"
                row = *row, memory(device), f"{busy.share:.0f}%"
                print(name, described(shape), *row, flush=True)
                table.add_row("", *row)
    group.RECORDS = True


def memory(device):
    """The most memory that was in use on the GPU, in MiB."""
    return f"{torch.cuda.max_memory_allocated() / 2**20:.0f}" if device == "cuda" else "-"


def two_processes(name, shape, device, seconds):
    """Epochs per second of two processes that share the GPU, each with one network."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        jobs = [pool.apply_async(_one_process, (name, shape, device, seconds)) for _ in range(2)]
        return sum(job.get(PATIENCE) for job in jobs)


def _one_process(name, shape, device, seconds):
    return epochs_per_second(trainer_of(name, device), shape, 1, seconds=seconds)


def scores(device, quick):
    """Prints the scores of groups here beside those of networks alone on the processor."""
    table = Table("task", "alone on the processor", f"together on {device}", "difference", title="Scores")
    for name, epochs in SCORE_EPOCHS.items():
        with reported(f"scores of {name}"):
            shape, seeds = ON_GPU[name][0], 3 if quick else SCORE_SEEDS
            alone, together = (
                scored(trainer_of(name, place), shape, seeds, epochs, at_once)
                for place, at_once in (("cpu", False), (device, True))
            )
            difference = statistics.mean(together) - statistics.mean(alone)
            error = math.hypot(*(statistics.stdev(each) / math.sqrt(seeds) for each in (alone, together)))
            means = [
                f"{statistics.mean(each):.4g} ± {statistics.stdev(each):.2g}" for each in (alone, together)
            ]
            table.add_row(name, *means, f"{difference:.2g} ± {error:.2g}")
    Console(width=110).print(table)


def scored(trainer, shape, seeds, epochs, at_once):
    """The scores of so many seeds."""
    chosen = configs(trainer, shape, seeds, True, epochs)
    groups = [chosen] if at_once else [{number: config} for number, config in chosen.items()]
    ends = [end for each in groups for end in trainer.advance_together(each, lambda number, entry: GO_ON)]
    return [content[0] for _, (how, content) in ends if how == "finished"]


def every_task(device):
    """Trains each task for a moment on the device."""
    for name in names():
        with reported(name):
            trainer, heard = trainer_of(name, device), []
            config = asdict(trainer.task.Config())
            began = time.perf_counter()
            outcome = trainer.advance(0, config, lambda entry: heard.append(entry) or STOP)  # noqa: B023
            print(f"{name} on {device}: {outcome[0]} after {time.perf_counter() - began:.1f} s", flush=True)
            assert heard or outcome[0] == "finished", outcome


def whole_search(device, seconds):
    """Runs a default search of langid as a person types it, and says how long it took."""
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        command = [sys.executable, "-m", "search", "search", "--task=langid", f"--device={device}"]
        ended = subprocess.run(
            [*command, f"--timeout={seconds}"],
            env=os.environ | {"TRIALBOOK_HOME": home},
            capture_output=True,
            text=True,
        )
        passed = time.perf_counter() - began
    lines = (ended.stdout + ended.stderr).splitlines()
    told = [line for line in lines if "confirmed" in line or "; stopped" in line or "error" in line]
    print(f"A default search of langid on {device}: {passed:.0f} s, exit code {ended.returncode}")
    print(*told[-4:] or lines[-5:], sep="\n", flush=True)


@contextlib.contextmanager
def reported(what):
    """Go on with the next measurement where one fails or the time is over, and say so."""
    try:
        yield
    except TimeoutError:
        print(f"{what}: left out, the time is over", flush=True)
    except Exception:
        print(f"{what} FAILED", flush=True)
        traceback.print_exc(limit=-4, file=sys.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--quick", action="store_true", help="in miniature")
    parser.add_argument("--gpu-tables", action="store_true", help="the tables of a GPU, on whatever device")
    parser.add_argument(
        "--limit", type=float, default=math.inf, help="no measurement begins after so many seconds"
    )
    options = parser.parse_args()
    Limit.ends = time.monotonic() + options.limit
    if options.device == "cpu" and not options.gpu_tables:
        on_processor(options.quick)
        return
    if options.device == "cuda":
        print(torch.cuda.get_device_name(), "torch", torch.__version__, flush=True)
    every_task(options.device)
    whole_search(options.device, 10 if options.quick else 90)
    on_gpu(options.device, options.quick)
    scores(options.device, options.quick)


if __name__ == "__main__":
    main()
