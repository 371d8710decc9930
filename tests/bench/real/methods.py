"""The methods of `tests.bench.replay` on the real task: each trains on all cores until the time is over.

All train by `search.trainers.trainer.Trainer`, one trainer a core, and try the task's defaults first. The
clock starts when the first training does: that processes start, import and load takes none of the time.

What differs from the replay: trials run beside each other, a method's own computing takes its time, this
project writes its log, and Hyperband's promoted configurations train from the beginning again.
"""

import math
import os
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from stores import here

from search import coordinator, tasks
from search.executors.processes import Processes
from search.study.opening import open_study
from search.trainers.trainer import Stop, Trainer
from tests.bench import record


@dataclass(frozen=True)
class Work:
    """A search that is to be made."""

    task: str
    source: str  # of its data
    seconds: float  # of all cores together
    cores: int
    seed: int

    @property
    def module(self):
        return tasks.find(self.task)

    @property
    def steps(self):
        """Reports of a whole training."""
        return len(record.read(self.task)[0]["curve"])


class Handed:
    """What a search would hand over: the trial whose last score is the best. Kept as it changes.

    `changes` holds pairs of core-seconds and a configuration, a dict. It begins with the task's defaults.
    """

    def __init__(self, work):
        self._work = work
        self._sign = 1 if work.module.DIRECTION == "maximize" else -1
        self._last = {}  # trial -> its last score, so that more is better, and its configuration
        self.changes = [(0.0, tasks.baseline(work.module))]
        self.begin(time.time())

    def begin(self, now):
        """Start the clock."""
        self.begun = now
        self.until = now + self._work.seconds / self._work.cores

    def heard(self, trial, score, params, at=None):
        """A trial has this score now, or had it at some time."""
        if math.isfinite(score):
            self._last[trial] = self._sign * score, params
            self.best(max(self._last.values(), key=lambda last: last[0])[1], at)

    def best(self, params, at=None):
        """From now on this would be handed over."""
        seconds = ((at or time.time()) - self.begun) * self._work.cores
        if params != self.changes[-1][1] and seconds <= self._work.seconds:
            self.changes.append((seconds, params))


# Training in processes of our own


@cache
def trainer(task, source):
    """The one trainer of this process."""
    module = tasks.find(task)
    return Trainer(module, module.DATA.prepare(source))


def pool(work):
    """Processes that are ready to train, one a core."""
    opened = ProcessPoolExecutor(work.cores, get_context("spawn"), _warm, (work,))
    list(opened.map(time.sleep, [1] * work.cores))  # the sleep sees to it that all of them start
    return opened


def _warm(work):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trainer(work.task, work.source)


def train(work, params, seed, reported):
    """Train a configuration; after each report ask `reported(step, score)` whether to go on.

    Returns the last score; nan where it diverged.
    """
    module, last = work.module, math.nan
    count = 0

    def heard(entry):
        nonlocal last, count
        count += 1
        last = entry[f"validation_{module.METRIC}"]
        return math.isfinite(last) and reported(count, last)

    try:
        return trainer(work.task, work.source).train(module.Config(**params, seed=seed), heard)[0]
    except Stop:
        return last


# This project


def ours(work):
    """Its own search with its own trainers and its log."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRIALBOOK_HOME"] = home
        from search.reports.page import log_files
        from search.tracking import chosen
        from search.tracking.background import Background
        from search.tracking.projection import Projection

        with (
            open_study(here(), work.module, source=work.source, seed=work.seed) as study,
            Processes(study, work.cores) as trainers,
            Background(Projection(study, chosen(None), log_files)) as log,
        ):
            for _ in range(work.cores):
                trainers.listen(None, 10)  # until they are ready
            handed = Handed(work)
            coordinator.search(
                study, trainers, seconds=work.seconds / work.cores, watchers=[log, Watcher(handed)]
            )
    return handed.changes


class Watcher:
    """Hears of the trials of a search of this project."""

    def __init__(self, handed):
        self._handed = handed

    def started(self, trial):
        pass

    def reported(self, trial):
        pass

    def paused(self, trial):
        pass

    def finished(self, trial):
        if trial.state == "completed":
            self._handed.heard(trial.number, trial.score, trial.params)


# Optuna


def by_optuna(work, pruner):
    """A process a core, each asking and telling one study in a journal file, as Optuna's pages advise."""
    with tempfile.TemporaryDirectory() as folder, pool(work) as processes:
        journal = str(Path(folder) / "journal")
        study = optuna.create_study(
            study_name=f"seed {work.seed}", storage=_storage(journal), direction=work.module.DIRECTION
        )
        study.enqueue_trial(tasks.baseline(work.module))
        handed = Handed(work)
        each = [
            processes.submit(_optimize, work, journal, pruner, core, handed.until)
            for core in range(work.cores)
        ]
        for future in each:
            future.result()
        complete = [trial for trial in study.get_trials() if trial.state == TrialState.COMPLETE]
    for trial in sorted(complete, key=lambda trial: trial.datetime_complete):
        handed.heard(trial.number, trial.value, trial.params, trial.datetime_complete.timestamp())
    return handed.changes


def _optimize(work, journal, pruner, core, until):
    """What each process does until the time is over. What then trains is left unfinished."""
    sampler = optuna.samplers.TPESampler(seed=1000 * work.seed + core)
    study = optuna.load_study(
        study_name=f"seed {work.seed}", storage=_storage(journal), sampler=sampler, pruner=pruner()
    )
    while True:
        trial = study.ask()
        params, state = asdict(work.module.space(trial)), TrialState.COMPLETE
        del params["seed"]

        def reported(step, score, trial=trial):
            nonlocal state
            trial.report(score, step)
            if trial.should_prune():
                state = TrialState.PRUNED
            return state == TrialState.COMPLETE and time.time() < until

        score = train(work, params, 1000 * work.seed + trial.number, reported)
        if time.time() >= until:
            return
        if math.isnan(score):
            state = TrialState.FAIL
        study.tell(trial, score if state == TrialState.COMPLETE else None, state=state)


def _storage(journal):
    return JournalStorage(JournalFileBackend(journal))


# SMAC


def by_smac(work):
    """SMAC asked and told from here, a training a core."""
    from tests.bench.replay import by_smac

    space, running, params = by_smac.Space(work.module), {}, {}
    with tempfile.TemporaryDirectory() as folder, pool(work) as processes:
        smac = by_smac.facade(space, work.seed, work.steps, folder)
        handed = Handed(work)
        while time.time() < handed.until:
            while len(running) < work.cores:
                asked = smac.ask()
                params[asked.config] = space.config(asked.config)
                steps, seed = round(asked.budget), 1000 * work.seed + len(params)
                future = processes.submit(_train_steps, work, params[asked.config], seed, steps, handed.until)
                running[future] = asked
            ended, _ = wait(running, max(0, handed.until - time.time()), FIRST_COMPLETED)
            for future in ended:
                smac.tell(running.pop(future), by_smac.told(future.result(), space.cost), save=False)
                if (incumbent := smac.intensifier.get_incumbent()) is not None:
                    handed.best(params[incumbent])
    return handed.changes


def _train_steps(work, params, seed, steps, until):
    return train(work, params, seed, lambda step, _: step < steps and time.time() < until)


# Ray Tune


def by_ray(work, random):
    """Ray's own Tuner, whose actors stay for the next trial."""
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    from tests.bench.replay import by_ray

    handed = Handed(work)
    handed.begin(math.inf)

    class Hears(tune.Callback):
        def on_trial_result(self, iteration, trials, trial, result, **_):
            if handed.begun == math.inf:
                handed.begin(time.time() - result["time_total_s"])
            handed.heard(trial.trial_id, result[by_ray.METRIC], dict(trial.config))

    class Ends(tune.Stopper):
        def __call__(self, trial_id, result):
            return False

        def stop_all(self):
            return time.time() >= handed.until

    if random:
        first = [tasks.baseline(work.module)]
        searcher = BasicVariantGenerator(
            points_to_evaluate=first, max_concurrent=work.cores, random_state=work.seed
        )
        space = {name: by_ray.domain(each) for name, each in tasks.ranges(work.module).items()}
    else:
        searcher, space = by_ray.optuna_search(work.module, work.seed), {}
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # it prints tables even where it is asked not to
    ray.init(num_cpus=work.cores, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            tune.with_resources(tune.with_parameters(_train_for_ray, work=work), {"cpu": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(
                metric=by_ray.METRIC,
                mode=by_ray.mode(work.module),
                search_alg=searcher,
                scheduler=ASHAScheduler(time_attr=by_ray.TIME, max_t=work.steps),
                num_samples=-1,
                max_concurrent_trials=None if random else work.cores,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, callbacks=[Hears()], stop=Ends(), verbose=0),
        ).fit()
    ray.shutdown()
    return handed.changes


def _train_for_ray(config, work):
    from ray import tune

    def reported(step, score):
        tune.report({"score": score})
        return True

    train(work, config, int.from_bytes(os.urandom(3)), reported)


METHODS = {
    "trialbook": ours,
    "optuna": partial(by_optuna, pruner=optuna.pruners.NopPruner),
    "optuna-median": partial(by_optuna, pruner=optuna.pruners.MedianPruner),
    "optuna-hyperband": partial(by_optuna, pruner=optuna.pruners.HyperbandPruner),
    "ray-asha": partial(by_ray, random=True),
    "ray-asha-optuna": partial(by_ray, random=False),
    "smac-hyperband": by_smac,
}
