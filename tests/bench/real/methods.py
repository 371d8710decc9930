"""The methods of `tests.bench.replay` on the real task: each trains on all cores until the time is over.

All train by `search.trainers.trainer.Trainer`, one trainer a core, and try the task's defaults first. The
clock starts when the first training does: that processes start, import and load takes none of the time.

"trialbook" begins with what won other tasks, as it does for everyone; "trialbook-cold" has no such winners.
It names what the product names, and its time holds the training of the fresh seeds that confirm it. The
peers hand over their best trial, unconfirmed.

What differs from the replay: trials run beside each other, a method's own computing takes its time, this
project writes its log, and Hyperband's promoted configurations train from the beginning again.
"""

import math
import os
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import asdict
from functools import partial
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from search import tasks
from tests.bench.real import ours
from tests.bench.real.core import Handed, pool, train

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
    "trialbook": partial(ours.search, warm=True),
    "trialbook-cold": partial(ours.search, warm=False),
    "optuna": partial(by_optuna, pruner=optuna.pruners.NopPruner),
    "optuna-median": partial(by_optuna, pruner=optuna.pruners.MedianPruner),
    "optuna-hyperband": partial(by_optuna, pruner=optuna.pruners.HyperbandPruner),
    "ray-asha": partial(by_ray, random=True),
    "ray-asha-optuna": partial(by_ray, random=False),
    "smac-hyperband": by_smac,
}
