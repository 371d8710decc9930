"""The study: what was tried and what came of it. One Optuna journal file, one writer.

Whatever the log, a table or a frozen script shows of a trial is read from here, as a `Trial`.
"""

import copy
import functools
import re
from dataclasses import asdict, replace

import optuna
from optuna.distributions import distribution_to_json
from optuna.trial import TrialState

import data
from search import journal, places, strategy, tasks
from search.errors import NoWinner, StoreError, StudyConflict, UsageError, unknown
from search.provenance import provenance
from search.trial import view

optuna.logging.set_verbosity(optuna.logging.WARNING)  # what happens is said in our words

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Study:
    """A study that is open: for a search (`open`, which locks it) or to look at (`read`)."""

    def __init__(self, name, lock=None):
        self.name = name
        self._lock = lock
        self._journal = journal.Journal(_file(name))
        try:
            storage = optuna.storages.JournalStorage(self._journal)
            self._optuna = optuna.load_study(study_name=name, storage=storage)
            self.about = self._optuna.user_attrs["about"]
        except (KeyError, ValueError, AttributeError, TypeError, AssertionError) as error:
            raise StoreError(f"{_file(name)} is damaged: {type(error).__name__} {error}") from None
        self.task = tasks.find(self.about["task"])
        self._asked = {}  # number -> Optuna's trial, while it runs
        self._ended = {}  # number -> Trial, which no longer changes
        self._provenance = functools.cache(provenance)  # one for all trials of this process

    # Open, read, close

    @classmethod
    def open(cls, task, name=None, source=None, seed=None):
        """Create a study or go on with it, for this process alone.

        Args:
            task: the module of a task.
            name: a-z0-9._-, at most 63; by default task-source.
            source: one of the task's sources of data; by default the study's, or the task's default.
            seed: from which all seeds of the study derive, 0 to 2^31 - 1; by default the study's, or 0.

        Raises UsageError, StudyConflict, StoreError, data.DataError.
        """
        source, name = resolve(task, name, source)
        if _file(name).exists():
            cls.read(name).must_be(task, source, seed)
        digest = data.digest(data.read(task.DATA.prepare(source)))
        lock = journal.lock(_file(name))
        if not _file(name).exists():
            _create(task, name, source, digest, seed or 0)
        study = cls._held(name, lock)
        if study.about["digest"] != digest:
            was = study.about["digest"]
            raise StudyConflict(f"the data of study {name!r} was {was}, is {digest}: choose a new STUDY=")
        return study

    @classmethod
    def hold(cls, name):
        """A study that exists, for this process alone. Raises StudyConflict, StoreError."""
        return cls._held(name, journal.lock(_file(name)))

    @classmethod
    def read(cls, name):
        """A study to look at; another process may be searching it. Raises UsageError, StoreError."""
        check_name(name)
        if not _file(name).exists():
            raise unknown("STUDY", name, names())
        return cls(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Let go of the study."""
        if self._lock:
            self._lock.close()

    # What there is

    @property
    def data_path(self):
        """The file that its trainers read."""
        return self.task.DATA.prepare(self.about["source"])

    def trials(self):
        """All trials, by number."""
        for frozen in self._optuna.get_trials(deepcopy=False):
            if frozen.number not in self._ended:
                trial = view(frozen)
                if trial.state == "running":
                    yield trial
                    continue
                self._ended[frozen.number] = trial
            yield self._ended[frozen.number]

    def trial(self, number):
        """One trial."""
        return self._ended.get(number) or view(self._optuna.get_trials(deepcopy=False)[number])

    def counted(self):
        """Trials that count as done: all that ended, but for those that are to be retried."""
        return sum(trial.state not in ("running", "interrupted") for trial in self.trials())

    def best(self):
        """The completed trial of the best rank. Raises NoWinner."""
        completed = [trial for trial in self.trials() if trial.state == "completed"]
        if not completed:
            raise NoWinner(f"study {self.name!r} has no completed trial")
        return min(completed, key=self.rank)

    def rank(self, trial):
        """Completed trials sort by this: the better score first; of equals the smaller network."""
        sign = -1 if self.about["direction"] == "maximize" else 1
        return sign * trial.score, trial.weights, trial.number

    def budget(self):
        """What was asked for last: {"trials": n or None, "seconds": s or None}."""
        return self._optuna.user_attrs.get("budget", {})

    def must_be(self, task, source=None, seed=None):
        """Raises StudyConflict where this study is about something else."""
        asked = {"task": tasks.name_of(task), "source": source, "seed": seed, "space": _space(task)}
        for what, value in asked.items():
            if value is not None and value != self.about[what]:
                seen = "another one" if what == "space" else f"{self.about[what]!r}, not {value!r}"
                raise StudyConflict(f"study {self.name!r} has as its {what} {seen}: choose a new STUDY=")

    def for_plots(self):
        """The ended trials as an Optuna study of their own, in memory.

        It lacks what only Trialbook reads: Optuna's plots copy all trials again and again.
        """
        plain = optuna.create_study(direction=self.about["direction"])
        for frozen in self._optuna.get_trials(deepcopy=False):
            if frozen.state.is_finished():
                bare = copy.copy(frozen)
                bare.user_attrs = {}
                plain.add_trial(bare)
        return plain

    # One trial's way: ask, report, tell

    def ask(self):
        """Begin the next trial: a Trial that runs."""
        draw, earlier = self._next_draw()
        retried = earlier.params if earlier else {}
        fixed = tasks.baseline(self.task) if draw == 0 else retried
        sampling, training = (
            strategy.derive_seed(self.about["seed"], purpose, draw) for purpose in ("sampler", "training")
        )
        self._optuna.sampler = strategy.sampler(sampling, fixed)
        asked = self._optuna.ask()
        config = replace(self.task.space(asked), seed=training)
        about = {
            "draw": draw,
            "retry_of": earlier.number if earlier else None,
            "proposal": _proposal(draw, earlier, asked.relative_params),
            "config": asdict(config),
            "weights": tasks.count_weights(self.task, config),
            "provenance": self._provenance(),
        }
        asked.set_user_attr("about", about)
        self._journal.commit()
        self._asked[asked.number] = asked
        return self.trial(asked.number)

    def report(self, number, entry):
        """Write down an epoch of a running trial. Returns why to give it up, in words, or None."""
        asked, epoch = self._asked[number], entry["epoch"]
        asked.set_user_attr(f"epoch {epoch}", entry)
        asked.report(entry[f"validation_{self.task.METRIC}"], epoch)
        return strategy.why_hopeless(self._optuna, asked, epoch)

    def tell(self, number, state, reason, score=(None, None)):
        """End a trial, for good. Returns the Trial. This commits it."""
        asked = self._asked.pop(number)
        value, standard_error = score
        asked.set_user_attr("outcome", {"state": state, "reason": reason, "standard_error": standard_error})
        # A diverged trial is told as pruned, since that is what samplers learn from.
        told = {
            "completed": TrialState.COMPLETE,
            "pruned": TrialState.PRUNED,
            "diverged": TrialState.PRUNED,
        }
        self._optuna.tell(asked, value, state=told.get(state, TrialState.FAIL))
        self._journal.commit()
        return self.trial(number)

    def set_budget(self, trials, seconds):
        """Write down what was asked for last."""
        self._optuna.set_user_attr("budget", {"trials": trials, "seconds": seconds})

    # Inside

    @classmethod
    def _held(cls, name, lock):
        """A study under its lock. What an earlier search left running is closed as interrupted."""
        journal.cut_torn_end(_file(name))
        study = cls(name, lock)
        study._optuna.pruner = strategy.pruner(study.task.Config().epochs)
        for trial in list(study.trials()):
            if trial.state == "running":
                study._optuna.tell(trial.number, state=TrialState.FAIL)
        study._journal.commit()
        return study

    def _next_draw(self):
        """The first draw that no trial has done or is doing, and its latest try, if it had one."""
        tries = {}
        for trial in self.trials():
            if trial.draw is not None:
                tries[trial.draw] = trial
        draw = 0
        while draw in tries and tries[draw].state != "interrupted":
            draw += 1
        return draw, tries.get(draw)


def names():
    """The names of all studies, sorted."""
    return sorted(path.stem for path in places.studies().glob("*.journal"))


def check_name(name):
    """Raises UsageError where a study cannot be called so."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"STUDY {name!r} is no name: valid are a-z 0-9 . _ -, a letter or digit first, at most 63"
        )


def resolve(task, name, source):
    """The source and the name that a study has where they are not given."""
    if name is not None:
        check_name(name)
    if source is not None and source not in task.DATA.SOURCES:
        raise unknown("DATA", source, task.DATA.SOURCES)
    if source is None and name is not None and _file(name).exists():
        source = Study.read(name).about["source"]
    source = source or task.DATA.default_source()
    return source, name or f"{tasks.name_of(task)}-{source}"


def _create(task, name, source, digest, seed):
    """Write a new study's journal: whole, or not at all."""
    unfinished = _file(name).with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    store = journal.Journal(unfinished)
    study = optuna.create_study(
        study_name=name,
        storage=optuna.storages.JournalStorage(store),
        direction=task.DIRECTION,
    )
    about = {"task": tasks.name_of(task), "source": source, "digest": digest, "seed": seed}
    about |= {"metric": task.METRIC, "direction": task.DIRECTION, "space": _space(task)}
    study.set_user_attr("about", about)
    store.commit()
    unfinished.rename(_file(name))


def _file(name):
    return places.studies() / f"{name}.journal"


def _space(task):
    return {name: distribution_to_json(ranges) for name, ranges in tasks.ranges(task).items()}


def _proposal(draw, earlier, modelled):
    """Why a configuration is tried; `modelled` is what the sampler chose from what it has seen."""
    if earlier:
        return f"retry of trial {earlier.number}"
    if draw == 0:
        return "baseline: the task's defaults"
    return "TPE: near what scored well" if modelled else "start-up: drawn at random"
