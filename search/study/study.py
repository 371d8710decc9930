"""The study: what was tried and what came of it. One Optuna journal file, one writer.

Whatever the log, a table or a frozen script shows of a trial is read from here, as a `Trial`.
"""

import copy
import functools
import math

import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import TrialState

import data
from search import redact, tasks
from search.errors import NoWinner, StudyConflict, TaskError, UsageError, unknown
from search.strategy import sampler, warm_start
from search.strategy.halving import FACTOR, Rungs
from search.strategy.winner import FEW
from search.study import catalog, fingerprint, schema, void
from search.study.history import Past
from search.study.shared import Shared
from search.study.trial import view
from search.tasks.provenance import provenance
from search.trainers import isolation

optuna.logging.set_verbosity(optuna.logging.WARNING)  # what happens is said in our words

TINY = 1e-12  # a loss that is as good as none
OLD = ("aside", "void")  # what can become of trials whose code, ranges or data are no longer those of today


class Study(Shared):
    """A study that is open: for a search (`open`, which locks it) or to look at (`read`)."""

    def __init__(self, name, lock=None):
        self.name = name
        self._lock = lock
        self._journal = catalog.records(name)
        self._storage, self._optuna = catalog.load(name, self._journal)
        self._id = self._storage.get_study_id_from_name(name)
        self.about = self._optuna.user_attrs["about"]
        self.task = tasks.find(self.about["task"])
        self._asked = {}  # number -> Optuna's trial, while it runs
        self._others = {}  # number -> epochs that are known of a trial that another one trains
        self.device = "cpu"  # that trials train on from now on: see `devices`
        self._provenance = functools.cache(provenance)  # one for all trials of this process
        self._fingerprint = None  # of trials that begin: `open` finds it out
        self.notes = []  # what `open` noticed about the task, in a line each
        self._cross_out()

    # Open, read, close

    @classmethod
    def open(cls, task, name=None, source=None, seed=None, old=None, join=False):
        """Create a study or go on with it, for this process alone, or together with others that `join`.

        Args:
            task: the module of a task.
            name: a-z0-9._-, at most 63; by default task-source.
            source: one of the task's sources of data; by default the study's, or the task's default.
            seed: from which all seeds of the study derive, 0 to 2^31 - 1; by default the study's, or 0.
            old: what becomes of trials that were trained with other code, ranges or data than today's:
                one of OLD. By default they are a StudyConflict: they never count beside new ones.

        Raises UsageError, StudyConflict, StoreError, data.DataError. Nothing is written where the task breaks
        its contract, which is a TaskError.
        """
        with isolation.State("cpu"):
            notes = tasks.check(task)
        if join and catalog.database() is None:
            raise UsageError(
                "JOIN=1 needs a database that searches share: STORAGE=postgresql://user@host/name"
            )
        source, name = catalog.resolve(task, name, source)
        if old not in (None, *OLD):
            raise unknown("OLD", old, OLD)
        if catalog.exists(name):
            catalog.must_be(name, catalog.first_about(name), task, source, seed)
        arrays = data.read_checked(tasks.prepared(task, source), task.DATA)
        digest = data.digest(arrays)
        with isolation.State("cpu"):
            tasks.check_data(task, arrays)
        lock = catalog.lock(name, shared=join)
        if not catalog.exists(name):
            catalog.create(task, name, source, digest, seed or 0)
        study = cls._joined(name, lock) if join else cls._held(name, lock)
        study.notes = notes
        try:
            today = fingerprint.of(task, digest)
            study.in_turn(lambda: study._settle_with(today, digest, old))
        except StudyConflict:
            lock.close()
            raise
        if not join:
            study._close_unfinished()
        return study

    @classmethod
    def hold(cls, name, lock=None):
        """A study that exists, for this process alone; its `lock`, where this process has it already.

        Trials that a killed search left running or paused stay so: only a search may end them.

        Raises UsageError, StudyConflict, StoreError.
        """
        cls.read(name)
        return cls._held(name, lock or catalog.lock(name))

    @classmethod
    def read(cls, name):
        """A study to look at; another process may be searching it. Raises UsageError, StoreError."""
        catalog.check_name(name)
        if not catalog.exists(name):
            raise unknown("STUDY", name, catalog.names())
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
        """All trials, by number: repeats of others and those that are crossed out, too."""
        past = self._look_back()
        for number in range(past.known):
            if number not in past.waiting:
                yield self.trial(number)

    def trial(self, number):
        """One trial."""
        return self._past.ended.get(number) or self._view(self._storage.get_trial(number))

    def history(self):
        """The trials that the search learns from: see `Trial.counts`."""
        return [trial for trial in self.trials() if trial.counts]

    def counted(self):
        """How many of them are done: all that ended, but for those that are to be retried."""
        return self._look_back().done

    def begun(self):
        """How many of them there are: all but those that are to be retried."""
        past = self._look_back()
        return past.done + len(past.running - self._storage.hidden)

    def completed(self):
        """Those that have a score, the best first."""
        return list(self._look_back().completed)

    def best(self):
        """The first of them: the best single score. Raises NoWinner."""
        if not (completed := self.completed()):
            raise NoWinner(f"study {self.name!r} has no completed trial")
        return completed[0]

    def leader(self):
        """The trial that would be handed over: the best.

        While there are too few to choose from, the one that would probably be the best were all trained
        to the end; None before a rung.
        """
        if len(completed := self.completed()) >= FEW:
            return completed[0]
        expected = self._rungs.expected()
        return self.trial(max(expected, key=expected.get)) if expected else None

    @property
    def sign(self):
        """By which a score is multiplied so that more is better."""
        return 1 if self.about["direction"] == "maximize" else -1

    def rank(self, trial):
        """Completed trials sort by this: the better score first; of equals the smaller network."""
        return -self.sign * trial.score, trial.size, trial.number

    def budget(self):
        """What was asked for last: see `set_budget`."""
        return self._optuna.user_attrs.get("budget", {})

    def crossings(self):
        """All that was crossed out and restored, in order."""
        return void.entries(self._optuna.user_attrs)

    def looks(self):
        """Each look at the test data, in order: its trial, score, standard error and time."""
        return self._optuna.user_attrs.get("looks", [])

    def extent(self):
        """How much there is to show in the log, in words: it changes when something is added."""
        ended = len(self._look_back().ended)
        return f"{ended} trials, {len(self.crossings())} crossings, {len(self.looks())} looks"

    def logged(self):
        """The extent that the log showed when it was last brought up to date; None where it never was."""
        return self._optuna.user_attrs.get("logged")

    def ranges(self):
        """What was searched: each hyperparameter's Optuna distribution, by name."""
        return {name: json_to_distribution(text) for name, text in self.about["space"].items()}

    def must_be(self, task, source=None, seed=None):
        """Raises StudyConflict where this study is about something else."""
        catalog.must_be(self.name, self.about, task, source, seed)

    def for_plots(self):
        """The trials that ended and count as an Optuna study of their own, in memory.

        It lacks what only Trialbook reads: Optuna's plots copy all trials again and again. So that
        each keeps its number, the numbers of the others are taken by trials that never began.
        """
        plain = optuna.create_study(direction=self.about["direction"])
        taken, waiting = 0, optuna.trial.create_trial(state=TrialState.WAITING)
        for frozen in self._optuna.get_trials(deepcopy=False):
            if frozen.state.is_finished():
                plain.add_trials([waiting] * (frozen.number - taken))
                plain.add_trial(_bare(frozen, {}))
                taken = frozen.number + 1
        return plain

    def copy(self, told, storage):
        """The same, in a `Memory`, but each trial has its own number, and `told(trial)` as its attributes."""
        plain = optuna.create_study(storage=storage, study_name=self.name, direction=self.about["direction"])
        taken, waiting = 0, optuna.trial.create_trial(state=TrialState.WAITING)
        for trial in self.trials():
            plain.add_trials([waiting] * (trial.number - taken))
            taken = trial.number + 1
            plain.add_trial(_bare(self._storage.get_trial(trial.number), told(trial)))
            if not trial.counts or trial.state == "running":
                storage.hidden.add(trial.number)
        return plain

    # One trial's way: ask, report, tell

    def ask(self):
        """Begin the next trial of the search: a Trial that runs, or one that ended since its draw gave no
        configuration. What another program enqueued comes first, after the study's own first draws.
        """
        past = self._look_back()
        draw, earlier = past.next_draw()
        starts = dict(enumerate(self._starts))
        enqueued = min(past.waiting, default=None) if draw >= len(starts) and not earlier else None
        fixed = earlier.params if earlier else starts.get(draw, {})
        about = {"draw": draw, "retry_of": earlier.number if earlier else None, "start": draw in starts}
        about |= {"enqueued": enqueued is not None}
        seeds = (self._seed(purpose, draw) for purpose in ("sampler", "training"))
        return self._begin(fixed, *seeds, about, enqueued)

    def ask_again(self, trial, repeat):
        """Begin to train a trial's configuration again, on a fresh seed: a Trial that runs."""
        seed = self._seed("repeat", repeat)
        return self._begin(trial.params, seed, seed, {"confirms": trial.number, "repeat": repeat})

    def report(self, number, entry):
        """Write down an epoch of a running trial. Returns whether it is to pause.

        Raises Gone; ValueError where it is no epoch that could be read again.
        """
        epoch, trial = entry["epoch"], self.trial(number)
        value = entry[self._scored]
        with self._own(number) as asked:
            self._write(asked, f"epoch {epoch}", entry)
            asked.report(value, epoch)
        if not trial.counts:
            return False  # a repeat is to be compared by its score
        at_rung = self._rungs.report(number, trial.epochs, epoch, self._level(value))
        return at_rung and trial.draw != 0  # the baseline is what all else is compared with

    def pause(self, number):
        """Let a running trial wait. Returns the Trial."""
        trial = self.trial(number)
        with self._own(number) as asked:
            self._write(asked, "paused", trial.epochs)
        self._rungs.pause(number)
        return self.trial(number)

    def go_on(self, anyway=False):
        """End the wait of the trial whose turn it is, or `anyway` of the best; returns it, or None."""
        number = self._rungs.best_paused() if anyway else self._rungs.promoted()
        if number is None:
            return None
        with self._own(number) as asked:
            self._write(asked, "paused", None)
        self._rungs.resume(number)
        return self.trial(number)

    @property
    def paused(self):
        """The trials that wait, by number."""
        return self._rungs.paused

    def surplus(self):
        """A trial that waits for nothing, or None: see `search.strategy.halving`."""
        return self._rungs.surplus()

    def why_behind(self, number):
        """Why a trial that waits is given up, in words."""
        entry, (rank, among) = self.trial(number).curve[-1], self._rungs.place(number)
        value = entry[self._scored]
        return f"at epoch {entry['epoch']}: {value:.4g}, {rank} of {among} there; one in {FACTOR} goes on"

    def tell(self, number, state, reason, score=(None, None)):
        """End a trial, for good. Returns the Trial. This commits it. Raises Gone."""
        value, standard_error = score
        reason = redact.redacted(reason)
        # A trial that diverged or was infeasible is told as pruned, since that is what samplers learn from.
        told = {
            "completed": TrialState.COMPLETE,
            "pruned": TrialState.PRUNED,
            "diverged": TrialState.PRUNED,
            "infeasible": TrialState.PRUNED,
        }
        outcome = {"state": state, "reason": reason, "standard_error": standard_error}
        with self._own(number) as asked:
            self._write(asked, "outcome", outcome)
            self._optuna.tell(asked, value, state=told.get(state, TrialState.FAIL))
        self._journal.commit()
        del self._asked[number]
        self._settle(self.trial(number))
        return self.trial(number)

    def set_budget(self, trials, seconds):
        """Write down what was asked for last, and how many trials had begun by then."""
        budget = {"trials": trials, "seconds": seconds, "begun": self.begun()}
        self._write(self._optuna, "budget", budget)

    def set_logged(self, extent):
        """Write down that the log shows so much, so that a search with nothing to do need not ask it."""
        if self._lock and extent != self.logged():
            self._write(self._optuna, "logged", extent)

    def cross(self, action, numbers, reason):
        """Add to the list of what is crossed out and restored: see `search.study.void`."""
        new = void.entry(action, numbers, redact.redacted(reason))
        self._write(self._optuna, *void.attribute(len(self.crossings()), new))
        self._journal.commit()
        self._cross_out()

    def looked(self, trial, score):
        """Write down a look at the test data. Returns how many there were."""
        look = {"trial": trial.number, "score": score[0], "standard_error": score[1]}
        looks = [*self.looks(), look | {"time": void.now()}]
        self._write(self._optuna, "looks", looks)
        self._journal.commit()
        return len(looks)

    # Inside

    def _settle(self, trial):
        """Let the rungs know how a trial ended."""
        self._rungs.resume(trial.number)
        if trial.state not in ("completed", "pruned"):
            self._rungs.forget(trial.number)
        elif trial.state == "completed" and trial.counts:
            self._rungs.finish(trial.number, self._level(trial.score))

    def _write(self, owner, name, value):
        """Give a trial or the study an attribute. Raises ValueError where it could not be read again."""
        if owner is self._optuna:
            schema.of_study(name, value)
        else:
            schema.of_trial(name, value, self.about["metric"])
        owner.set_user_attr(name, value)

    @property
    def _scored(self):
        """The metric by which the trials of this study are compared, as epochs have it."""
        return f"validation_{self.about['metric']}"

    @classmethod
    def _held(cls, name, lock):
        """A study under its lock."""
        catalog.cut_torn_end(name)
        return cls(name, lock)

    def _close_unfinished(self):
        """End what a search that was killed left running; what it left paused waits on, where it counts."""
        for trial in list(self.trials()):
            if trial.state != "running":
                continue
            if trial.paused and trial.counts:
                self._asked[trial.number] = optuna.trial.Trial(self._optuna, trial.number)
            else:
                self._close(trial)
        self._journal.commit()

    def _close(self, trial):
        """End a trial of a search that was killed: as interrupted, or as pruned where it was paused."""
        if not trial.paused:
            self._optuna.tell(trial.number, state=TrialState.FAIL)
            return
        reason = f"it was paused at epoch {trial.epochs} when its search was killed"
        outcome = {"state": "pruned", "reason": reason, "standard_error": None}
        self._storage.set_trial_user_attr(trial.number, "outcome", outcome)
        self._optuna.tell(trial.number, state=TrialState.PRUNED)

    def _begin(self, fixed, sampling_seed, training_seed, about, enqueued=None):
        """Begin a trial: what is fixed of its hyperparameters, its seeds, what it is.

        `enqueued` is the number of a trial that is there and waits; else a new one begins.
        """
        self._optuna.sampler = sampler.sampler(sampling_seed, fixed, about.get("draw"))
        past = self._look_back()
        with self._storage.showing(self._observed(past, enqueued)):
            asked = self._optuna.ask()
            with isolation.State("cpu"):  # the task's code runs here
                drawn = tasks.draw(self.task, asked, training_seed)
                weights = None if drawn.state else self._count_weights(drawn.config)
        if "confirms" in about:
            self._storage.hidden.add(asked.number)
        about |= {
            "proposal": sampler.why_proposed(past.completed, asked, about),
            "config": drawn.config,
            "weights": weights,
            "fingerprint": self._fingerprint,
            "provenance": self._provenance(self.device),
            **({"coordinator": self._coordinator} if self._coordinator else {}),
        }
        self._extend_ranges(asked.distributions)
        self._write(asked, "about", about)
        self._asked[asked.number] = asked
        if drawn.state:
            return self.tell(asked.number, drawn.state, drawn.reason)
        return self.trial(asked.number)

    def _observed(self, past, enqueued):
        """The trials that the next draw is made from, as Optuna's samplers take them.

        Each is completed with its level at one rung, diverged, or running; and the one that is `enqueued`.
        """
        known = self._rungs.known()
        training = past.running.difference(known, self._rungs.paused, self._storage.hidden)
        if enqueued is not None:
            yield self._storage.get_trial(enqueued)
        sign = 1 if self._optuna.direction == optuna.study.StudyDirection.MAXIMIZE else -1
        for number in sampler.learnt(known, past.hopeless, training):
            frozen = self._storage.get_trial(number)
            if number in known:
                frozen = copy.copy(frozen)
                frozen.state, frozen.value = TrialState.COMPLETE, sign * known[number]
            yield frozen

    def _count_weights(self, config):
        return tasks.count_weights(self.task, self.task.Config(**config))

    def _extend_ranges(self, distributions):
        """Write down ranges that no draw has shown before, as those of a rare branch of `space`."""
        known = self.ranges()
        try:
            ranges = tasks.union(known, distributions)
        except TaskError:  # of two kinds: the draw says so
            return
        if ranges != known:
            about = self.about | {"space": fingerprint.as_text(ranges)}
            self._write(self._optuna, "about", about)
            self.about = about

    def _seed(self, purpose, number):
        return sampler.derive_seed(self.about["seed"], purpose, number)

    @functools.cached_property
    def _starts(self):
        """What the first draws try: the task's defaults, and what won other tasks."""
        return [tasks.baseline(self.task), *warm_start.starts(self.task)]

    @functools.cached_property
    def _rungs(self):
        """The rungs of this study, and what came of the trials so far."""
        rungs = Rungs(self.task.Config().epochs)
        running = self._look_back().running - self._asked.keys()
        self._others = {number: self.trial(number).epochs for number in running}
        for trial in self.history():
            if trial.state not in ("running", "completed", "pruned"):
                continue
            before = 0
            for entry in trial.curve:
                level = self._level(entry[self._scored])
                rungs.report(trial.number, before, entry["epoch"], level)
                before = entry["epoch"]
            if trial.paused and trial.number not in self._others:
                rungs.pause(trial.number)
            if trial.score is not None:
                rungs.finish(trial.number, self._level(trial.score))
        return rungs

    def _level(self, value):
        """A score, or one on the way, as it is compared: more is better. Losses count by their logarithms."""
        return value if self.sign > 0 else -math.asinh(value / TINY)

    def _cross_out(self):
        """Make what is crossed out count no longer, and what is restored again."""
        self.__dict__.pop("_rungs", None)
        self._crossed = void.in_force(self.crossings())
        self._past = Past(self.rank)
        self._storage.hidden = {trial.number for trial in self.trials() if not trial.counts}

    def _view(self, frozen):
        return view(frozen, self._crossed.get(frozen.number))

    def _look_back(self):
        """The Past, with all that happened since it was looked at last."""
        past = self._past
        known = past.known
        own = () if self.is_shared else self._asked.keys()  # nobody else ends them
        again = past.waiting | past.running.difference(own)
        for frozen in [*map(self._storage.get_trial, sorted(again)), *self._storage.since(known)]:
            if frozen.state == TrialState.WAITING:
                past.waiting.add(frozen.number)
                continue
            if frozen.number >= known and self._is_beginning(frozen):
                break
            begins = frozen.number >= known or frozen.number in past.waiting
            if begins or frozen.state.is_finished():
                past.add(self._view(frozen))
        return past

    def _settle_with(self, today, digest, old):
        fingerprint.settle(self, today, old)
        self._renew(digest, today)

    def _renew(self, digest, today):
        """Write down the data, ranges and direction of trials from now on; `today` is their fingerprint."""
        same = [trial.fingerprint.get("space") == today["space"] for trial in self.history()]
        space = self.about["space"] if same and all(same) else fingerprint.space(self.task)
        new = self.about | {"digest": digest, "space": space, "direction": self.task.DIRECTION}
        if new != self.about:
            self._write(self._optuna, "about", new)
        self.about = new
        self._fingerprint = today


def _bare(frozen, attributes):
    """One of Optuna's frozen trials with other attributes."""
    bare = copy.copy(frozen)
    bare.user_attrs = attributes
    return bare
