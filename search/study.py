"""The study: what was tried and what came of it. One Optuna journal file, one writer.

Whatever the log, a table or a frozen script shows of a trial is read from here, as a `Trial`.
"""

import copy
import functools
import math
from dataclasses import asdict, replace

import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import TrialState

import data
from search import crossing, fingerprint, journal, secret, siblings, strategy, studies, tasks
from search.errors import NoWinner, StudyConflict, UsageError, unknown
from search.past import Past
from search.provenance import provenance
from search.rungs import FACTOR, Rungs
from search.sharing import Shared
from search.trial import view
from search.winner import FEW

optuna.logging.set_verbosity(optuna.logging.WARNING)  # what happens is said in our words

TINY = 1e-12  # a loss that is as good as none
OLD = ("aside", "void")  # what can become of trials whose code, ranges or data are no longer those of today


class Study(Shared):
    """A study that is open: for a search (`open`, which locks it) or to look at (`read`)."""

    def __init__(self, name, lock=None):
        self.name = name
        self._lock = lock
        self._journal = studies.records(name)
        self._storage, self._optuna = studies.load(name, self._journal)
        self._id = self._storage.get_study_id_from_name(name)
        self.about = self._optuna.user_attrs["about"]
        self.task = tasks.find(self.about["task"])
        self._asked = {}  # number -> Optuna's trial, while it runs
        self._others = {}  # number -> epochs that are known of a trial that another one trains
        self.device = "cpu"  # that trials train on from now on: see `devices`
        self._provenance = functools.cache(provenance)  # one for all trials of this process
        self._fingerprint = None  # of trials that begin: `open` finds it out
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

        Raises UsageError, StudyConflict, StoreError, data.DataError.
        """
        if join and studies.database() is None:
            raise UsageError(
                "JOIN=1 needs a database that searches share: STORAGE=postgresql://user@host/name"
            )
        source, name = studies.resolve(task, name, source)
        if old not in (None, *OLD):
            raise unknown("OLD", old, OLD)
        if studies.exists(name):
            studies.must_be(name, studies.first_about(name), task, source, seed)
        digest = data.digest(data.read(task.DATA.prepare(source)))
        lock = studies.lock(name, shared=join)
        if not studies.exists(name):
            studies.create(task, name, source, digest, seed or 0)
        study = cls._joined(name, lock) if join else cls._held(name, lock, waits=True)
        try:
            with study.turn():
                today = fingerprint.of(task, digest)
                fingerprint.settle(study, today, old)
                study._renew(digest, today)
        except StudyConflict:
            lock.close()
            raise
        if not join:
            study._close_all(lambda trial: trial.counts)
        return study

    @classmethod
    def hold(cls, name, lock=None):
        """A study that exists, for this process alone; its `lock`, where this process has it already.

        Raises UsageError, StudyConflict, StoreError.
        """
        cls.read(name)
        return cls._held(name, lock or studies.lock(name))

    @classmethod
    def read(cls, name):
        """A study to look at; another process may be searching it. Raises UsageError, StoreError."""
        studies.check_name(name)
        if not studies.exists(name):
            raise unknown("STUDY", name, studies.names())
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
        for number in range(len(past.ended) + len(past.running)):
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
        return -self.sign * trial.score, trial.weights, trial.number

    def budget(self):
        """What was asked for last: see `set_budget`."""
        return self._optuna.user_attrs.get("budget", {})

    def crossings(self):
        """All that was crossed out and restored, in order."""
        return crossing.entries(self._optuna.user_attrs)

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
        studies.must_be(self.name, self.about, task, source, seed)

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

    def copy(self, told):
        """The same, but each trial has its own number, and what `told(trial)` gives as its attributes."""
        storage = journal.Memory()
        plain = optuna.create_study(storage=storage, study_name=self.name, direction=self.about["direction"])
        for trial, frozen in zip(list(self.trials()), self._storage.every_trial(self._id)):
            plain.add_trial(_bare(frozen, told(trial)))
            if not trial.counts or trial.state == "running":
                storage.hidden.add(trial.number)
        return plain

    # One trial's way: ask, report, tell

    def ask(self):
        """Begin the next trial of the search: a Trial that runs."""
        draw, earlier = self._look_back().next_draw()
        starts = dict(enumerate(self._starts))
        fixed = earlier.params if earlier else starts.get(draw, {})
        about = {"draw": draw, "retry_of": earlier.number if earlier else None, "start": draw in starts}
        return self._begin(fixed, *(self._seed(purpose, draw) for purpose in ("sampler", "training")), about)

    def ask_again(self, trial, repeat):
        """Begin to train a trial's configuration again, on a fresh seed: a Trial that runs."""
        seed = self._seed("repeat", repeat)
        return self._begin(trial.params, seed, seed, {"confirms": trial.number, "repeat": repeat})

    def report(self, number, entry):
        """Write down an epoch of a running trial. Returns whether it is to pause. Raises Gone."""
        epoch, trial = entry["epoch"], self.trial(number)
        value = entry[f"validation_{self.task.METRIC}"]
        with self._own(number) as asked:
            asked.set_user_attr(f"epoch {epoch}", entry)
            asked.report(value, epoch)
        if not trial.counts:
            return False  # a repeat is to be compared by its score
        at_rung = self._rungs.report(number, trial.epochs, epoch, self._level(value))
        return at_rung and trial.draw != 0  # the baseline is what all else is compared with

    def pause(self, number):
        """Let a running trial wait. Returns the Trial."""
        trial = self.trial(number)
        with self._own(number) as asked:
            asked.set_user_attr("paused", trial.epochs)
        self._rungs.pause(number)
        return self.trial(number)

    def go_on(self, anyway=False):
        """End the wait of the trial whose turn it is, or `anyway` of the best; returns it, or None."""
        number = self._rungs.best_paused() if anyway else self._rungs.promoted()
        if number is None:
            return None
        self._rungs.resume(number)
        return self.trial(number)

    @property
    def paused(self):
        """The trials that wait, by number."""
        return self._rungs.paused

    def surplus(self):
        """A trial that waits for nothing, or None: see `search.rungs`."""
        return self._rungs.surplus()

    def why_behind(self, number):
        """Why a trial that waits is given up, in words."""
        entry, (rank, among) = self.trial(number).curve[-1], self._rungs.place(number)
        value = entry[f"validation_{self.task.METRIC}"]
        return f"at epoch {entry['epoch']}: {value:.4g}, {rank} of {among} there; one in {FACTOR} goes on"

    def tell(self, number, state, reason, score=(None, None)):
        """End a trial, for good. Returns the Trial. This commits it. Raises Gone."""
        value, standard_error = score
        reason = secret.redacted(reason)
        # A diverged trial is told as pruned, since that is what samplers learn from.
        told = {
            "completed": TrialState.COMPLETE,
            "pruned": TrialState.PRUNED,
            "diverged": TrialState.PRUNED,
        }
        outcome = {"state": state, "reason": reason, "standard_error": standard_error}
        with self._own(number) as asked:
            asked.set_user_attr("outcome", outcome)
            self._optuna.tell(asked, value, state=told.get(state, TrialState.FAIL))
        self._journal.commit()
        del self._asked[number]
        self._settle(self.trial(number))
        return self.trial(number)

    def set_budget(self, trials, seconds):
        """Write down what was asked for last."""
        self._optuna.set_user_attr("budget", {"trials": trials, "seconds": seconds})

    def set_logged(self, extent):
        """Write down that the log shows so much, so that a search with nothing to do need not ask it."""
        if self._lock and extent != self.logged():
            self._optuna.set_user_attr("logged", extent)

    def cross(self, action, numbers, reason):
        """Add to the list of what is crossed out and restored: see `search.crossing`."""
        new = crossing.entry(action, numbers, secret.redacted(reason))
        self._optuna.set_user_attr(*crossing.attribute(len(self.crossings()), new))
        self._journal.commit()
        self._cross_out()

    def looked(self, trial, score):
        """Write down a look at the test data. Returns how many there were."""
        look = {"trial": trial.number, "score": score[0], "standard_error": score[1]}
        looks = [*self.looks(), look | {"time": crossing.now()}]
        self._optuna.set_user_attr("looks", looks)
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

    @classmethod
    def _held(cls, name, lock, waits=False):
        """A study under its lock. What a search that was killed left running is closed as interrupted.

        What it left paused is given up, or `waits` on.
        """
        studies.cut_torn_end(name)
        study = cls(name, lock)
        study._close_all(lambda trial: waits and trial.paused)
        return study

    def _close_all(self, but):
        """End what a search that was killed left running, but for some trials: those wait on."""
        for trial in list(self.trials()):
            if trial.state != "running":
                continue
            if but(trial):
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

    def _begin(self, fixed, sampling_seed, training_seed, about):
        """Begin a trial: what is fixed of its hyperparameters, its seeds, what it is."""
        self._optuna.sampler = strategy.sampler(sampling_seed, fixed, about.get("draw"))
        past = self._look_back()
        known = self._rungs.known()
        learnt = strategy.learnt(known, past.diverged)
        with self._storage.showing(self._as_known(number, known) for number in learnt):
            asked = self._optuna.ask()
            config = replace(self.task.space(asked), seed=training_seed)
        if "confirms" in about:
            self._storage.hidden.add(asked.number)
        about |= {
            "proposal": strategy.why_proposed(past.completed, asked, about),
            "config": asdict(config),
            "weights": tasks.count_weights(self.task, config),
            "fingerprint": self._fingerprint,
            "provenance": self._provenance(self.device),
            **({"coordinator": self._coordinator} if self._coordinator else {}),
        }
        asked.set_user_attr("about", about)
        self._asked[asked.number] = asked
        return self.trial(asked.number)

    def _as_known(self, number, known):
        """Optuna's trial as a sampler sees it: completed with its level at one rung, or diverged."""
        frozen = self._storage.get_trial(number)
        if number in known:
            frozen = copy.copy(frozen)
            frozen.state, frozen.value = TrialState.COMPLETE, self.sign * known[number]
        return frozen

    def _seed(self, purpose, number):
        return strategy.derive_seed(self.about["seed"], purpose, number)

    @functools.cached_property
    def _starts(self):
        """What the first draws try: the task's defaults, and what won other tasks."""
        return [tasks.baseline(self.task), *siblings.starts(self.task)]

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
                level = self._level(entry[f"validation_{self.task.METRIC}"])
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
        self._crossed = crossing.in_force(self.crossings())
        self._past = Past(self.rank)
        self._storage.hidden = {trial.number for trial in self.trials() if not trial.counts}

    def _view(self, frozen):
        return view(frozen, self._crossed.get(frozen.number))

    def _look_back(self):
        """The Past, with all that happened since it was looked at last."""
        past = self._past
        known = len(past.ended) + len(past.running)
        own = () if self.is_shared else self._asked.keys()  # nobody else ends them
        again = [self._storage.get_trial(number) for number in sorted(past.running.difference(own))]
        for frozen in [*again, *self._storage.since(known)]:
            if frozen.number >= known and self._is_beginning(frozen):
                break
            if frozen.number >= known or frozen.state.is_finished():
                past.add(self._view(frozen))
        return past

    def _renew(self, digest, today):
        """Write down what data and ranges trials have from now on; `today` is their fingerprint."""
        new = self.about | {"digest": digest, "space": fingerprint.space(self.task)}
        if new != self.about:
            self._optuna.set_user_attr("about", new)
        self.about = new
        self._fingerprint = today


def _bare(frozen, attributes):
    """One of Optuna's frozen trials with other attributes."""
    bare = copy.copy(frozen)
    bare.user_attrs = attributes
    return bare
