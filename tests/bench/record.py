"""Record learning curves of random configurations, for `replay.py` to search again and again.

    python -m tests.bench.record langid 200

One line of `curves/<task>.jsonl` is one training: its configuration, its seed, and of each report the
epoch, the score and the seconds of processor time since training began. Configurations are a
scrambled Sobol sequence over the task's ranges, so that those recorded so far always fill the space.
The best third is trained on more seeds too, and so is one in ten of the others. Stop it when you like: it
goes on where it was.

Lines with a "device" were trained on another machine, most of them on a GPU. Their scores agree with those
recorded here within seed noise. Their seconds are still those of a core here: of the first recording of
that configuration, or (chargpt) as many times the seconds of a step, a scoring and a sample as it has.
"""

import argparse
import contextlib
import json
import math
import os
import time
from dataclasses import asdict
from pathlib import Path

import optuna

import data
from search import tasks
from search.study.opening import source_of
from search.trainers.trainer import GO_ON, STOP, Stop, Trainer

CURVES = Path(__file__).parent / "curves"
SEEDS = 4  # of those that are trained again; one of the others
BEST = 3  # one in so many is among the best
SAMPLE = 10  # one in so many of the others is trained again


def configurations(task, count):
    """So many configurations spread over the ranges of a task."""
    sampler = optuna.samplers.QMCSampler(scramble=True, seed=0)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial(tasks.baseline(task))
    found = []
    for _ in range(count):
        trial = study.ask()
        found.append(asdict(task.space(trial)))
        study.tell(trial, 0.0)
    return found


def record(trainer, config):
    """Train, and return the curve: [epoch, score, seconds] of each report; a score of None ends it."""
    curve, started = [], time.process_time()

    def reported(entry):
        score = entry[f"validation_{trainer.task.METRIC}"]
        finite = all(math.isfinite(value) for value in entry.values() if isinstance(value, float))
        curve.append([entry["epoch"], score if finite else None, round(time.process_time() - started, 4)])
        return GO_ON if finite else STOP

    with contextlib.suppress(Stop):
        trainer.train(trainer.task.Config(**config), reported)
    return curve


def read(name):
    """The lines of a task's table."""
    path = CURVES / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def again(task, lines):
    """The numbers of the configurations that are trained on more seeds: the best, and a sample of others."""
    sign = 1 if task.DIRECTION == "maximize" else -1
    first = {line["number"]: line["curve"][-1][1] for line in lines if line["config"]["seed"] == 1}
    ended = {number: sign * score for number, score in first.items() if score is not None}
    best = sorted(ended, key=ended.get, reverse=True)[: max(1, len(first) // BEST)]
    return best, sorted(first.keys() - set(best))[::SAMPLE]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task")
    parser.add_argument("count", type=int, help="configurations")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data.use_course_folder(os.environ.get("DATA_DIR"))
    task = tasks.find(options.task)
    source = source_of(task, None)
    trainer = Trainer(task, task.DATA.prepare(source))
    trainer.train(task.Config(epochs=1), lambda entry: GO_ON)  # warm up
    drawn = configurations(task, options.count)

    def train(numbers, seeds):
        done = {(line["number"], line["config"]["seed"]) for line in read(options.task)}
        for number in numbers:
            for seed in seeds:
                if (number, seed) not in done:
                    config = drawn[number] | {"seed": seed}
                    line = {"number": number, "config": config, "data": source}
                    line["curve"] = record(trainer, config)
                    with open(CURVES / f"{options.task}.jsonl", "a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(number, seed, line["curve"][-1], flush=True)

    train(range(options.count), [1])
    for numbers in again(task, read(options.task)):
        train(numbers, range(2, SEEDS + 1))


if __name__ == "__main__":
    main()
