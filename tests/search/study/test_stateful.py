"""A study in files, PostgreSQL and memory does what a small model says, whatever is done to it."""

import contextlib
import os
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from objectives import bowl
from search.storage.files import FileStore
from search.storage.memory import MemoryStore
from search.storage.postgres import PostgresStore
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.study.stored import StoredStudy
from search.study.trial import TrialState

SOME = st.integers(0, 10_000)  # chooses one of the trials that a rule may take
LOSSES = {"train_loss": 1.0, "validation_loss": 1.0, "seconds": 0.1, "time": 1e9}
ENDS = (TrialState.COMPLETED, TrialState.PRUNED, TrialState.DIVERGED, TrialState.FAILED)


@dataclass
class Expected:
    """What the model knows of a trial."""

    state: str = "running"
    epochs: int = 0
    score: float | None = None
    paused: bool = False
    void: bool = False

    @property
    def trains(self):
        return self.state == "running" and not self.paused


@dataclass
class Machine:
    """A study in one store, as a search has it."""

    store: object
    joins: bool = False
    study: object = field(init=False)

    def __post_init__(self):
        self.open()

    def open(self):
        self.study = open_study(self.store, bowl, "s", "builtin", join=self.joins)
        self.strategy = Strategy(self.study)

    def kill(self):
        self.study.__exit__()  # what a process that ends lets go of, and nothing else


class StudyInStores(RuleBasedStateMachine):
    """The same sequence is sent to each store; after each step all say what the model says."""

    address = None

    def __init__(self):
        super().__init__()
        self._folder = contextlib.ExitStack()
        folder = self._folder.enter_context(tempfile.TemporaryDirectory())
        os.environ["TRIALBOOK_HOME"] = folder
        stores = [FileStore(_folder_of(folder)), MemoryStore()]
        if self.address:
            stores.append(PostgresStore(self.address()))
        self.machines = [Machine(store) for store in stores]
        self.model: dict[int, Expected] = {}

    def teardown(self):
        for machine in self.machines:
            machine.kill()
        self._folder.close()

    def numbers(self, which):
        return [number for number, trial in self.model.items() if which(trial)]

    @rule()
    def ask(self):
        seen = [machine.strategy.ask() for machine in self.machines]
        assert len({(trial.number, trial.draw, str(trial.config)) for trial in seen}) == 1
        self.model[seen[0].number] = Expected()

    @precondition(lambda self: self.numbers(lambda trial: trial.trains))
    @rule(some=SOME, height=st.floats(0, 1))
    def report(self, some, height):
        numbers = self.numbers(lambda trial: trial.trains and trial.epochs < 5)
        if not numbers:
            return
        number = numbers[some % len(numbers)]
        entry = LOSSES | {"epoch": self.model[number].epochs + 1, "validation_height": height}
        assert len({machine.strategy.report(number, entry) for machine in self.machines}) == 1
        self.model[number].epochs += 1

    @precondition(lambda self: self.numbers(lambda trial: trial.trains and trial.epochs and not trial.void))
    @rule(some=SOME)
    def pause(self, some):
        numbers = self.numbers(lambda trial: trial.trains and trial.epochs and not trial.void)
        number = numbers[some % len(numbers)]
        for machine in self.machines:
            machine.strategy.pause(number)
        self.model[number].paused = True

    @precondition(lambda self: self.numbers(lambda trial: trial.paused and trial.state == "running"))
    @rule()
    def resume(self):
        seen = {machine.strategy.knowledge.rungs.best_paused() for machine in self.machines}
        assert len(seen) == 1
        if (number := seen.pop()) is not None:
            for machine in self.machines:
                machine.strategy.resume(number)
            self.model[number].paused = False

    @precondition(lambda self: self.numbers(lambda trial: trial.trains))
    @rule(some=SOME, end=st.sampled_from(ENDS), score=st.floats(0, 1))
    def tell(self, some, end, score):
        numbers = self.numbers(lambda trial: trial.trains)
        number = numbers[some % len(numbers)]
        completed = end == TrialState.COMPLETED and self.model[number].epochs > 0
        end = end if completed or end != TrialState.COMPLETED else TrialState.FAILED
        for machine in self.machines:
            machine.strategy.tell(number, end, "told so", (score, 0.1) if completed else (None, None))
        self.model[number].state, self.model[number].score = str(end), score if completed else None

    @precondition(lambda self: self.numbers(lambda trial: trial.state != "running"))
    @rule(some=SOME, restore=st.booleans())
    def void(self, some, restore):
        numbers = self.numbers(lambda trial: trial.state != "running" and trial.void == restore)
        if not numbers:
            return
        number = numbers[some % len(numbers)]
        for machine in self.machines:
            machine.study.void("restore" if restore else "void", [number], "a bug")
        self.model[number].void = not restore

    @rule()
    def kill_and_open(self):
        for machine in self.machines:
            machine.kill()
            machine.open()
        for trial in self.model.values():
            if trial.trains:
                trial.state = "interrupted"

    @invariant()
    def all_say_what_the_model_says(self):
        for machine in self.machines:
            for study in (machine.study, StoredStudy.read(machine.store, "s")):
                seen = {
                    trial.number: Expected(
                        str(trial.state),
                        trial.epochs,
                        trial.score,
                        trial.paused,
                        trial.void is not None,
                    )
                    for trial in study.trials()
                }
                expected = {number: _ended(trial) for number, trial in self.model.items()}
                assert seen == expected
                counting = [t for t in self.model.values() if t.score is not None and not t.void]
                assert [t.score for t in study.completed()] == sorted(t.score for t in counting)


def _ended(trial):
    """What a trial that ended has: it waits no longer."""
    waits = trial.paused and trial.state == "running"
    return Expected(trial.state, trial.epochs, trial.score, waits, trial.void)


def _folder_of(home):
    from pathlib import Path

    return Path(home) / "mlruns" / "studies"


def _run(examples, steps):
    run_state_machine_as_test(
        StudyInStores,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.integration
def test_files_and_memory_do_what_the_model_says(monkeypatch):
    monkeypatch.setenv("TRIALBOOK_HOME", "")
    monkeypatch.setattr(StudyInStores, "address", None)
    _run(examples=4, steps=15)


@pytest.mark.thorough
def test_files_memory_and_postgresql_do_what_the_model_says_for_long(server, monkeypatch):
    import uuid

    import psycopg

    def address():
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(server.address(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.address(name)

    monkeypatch.setenv("TRIALBOOK_HOME", "")
    monkeypatch.setattr(StudyInStores, "address", staticmethod(address))
    _run(examples=25, steps=25)
